#include "base/process_memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>

#include "base/error.h"

namespace streamvsr {

namespace {

// VmHWM, bytes; 0 where there is none.
std::size_t high_water() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:"))
      return static_cast<std::size_t>(std::strtoull(line.c_str() + 6, nullptr, 10)) << 10;
  return 0;
}

}  // namespace

PeakMemory::PeakMemory() : high_water_before_(high_water()) {
  try {
    statm_ = File("/proc/self/statm", O_RDONLY);
  } catch (const Error&) {  // NOLINT: without /proc there is nothing to read
  }
  sample();
}

void PeakMemory::sample() {
  if (statm_.descriptor() < 0) return;
  std::array<std::uint8_t, 128> text{};
  const ssize_t got = ::pread(statm_.descriptor(), text.data(), text.size() - 1, 0);
  if (got <= 0) return;
  // "size resident shared ...", pages.
  char* rest = nullptr;
  std::strtoull(reinterpret_cast<const char*>(text.data()), &rest, 10);
  const auto pages = static_cast<std::size_t>(std::strtoull(rest, nullptr, 10));
  sampled_ = std::max(sampled_, pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)));
}

std::size_t PeakMemory::bytes() {
  sample();
  const std::size_t now = high_water();
  return now > high_water_before_ ? now : sampled_;
}

}  // namespace streamvsr
