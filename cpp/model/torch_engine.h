// The engine for TorchScript archives, on any device that libtorch knows: docs/torch-engine.md.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/device_engine.h"
#include "model/network.h"

namespace streamvsr {

// A network that is a function of the caller's: see streamvsr_torch_call in torch/torch_table.h.
struct TensorCall {
  int (*call)(void* user, void* input, void** output, char* why, std::uint64_t why_bytes) = nullptr;
  std::shared_ptr<void> user;
};

// The network is a function, else a layer list, else an archive in memory, else one in a file.
struct TorchOptions {
  TensorCall function;
  std::shared_ptr<const Network> network;
  std::shared_ptr<const std::string> archive;
  std::string archive_path;     // of the file; else what people call the network
  std::string library_path;     // of _torch.so; empty: there is none
  std::string device = "auto";  // an accelerator where there is one, else the CPU; or torch's name
  int threads = 1;              // >= 1: of libtorch's operators, and for the work beside
  Precision precision = Precision::kAuto;              // kAuto: fp32 on the CPU, fp16 elsewhere
  std::size_t memory_limit = std::size_t{6144} << 20;  // bytes on the device, weights included
  Colors colors = Colors::kAuto;
  FlowBy flow_by = FlowBy::kAuto;
};

// True for a file that by its name is a TorchScript archive: .pt or .ts.
bool is_torch_archive(const std::string& path);

class TorchModel;  // an archive on its device, see torch_library.h

// Purpose: a DeviceEngine behind the table of torch/torch_table.h. Thread-safety, ownership and
// determinism: as DeviceEngine. libtorch is used by one thread of the engine's own, which lives as
// long as the engine. Where the device is not there, or the network does not run on it, the engine
// is on the CPU and warnings() says so.
class TorchEngine final : public DeviceEngine {
 public:
  // Throws kNotFound, kModel and kMemory for an archive that cannot be used on the CPU either, and
  // kConfig for other options that cannot work.
  explicit TorchEngine(const TorchOptions& options);
  ~TorchEngine() override;
  TorchEngine(const TorchEngine&) = delete;
  TorchEngine& operator=(const TorchEngine&) = delete;

  int scale() const override;
  int planes() const override;
  // Of a layer list its own. Of an archive two a weight, as for convolutions at the source's size.
  // Where there is no weight to count (functions): kAssumedFlop.
  double flop_per_pixel() const override;
  // That of a network of 16 convolutions of 64 channels, such as SRVGGNetCompact.
  static constexpr double kAssumedFlop = 1.2e6;
  int condition_count() const override;
  bool recolours() const override;
  bool finds_flow() const override;
  void find_flow(const streamvsr_torch_flow& flow) override;
  std::size_t flow_bytes(int width, int height) const override;
  // One after the other: in a batch a picture may be rounded otherwise than alone.
  int preferred_batch() const override { return 1; }
  // Each picture whole.
  void run(std::span<const Picture> pictures, const StopFlag& stop,
           std::span<const Task> beside) override;
  // An estimate: two layers' activations at the widest, and the picture before and after.
  std::size_t workspace_bytes(int width, int height) const override;
  std::string device() const override;
  std::string describe() const override;
  std::vector<std::string> warnings() const override { return warnings_; }

  void run_pieces(std::span<const PiecePicture> pieces) override;
  CutRules cut_rules() override;
  DeviceMemory memory() const override;
  std::size_t take_peak() override;
  bool on_cpu() const override;
  std::optional<std::int64_t> alike_above() const override;
  std::string fingerprint() const override;
  // Makes the nth allocation from now on fail on the CPU; 0: none. For tests.
  void fail_allocation(std::int64_t nth);

 private:
  // Runs a call on the thread that libtorch is used by.
  void on_torch_thread(const std::function<void()>& call);

  ThreadPool torch_thread_;
  ThreadPool beside_;
  std::unique_ptr<TorchModel> model_;
  std::vector<std::string> warnings_;
  std::string fingerprint_;
  double flop_per_pixel_ = 0.0;  // of a layer list
  Colors colors_;
  FlowBy flow_by_;
};

}  // namespace streamvsr
