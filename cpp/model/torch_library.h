// What the torch engine knows of _torch.so: its table in C++.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "model/torch/torch_table.h"
#include "model/torch_engine.h"

namespace streamvsr {

// Opens the shared object, for as long as the process lives. Throws kConfig where it cannot be
// used.
const streamvsr_torch& open_table(const std::string& library_path);

// Purpose: RAII of one loaded archive. Thread-safety: made, used and destroyed by one thread;
// memory() and flow_bytes() from any. What is not said to be told by status throws kModel, or
// kMemory where the device has too little.
class TorchModel {
 public:
  TorchModel(const streamvsr_torch& table, const TorchOptions& options);
  ~TorchModel();
  TorchModel(const TorchModel&) = delete;
  TorchModel& operator=(const TorchModel&) = delete;

  // True, or false with failure() saying why.
  bool load(const std::string& device, const char* precision, const TorchOptions& options);
  bool device_is_missing() const { return status_ == STREAMVSR_TORCH_NO_DEVICE; }
  const std::string& failure() const { return failure_; }
  const streamvsr_torch_info& info() const { return info_; }

  void run(std::span<const PiecePicture> pieces);
  void find_flow(const streamvsr_torch_flow& flow);
  std::size_t flow_bytes(const int width, const int height) const {
    return table_.flow_bytes(width, height);
  }
  CutRules cut_rules();
  DeviceMemory memory() const;
  std::size_t take_peak() { return table_.take_peak(model_); }
  void fail_allocation(const std::int64_t nth) { table_.fail_allocation(model_, nth); }
  // What failed last, behind what it was done for.
  [[noreturn]] void throw_failure(const std::string& what) const;

 private:
  // Notes what a call returned; true where it did not fail.
  bool succeeded(int status);

  const streamvsr_torch& table_;
  std::string path_;
  std::shared_ptr<void> user_;
  streamvsr_torch_model* model_ = nullptr;
  streamvsr_torch_info info_{};
  int status_ = STREAMVSR_TORCH_OK;
  std::string failure_;
};

}  // namespace streamvsr
