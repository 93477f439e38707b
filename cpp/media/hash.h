// Fingerprints, by FFmpeg's implementations.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "color/planes.h"

struct AVSHA;

namespace streamvsr {

// Purpose: SHA-256 over bytes as they come. Thread-safety: none.
class Sha256 {
 public:
  Sha256();
  void add(std::span<const std::uint8_t> bytes);
  void add(const std::string& text);
  // In hexadecimal; nothing may be added afterwards.
  std::string finish();

 private:
  struct Free {
    void operator()(AVSHA* sha) const;
  };
  std::unique_ptr<AVSHA, Free> sha_;
};

// SHA-256 in hexadecimal.
std::string sha256(const std::string& text);
// Of a whole file, or of what can stand for a large one: its size, its first and last MiB and 64
// pieces of 64 KiB spread evenly between them. Throws kIo.
std::string sha256_of_file(const std::string& path);
std::string sampled_sha256(const std::string& path);

// A picture's samples, quickly (MurmurHash3, 128 bits): tells pictures apart, not forgers.
std::string picture_hash(const Planes& planes);

}  // namespace streamvsr
