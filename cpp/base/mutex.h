// std::mutex with the annotations that clang's -Wthread-safety checks; elsewhere they vanish.
#pragma once

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define SV_THREAD(x) __attribute__((x))
#else
#define SV_THREAD(x)
#endif
#define GUARDED_BY(m) SV_THREAD(guarded_by(m))
#define REQUIRES(m) SV_THREAD(requires_capability(m))

namespace streamvsr {

class SV_THREAD(capability("mutex")) Mutex {
 public:
  void lock() SV_THREAD(acquire_capability()) { mutex_.lock(); }
  void unlock() SV_THREAD(release_capability()) { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

// Holds a Mutex for a scope. Waiting goes through Condition, so the analysis sees it held
// throughout.
class SV_THREAD(scoped_lockable) Lock {
 public:
  explicit Lock(Mutex& mutex) SV_THREAD(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~Lock() SV_THREAD(release_capability()) { mutex_.unlock(); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  Mutex& mutex_;
};

// A condition variable over Mutex. Wait in a loop on the condition itself: wake-ups may be
// spurious.
class Condition {
 public:
  void wait(Mutex& mutex) REQUIRES(mutex) { condition_.wait(mutex); }
  template <class Duration>
  void wait_for(Mutex& mutex, Duration duration) REQUIRES(mutex) {
    condition_.wait_for(mutex, duration);
  }
  void notify_all() { condition_.notify_all(); }
  void notify_one() { condition_.notify_one(); }

 private:
  std::condition_variable_any condition_;
};

}  // namespace streamvsr
