#include "model/thread_pool.h"

#include <algorithm>
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

// Moves the calling thread to a processor, and leaves the scheduler free to move it on.
void move_to(const int cpu, const cpu_set_t& allowed) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  if (sched_setaffinity(0, sizeof one, &one) == 0) sched_setaffinity(0, sizeof allowed, &allowed);
}

}  // namespace

ThreadPool::ThreadPool(const int threads) : cpu_(static_cast<std::size_t>(threads), kIdle) {
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

// A woken thread may find itself on its waker's processor together with the other workers, and
// where other programs run too, kernels were seen to leave them there, sharing one processor for
// seconds on end. So a worker that begins a task where another one is at work goes to a processor
// without one.
int ThreadPool::choose_cpu(const int worker, const cpu_set_t& allowed) {
  const int here = sched_getcpu();
  cpu_[static_cast<std::size_t>(worker)] = here;
  if (std::count(cpu_.begin(), cpu_.end(), here) < 2) return kIdle;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    if (std::find(cpu_.begin(), cpu_.end(), cpu) != cpu_.end()) continue;
    cpu_[static_cast<std::size_t>(worker)] = cpu;
    return cpu;
  }
  return kIdle;
}

void ThreadPool::work(const int worker) {
  set_default_float_mode();
  mutex_.lock();
  while (true) {
    while (!closing_ && next_ >= tasks_.size()) wake_.wait(mutex_);
    if (closing_) break;
    const Task& task = tasks_[next_++];
    ++running_;
    cpu_set_t allowed;
    const bool known = sched_getaffinity(0, sizeof allowed, &allowed) == 0;
    const int cpu = known ? choose_cpu(worker, allowed) : kIdle;
    mutex_.unlock();
    if (cpu != kIdle) move_to(cpu, allowed);
    std::exception_ptr failure;
    try {
      task(worker);
    } catch (...) {
      failure = std::current_exception();
    }
    mutex_.lock();
    --running_;
    cpu_[static_cast<std::size_t>(worker)] = kIdle;
    if (failure) {
      if (!failure_) failure_ = failure;
      next_ = tasks_.size();
    }
    if (next_ >= tasks_.size() && running_ == 0) done_.notify_all();
  }
  mutex_.unlock();
}

}  // namespace streamvsr
