// The kernel's figures of this process's memory.
#pragma once

#include <doctest/doctest.h>
#include <malloc.h>

#include <cstddef>
#include <fstream>
#include <string>

namespace streamvsr::test {

// A field of /proc/self/status, bytes.
inline std::size_t status_bytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind(field + ":", 0) == 0) return std::stoul(line.substr(field.size() + 1)) * 1024;
  FAIL("the kernel does not tell " << field);
  return 0;
}

// Purpose: measures how much resident memory is taken beyond what is taken now. Thread-safety:
// none.
class ResidentPeak {
 public:
  ResidentPeak() {
#if defined(__GLIBC__)
    ::malloc_trim(0);
#endif
    std::ofstream("/proc/self/clear_refs") << "5";  // the peak is now what is resident now
    before_ = status_bytes("VmRSS");
  }
  // Bytes, since construction.
  std::size_t bytes() const {
    const std::size_t peak = status_bytes("VmHWM");
    return peak > before_ ? peak - before_ : 0;
  }

 private:
  std::size_t before_;
};

}  // namespace streamvsr::test
