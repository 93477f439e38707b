#include "model/thread_pool.h"

#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace streamvsr {

namespace {

// A thread inherits its creator's mode, and Python programs do turn on flushing of denormals;
// results must not depend on it.
void set_default_float_mode() {
#if defined(__x86_64__)
  _mm_setcsr(0x1f80);
#endif
}

}  // namespace

ThreadPool::ThreadPool(const int threads) {
  try {
    for (int i = 0; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
  } catch (...) {
    shut_down();
    throw;
  }
}

ThreadPool::~ThreadPool() { shut_down(); }

void ThreadPool::shut_down() {
  {
    const Lock lock(mutex_);
    closing_ = true;
    wake_.notify_all();
  }
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(const std::span<const Task> tasks) {
  const Lock lock(mutex_);
  tasks_ = tasks;
  next_ = 0;
  wake_.notify_all();
  while (next_ < tasks_.size() || running_ > 0) done_.wait(mutex_);
  tasks_ = {};
  next_ = 0;
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void ThreadPool::work(const int worker) {
  set_default_float_mode();
  mutex_.lock();
  while (true) {
    while (!closing_ && next_ >= tasks_.size()) wake_.wait(mutex_);
    if (closing_) break;
    const Task& task = tasks_[next_++];
    ++running_;
    mutex_.unlock();
    std::exception_ptr failure;
    try {
      task(worker);
    } catch (...) {
      failure = std::current_exception();
    }
    mutex_.lock();
    --running_;
    if (failure) {
      if (!failure_) failure_ = failure;
      next_ = tasks_.size();
    }
    if (next_ >= tasks_.size() && running_ == 0) done_.notify_all();
  }
  mutex_.unlock();
}

}  // namespace streamvsr
