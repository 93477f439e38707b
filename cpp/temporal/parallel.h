// Work in pieces, for whatever threads the caller has.
#pragma once

#include <functional>

namespace streamvsr {

// Calls piece(0) .. piece(count - 1) in any order, on any threads, and returns when all are done.
// The pieces touch nothing in common, so the result does not depend on how they are run.
using Parallel = std::function<void(int count, const std::function<void(int)>& piece)>;

// One after the other on the caller's thread.
inline void in_turn(const int count, const std::function<void(int)>& piece) {
  for (int i = 0; i < count; ++i) piece(i);
}

}  // namespace streamvsr
