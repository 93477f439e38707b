// What the process may use of the machine.
#pragma once

#include <cstdint>

namespace streamvsr {

// Processors this process may run on (its affinity mask); >= 1.
int usable_cores();

// Purpose: while it lives, the calling thread cannot make threads real-time ones, even as root: it
// lacks the right to (CAP_SYS_NICE, which Linux keeps by thread). For libraries that would, and by
// that keep all else on the machine waiting for as long as they have work. Thread-safety: made and
// destroyed by one thread, one inside the other at most.
class NoRealTime {
 public:
  NoRealTime();
  ~NoRealTime();
  NoRealTime(const NoRealTime&) = delete;
  NoRealTime& operator=(const NoRealTime&) = delete;

 private:
  std::uint32_t effective_ = 0;  // rights, the first 32 of them
  bool changed_ = false;
};

}  // namespace streamvsr
