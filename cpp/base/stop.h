// Asking a run to end: a flag every stage looks at between frames and tiles.
#pragma once

#include <atomic>

#include "base/error.h"

namespace streamvsr {

// Thread-safety: every call may come from any thread (request also from a signal handler).
class StopFlag {
 public:
  void request() noexcept { requested_.store(true, std::memory_order_release); }
  bool requested() const noexcept { return requested_.load(std::memory_order_acquire); }
  // Throws kStopped once a stop was requested.
  void check() const {
    if (requested()) throw Error(ErrorKind::kStopped, "stopped before the end was reached");
  }

 private:
  std::atomic<bool> requested_{false};
};

}  // namespace streamvsr
