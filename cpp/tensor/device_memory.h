// What is held on the device a network runs on. Free of torch, for whoever shows or plans with it.
#pragma once

#include <cstddef>

namespace streamvsr {

// Bytes. Thread-safe by being a value.
struct DeviceMemory {
  std::size_t limit = 0;    // never passed; 0: nothing is counted
  std::size_t reserve = 0;  // part of the limit left to the device's context and libraries
  std::size_t held = 0;     // now, the reserve included
  std::size_t peak = 0;     // most at any time, the reserve included
};

// What a run did with a device. Thread-safe by being a value.
struct DeviceUse {
  DeviceMemory memory;
  int retries = 0;  // pictures begun again with less at a time because memory ran out
};

}  // namespace streamvsr
