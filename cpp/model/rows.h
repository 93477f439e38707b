// The CPU engine: whole networks by depth-first row streaming. docs/rows-engine.md explains the
// method.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>

#include "model/engine.h"
#include "model/network.h"

namespace streamvsr {

struct RowsOptions {
  std::string brgemm_path;  // the microkernel library; empty: the engine's own loops
  int threads = 1;          // >= 1
  // kAuto: the faster of bf16 and fp32 on this processor (numeric_type.h). kBf16 sums in float.
  // This engine does not compute in kFp16.
  Precision precision = Precision::kAuto;
  int strip = 0;           // most columns a strip has; 0: chosen by a short measurement
  std::string type_cache;  // folder that remembers measurements for kAuto; empty: none
};

class RowsProgram;  // a network in one type of activations, internal to rows.cpp

// Purpose: an Engine on the CPU. Thread-safety: run() and the measurements by one thread at a time;
// the rest is const. Ownership: as Engine. Determinism: the result is a function of network,
// precision, CPU and picture alone: not of threads, of strips or of the other pictures of a call.
class RowsEngine final : public Engine {
 public:
  // Throws kConfig for options that cannot work.
  RowsEngine(const Network& network, const RowsOptions& options);
  ~RowsEngine() override;
  RowsEngine(const RowsEngine&) = delete;
  RowsEngine& operator=(const RowsEngine&) = delete;

  // `beside` runs on the same threads, behind the network's tasks.
  void run(std::span<const Picture> pictures, const StopFlag& stop,
           std::span<const Task> beside = {}) override;

  int scale() const override { return scale_; }
  int planes() const override { return planes_; }
  double flop_per_pixel() const override { return flops_per_pixel_; }
  int condition_count() const override { return conditions_; }
  int preferred_batch() const override { return pool_->threads(); }
  // Bytes of all threads' buffers for pictures of this width.
  std::size_t workspace_bytes(int width) const;
  std::size_t workspace_bytes(int width, int) const override { return workspace_bytes(width); }
  // "rows bf16, brgemm, AMX".
  std::string describe() const override;
  // The type it computes in, kAuto resolved: kBf16 or kFp32.
  Precision precision() const override;
  // Columns of a strip for pictures of this width; measures where that is still to be done.
  int strip_columns(int width);
  // GFLOP/s of the bare matrix products of one strip's row, over and over for `seconds`, one
  // thread; padding does not count. What the engine would reach if nothing but products took time.
  double bare_gflops(int width, double seconds);

 private:
  int strip_parts(int width);  // into how many strips a picture of this width is cut
  int measure_parts(int width);

  int scale_;
  int planes_;
  int conditions_;
  int strip_;
  double flops_per_pixel_;
  std::unique_ptr<RowsProgram> program_;
  std::map<int, int> parts_;          // by width: into how many strips a picture is cut
  std::unique_ptr<ThreadPool> pool_;  // last, so that threads end before what they use
};

}  // namespace streamvsr
