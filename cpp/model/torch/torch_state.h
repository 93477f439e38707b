// The state of libtorch under which a result depends on its picture alone.
#pragma once

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include <mutex>

namespace streamvsr {

// Purpose: cuDNN neither measures nor uses algorithms that add up by chance, from the first of the
// calls that are under way to the last. Thread-safety: any thread; the choices are the process's.
class FixedCudnn {
 public:
  FixedCudnn() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (users_++ > 0) return;
    benchmark_ = at::globalContext().benchmarkCuDNN();
    deterministic_ = at::globalContext().deterministicCuDNN();
    at::globalContext().setBenchmarkCuDNN(false);
    at::globalContext().setDeterministicCuDNN(true);
  }
  ~FixedCudnn() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--users_ > 0) return;
    at::globalContext().setBenchmarkCuDNN(benchmark_);
    at::globalContext().setDeterministicCuDNN(deterministic_);
  }
  FixedCudnn(const FixedCudnn&) = delete;
  FixedCudnn& operator=(const FixedCudnn&) = delete;

 private:
  static inline std::mutex mutex_;
  static inline int users_ = 0;               // guarded by mutex_, and so the next two
  static inline bool benchmark_ = false;      // as the process had it
  static inline bool deterministic_ = false;  // as the process had it
};

// Purpose: the state of libtorch under which a picture's result depends on the picture alone; what
// the process had set comes back at the end. Thread-safety: one object a thread. libtorch keeps the
// number of threads for each thread, and takes the last one set for threads that are new to it.
class Reproducible {
 public:
  explicit Reproducible(const int threads) : threads_(at::get_num_threads()) {
    if (threads != threads_) at::set_num_threads(threads);
  }
  ~Reproducible() {
    try {
      if (at::get_num_threads() != threads_) at::set_num_threads(threads_);
    } catch (...) {  // NOLINT: it took the number before
    }
  }
  Reproducible(const Reproducible&) = delete;
  Reproducible& operator=(const Reproducible&) = delete;

 private:
  int threads_;
  FixedCudnn fixed_cudnn_;
  at::NoTF32Guard no_tf32_;  // fp32 means fp32
  // The optimiser watches the first pictures and compiles for the later ones: these would be
  // rounded otherwise than the first, and a resumed job otherwise than an uninterrupted one.
  torch::jit::GraphOptimizerEnabledGuard no_optimiser_{false};
};

}  // namespace streamvsr
