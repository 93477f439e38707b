// What the machine has left for this process.
#pragma once

#include <cstddef>
#include <limits>
#include <string>

namespace streamvsr {

// What plans depend on beside the input and the configuration. A plan takes it as an argument.
struct MachineFacts {
  static constexpr std::size_t kUnknown = std::numeric_limits<std::size_t>::max();

  // Bytes that this process can still take before something is swapped, killed or refused.
  std::size_t available = kUnknown;
};

// As the kernel says now: the machine's available memory, what every control group above this
// process leaves, and the process's own limits (RLIMIT_AS, RLIMIT_DATA); the least of them.
// root: of the file tree that is read, for tests; the process's own limits count without one.
MachineFacts machine_facts(const std::string& root = "");

}  // namespace streamvsr
