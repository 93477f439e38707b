// EBML (RFC 8794), as much of it as completing a Matroska file and looking into one takes: heads of
// elements read from a file, elements put together in memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace streamvsr::ebml {

using Bytes = std::vector<std::uint8_t>;

inline constexpr std::uint32_t kVoid = 0xEC;
inline constexpr std::uint32_t kCrc32 = 0xBF;
inline constexpr std::size_t kCrc32Element = 6;  // its bytes, head and all

// An element of a file: its head lies in [at, payload), its content in [payload, end).
struct Element {
  std::uint32_t id = 0;
  std::int64_t at = 0, payload = 0, end = 0;
};

// A number that says its own length.
struct Number {
  std::uint64_t value = 0;
  std::size_t length = 0;
};
// None when the bytes end before it does.
std::optional<Number> read_number(std::span<const std::uint8_t> bytes);

// Purpose: looks at a file's element heads and short contents, through a window of one page, so
// that what is skipped is not read. Thread-safety: none. Ownership: the File outlives this, and
// does not change meanwhile.
class Reader {
 public:
  static constexpr std::size_t kWindow = 4096;

  explicit Reader(const File& file) : file_(file) {}

  // The element at a place; none where no whole one of known size lies before `limit`.
  std::optional<Element> find(std::int64_t at, std::int64_t limit);
  // The element that begins at a place, whole or not: one of unknown size, or that reaches beyond
  // `limit`, ends there. None where no head lies before it.
  std::optional<Element> begin(std::int64_t at, std::int64_t limit);
  // As find(); throws kInternal where there is none.
  Element element(std::int64_t at, std::int64_t limit);
  // The number in an element; throws kInternal when it is too long for one.
  std::uint64_t uint(const Element& element);
  // Throws kInternal: the file does not hold what it must.
  [[noreturn]] void misfit(std::int64_t at, std::string_view what) const;
  // Up to `size` bytes (at most kWindow), fewer at the file's end; they stay until the next call.
  std::span<const std::uint8_t> bytes(std::int64_t at, std::size_t size);

 private:
  const File& file_;
  std::array<std::uint8_t, kWindow> window_{};
  std::int64_t window_at_ = 0;
  std::size_t window_size_ = 0;
};

// The size of a content on `width` bytes, or on as few as hold it.
void put_size(Bytes& out, std::uint64_t size, int width = 0);
void put_id(Bytes& out, std::uint32_t id);
void put_element(Bytes& out, std::uint32_t id, std::span<const std::uint8_t> content);
void put_string(Bytes& out, std::uint32_t id, std::string_view text);
void put_uint(Bytes& out, std::uint32_t id, std::uint64_t value);
void put_float(Bytes& out, std::uint32_t id, double value);
// Fills `total` bytes (at least 2) that mean nothing; a size of 8 bytes where there is room.
void put_void(Bytes& out, std::size_t total);
// The checksum that comes first in a master element and covers the rest of it.
void put_crc32(Bytes& out, std::span<const std::uint8_t> rest);
// A master element with its checksum.
void put_sealed(Bytes& out, std::uint32_t id, std::span<const std::uint8_t> content);

}  // namespace streamvsr::ebml
