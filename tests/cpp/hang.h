// A suite that hangs says where: the stack of each of its threads, before ctest ends it.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

namespace streamvsr {

// Purpose: while it lives, waits for a suite to take longer than any does; then writes the stacks
// of all threads to stderr, once, and changes nothing else.
class HangWatch {
 public:
  HangWatch();
  ~HangWatch();
  HangWatch(const HangWatch&) = delete;
  HangWatch& operator=(const HangWatch&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace streamvsr
