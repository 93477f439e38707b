// The engine for TorchScript archives, on any device that libtorch knows: docs/torch-engine.md.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/engine.h"

namespace streamvsr {

struct TorchOptions {
  std::string archive_path;
  std::string library_path;     // of _torch.so; empty: there is none
  std::string device = "auto";  // an accelerator where there is one, else the CPU; or torch's name
  int threads = 1;              // >= 1: of libtorch's operators, and for the work beside
  Precision precision = Precision::kAuto;  // kAuto: fp32 on the CPU, fp16 elsewhere
};

// True for a file that by its name is a TorchScript archive: .pt or .ts.
bool is_torch_archive(const std::string& path);

class TorchModel;  // an archive on its device, internal to torch_engine.cpp

// Purpose: an Engine behind the table of torch/torch_table.h. Thread-safety, ownership and
// determinism: as Engine. libtorch is used by one thread of the engine's own, which lives as long
// as the engine. Where the device is not there, or the network does not run on it, the engine is on
// the CPU and warnings() says so.
class TorchEngine final : public Engine {
 public:
  // Throws kNotFound, kModel and kMemory for an archive that cannot be used on the CPU either, and
  // kConfig for other options that cannot work.
  explicit TorchEngine(const TorchOptions& options);
  ~TorchEngine() override;
  TorchEngine(const TorchEngine&) = delete;
  TorchEngine& operator=(const TorchEngine&) = delete;

  int scale() const override;
  int planes() const override;
  int condition_count() const override { return 0; }
  // One after the other: in a batch a picture would be rounded otherwise than alone.
  int preferred_batch() const override { return 1; }
  void run(std::span<const Picture> pictures, const StopFlag& stop,
           std::span<const Task> beside) override;
  // An estimate: two layers' activations at the widest, and the picture before and after.
  std::size_t workspace_bytes(int width, int height) const override;
  std::string describe() const override;
  std::vector<std::string> warnings() const override { return warnings_; }

 private:
  ThreadPool torch_thread_;
  ThreadPool beside_;
  std::unique_ptr<TorchModel> model_;
  std::vector<std::string> warnings_;
};

}  // namespace streamvsr
