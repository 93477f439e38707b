// The threads an engine computes on.
#pragma once

#include <sched.h>

#include <cstddef>
#include <exception>
#include <functional>
#include <span>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace streamvsr {

// Purpose: runs the tasks of one call on a fixed set of threads. All work happens on them, never on
// the caller's thread, whose floating-point mode and thread-local caches are not ours.
// Thread-safety: run() by one thread at a time. Ownership: the destructor joins the threads;
// nothing outlives it.
class ThreadPool {
 public:
  // A task learns which worker runs it: 0 .. threads() - 1, so that each may have buffers of its
  // own.
  using Task = std::function<void(int worker)>;

  // threads: >= 1.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()); }

  // Starts the tasks in order, each on the next free worker, and waits for all. After a failure no
  // more are started; the first failure is rethrown here.
  void run(std::span<const Task> tasks);

 private:
  void work(int worker);
  void shut_down();
  // Where a worker that takes a task should go; kIdle: it may stay.
  int choose_cpu(int worker, const cpu_set_t& allowed) REQUIRES(mutex_);

  static constexpr int kIdle = -1;

  Mutex mutex_;
  Condition wake_;
  Condition done_;
  std::span<const Task> tasks_ GUARDED_BY(mutex_);
  std::size_t next_ GUARDED_BY(mutex_) = 0;
  std::size_t running_ GUARDED_BY(mutex_) = 0;
  bool closing_ GUARDED_BY(mutex_) = false;
  std::exception_ptr failure_ GUARDED_BY(mutex_);
  std::vector<int> cpu_ GUARDED_BY(mutex_);  // each worker's processor while it works, else kIdle
  std::vector<std::thread> workers_;
};

}  // namespace streamvsr
