// The CPU engine: whole networks by depth-first row streaming. docs/rows-engine.md explains the
// method.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "base/stop.h"
#include "model/network.h"
#include "model/picture.h"
#include "model/thread_pool.h"

namespace streamvsr {

enum class Precision {
  kAuto,  // bf16 where the CPU multiplies it in hardware and the microkernel works, else fp32
  kBf16,  // weights and activations rounded to bfloat16, sums in float
  kFp32,
};

// Throws kConfig for anything but "auto", "bf16" and "fp32".
Precision parse_precision(const std::string& name);

struct RowsOptions {
  std::string brgemm_path;  // the microkernel library; empty: the engine's own loops
  int threads = 1;          // >= 1
  Precision precision = Precision::kAuto;
  int strip = 0;  // most columns a strip has; 0: chosen by a short measurement
};

class RowsProgram;  // a network in one type of activations, internal to rows.cpp

// Purpose: runs one network over integer planes. Thread-safety: run() and the measurements by one
// thread at a time; the rest is const. Ownership: owns its threads and buffers; pictures stay the
// caller's. Determinism: the result is a function of network, precision, CPU and picture alone: not
// of threads, of strips or of the other pictures of a call.
class RowsEngine {
 public:
  // Throws kConfig for options that cannot work.
  RowsEngine(const Network& network, const RowsOptions& options);
  ~RowsEngine();
  RowsEngine(const RowsEngine&) = delete;
  RowsEngine& operator=(const RowsEngine&) = delete;

  // Work that is not the network's, for the same threads.
  using Task = ThreadPool::Task;

  // Fills every picture's result. `beside` runs on the same threads, behind the network's tasks.
  // Throws kConfig for a picture that does not fit the network, and kStopped.
  void run(std::span<const Picture> pictures, const StopFlag& stop,
           std::span<const Task> beside = {});

  int scale() const { return scale_; }
  int planes() const { return planes_; }
  int condition_count() const { return conditions_; }
  int threads() const { return pool_->threads(); }
  // Bytes of all threads' buffers for pictures of this width.
  std::size_t workspace_bytes(int width) const;
  // For reports: "rows bf16, brgemm, AMX".
  std::string describe() const;
  // Columns of a strip for pictures of this width; measures where that is still to be done.
  int strip_columns(int width);
  // GFLOP/s of the bare matrix products of one strip's row, over and over for `seconds`, one
  // thread; padding does not count. What the engine would reach if nothing but products took time.
  double bare_gflops(int width, double seconds);

 private:
  void check(const Picture& picture) const;
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
