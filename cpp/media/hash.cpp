#include "media/hash.h"

extern "C" {
#include <libavutil/mem.h>
#include <libavutil/sha.h>
}

#include <array>
#include <cstdint>
#include <memory>
#include <new>

namespace streamvsr {

std::string sha256(const std::string& text) {
  struct Free {
    void operator()(AVSHA* p) const { av_free(p); }
  };
  const std::unique_ptr<AVSHA, Free> sha(av_sha_alloc());
  if (!sha) throw std::bad_alloc();
  std::array<std::uint8_t, 32> digest{};
  av_sha_init(sha.get(), 256);
  av_sha_update(sha.get(), reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  av_sha_final(sha.get(), digest.data());
  std::string hex;
  constexpr char kDigits[] = "0123456789abcdef";
  for (const std::uint8_t byte : digest) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

}  // namespace streamvsr
