#include "model/torch/torch_failure.h"

#include <algorithm>

namespace streamvsr {

namespace {

// The line that says what went wrong. The interpreter of TorchScript puts it last, behind a
// traceback; everything else puts it first.
std::string one_line(const std::string& text) {
  std::string first;
  std::string named;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    if (first.empty()) first = line;
    const std::size_t colon = line.find("Error: ");
    if (colon != std::string::npos && line.find(' ') == colon + 6) named = line.substr(colon + 7);
    at = end + 1;
  }
  const bool interpreted = first.find("TorchScript interpreter") != std::string::npos;
  return interpreted && !named.empty() ? named : first;
}

// The interpreter rethrows failures as text alone.
bool tells_of_memory(const std::string& text) {
  return text.find("out of memory") != std::string::npos ||
         text.find("can't allocate memory") != std::string::npos;
}

}  // namespace

std::string& last_failure() noexcept {
  thread_local std::string text;  // NOLINT: the C boundary hands it out
  return text;
}

int failed(const int status, const char* text) noexcept {
  try {
    last_failure() = one_line(text);
    return status == STREAMVSR_TORCH_FAILED && tells_of_memory(text) ? STREAMVSR_TORCH_MEMORY
                                                                     : status;
  } catch (...) {
    last_failure().clear();
  }
  return status;
}

}  // namespace streamvsr
