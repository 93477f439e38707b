// Fingerprints, by FFmpeg's implementation.
#pragma once

#include <string>

namespace streamvsr {

// SHA-256 in hexadecimal.
std::string sha256(const std::string& text);

}  // namespace streamvsr
