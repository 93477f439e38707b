// How much memory this process holds, by the kernel's count.
#pragma once

#include <cstddef>

#include "base/file.h"

namespace streamvsr {

// Purpose: the most resident memory of this process since this was made. Thread-safety: none.
//
// Note [peak memory]: ru_maxrss survives exec, so that a small child reports its large parent.
// VmHWM belongs to the program itself. It covers the whole life of the process, though. Resetting
// it (/proc/self/clear_refs) would change what other code of the process reads. So: where VmHWM
// rose meanwhile, it is the answer, to the page. Else the peak was no higher than one before, and
// the samples taken meanwhile are the answer.
class PeakMemory {
 public:
  PeakMemory();
  // Takes a sample; a few microseconds.
  void sample();
  // Bytes; takes a sample, too. 0 where the kernel tells nothing.
  std::size_t bytes();

 private:
  File statm_;  // /proc/self/statm
  std::size_t high_water_before_ = 0;
  std::size_t sampled_ = 0;
};

}  // namespace streamvsr
