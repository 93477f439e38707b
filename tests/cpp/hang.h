// A suite that hangs says where: the stack of each of its threads, before ctest ends it.
#pragma once

#include <thread>

namespace streamvsr {

// A thread that waits for the suite to take longer than any does (300 s, or as many as the
// environment's STREAMVSR_HANG_SECONDS says); then writes the stacks of all threads to stderr,
// once, and changes nothing else. To be kept while the suite runs.
std::jthread watch_for_hang();

}  // namespace streamvsr
