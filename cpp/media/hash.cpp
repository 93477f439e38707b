#include "media/hash.h"

extern "C" {
#include <libavutil/mem.h>
#include <libavutil/murmur3.h>
#include <libavutil/sha.h>
}

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <new>
#include <vector>

#include "base/file.h"

namespace streamvsr {

namespace {

constexpr std::int64_t kPiece = 64 << 10;  // bytes
constexpr std::int64_t kEnds = 1 << 20;    // bytes hashed of each end of a large file
constexpr int kPieces = 64;

std::string hexadecimal(const std::span<const std::uint8_t> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

void add_range(Sha256& hash, const File& file, std::int64_t from, const std::int64_t to) {
  std::vector<std::uint8_t> piece(static_cast<std::size_t>(kPiece));
  while (from < to) {
    const auto wanted = static_cast<std::size_t>(std::min(kPiece, to - from));
    const std::size_t got = file.read_at(std::span(piece).first(wanted), from);
    hash.add(std::span(piece).first(got));
    if (got < wanted) return;
    from += static_cast<std::int64_t>(got);
  }
}

}  // namespace

void Sha256::Free::operator()(AVSHA* const sha) const { av_free(sha); }

Sha256::Sha256() : sha_(av_sha_alloc()) {
  if (!sha_) throw std::bad_alloc();
  av_sha_init(sha_.get(), 256);
}

void Sha256::add(const std::span<const std::uint8_t> bytes) {
  av_sha_update(sha_.get(), bytes.data(), bytes.size());
}

void Sha256::add(const std::string& text) {
  add({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

std::string Sha256::finish() {
  std::array<std::uint8_t, 32> digest{};
  av_sha_final(sha_.get(), digest.data());
  return hexadecimal(digest);
}

std::string sha256(const std::string& text) {
  Sha256 hash;
  hash.add(text);
  return hash.finish();
}

std::string sha256_of_file(const std::string& path) {
  const File file(path, O_RDONLY);
  Sha256 hash;
  add_range(hash, file, 0, file.size());
  return hash.finish();
}

std::string sampled_sha256(const std::string& path) {
  const File file(path, O_RDONLY);
  const std::int64_t size = file.size();
  Sha256 hash;
  hash.add(std::to_string(size) + ":");
  if (size <= 2 * kEnds + kPieces * kPiece) {
    add_range(hash, file, 0, size);
    return hash.finish();
  }
  add_range(hash, file, 0, kEnds);
  for (int i = 0; i < kPieces; ++i) {
    const std::int64_t at = kEnds + (size - 2 * kEnds - kPiece) / kPieces * i;
    add_range(hash, file, at, at + kPiece);
  }
  add_range(hash, file, size - kEnds, size);
  return hash.finish();
}

std::string picture_hash(const Planes& planes) {
  struct Free {
    void operator()(AVMurMur3* hash) const { av_free(hash); }
  };
  const std::unique_ptr<AVMurMur3, Free> hash(av_murmur3_alloc());
  if (!hash) throw std::bad_alloc();
  av_murmur3_init(hash.get());
  const PlaneFormat& format = planes.format();
  for (int p = 0; p < format.plane_count; ++p) {
    const std::size_t row =
        static_cast<std::size_t>(format.plane_width(p)) * format.bytes_per_sample();
    for (int y = 0; y < format.plane_height(p); ++y)
      av_murmur3_update(hash.get(),
                        static_cast<const std::uint8_t*>(planes.data(p)) +
                            static_cast<std::ptrdiff_t>(y) * planes.stride(p),
                        row);
  }
  std::array<std::uint8_t, 16> digest{};
  av_murmur3_final(hash.get(), digest.data());
  return hexadecimal(digest);
}

}  // namespace streamvsr
