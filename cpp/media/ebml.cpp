#include "media/ebml.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <string>

#include "base/error.h"

namespace streamvsr::ebml {

namespace {

constexpr std::size_t kMostId = 4;
constexpr std::size_t kMostSize = 8;

// All data bits set: the size is not known.
constexpr std::uint64_t unknown_size(const std::size_t width) {
  return (std::uint64_t{1} << (7 * width)) - 1;
}

constexpr std::array<std::uint32_t, 256> crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t rest = i;
    for (int bit = 0; bit < 8; ++bit) rest = (rest >> 1) ^ ((rest & 1) != 0 ? 0xEDB88320U : 0U);
    table[i] = rest;
  }
  return table;
}

std::uint32_t crc32(const std::span<const std::uint8_t> bytes) {
  static constexpr std::array<std::uint32_t, 256> kTable = crc_table();
  std::uint32_t crc = ~0U;
  for (const std::uint8_t byte : bytes) crc = (crc >> 8) ^ kTable[(crc ^ byte) & 0xFF];
  return ~crc;
}

void put_big_endian(Bytes& out, const std::uint64_t value, const int width) {
  for (int i = width - 1; i >= 0; --i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

int bytes_of(const std::uint64_t value) {
  return (static_cast<int>(std::bit_width(value | 1)) + 7) / 8;
}

}  // namespace

std::optional<Number> read_number(const std::span<const std::uint8_t> bytes) {
  if (bytes.empty() || bytes[0] == 0) return std::nullopt;
  const auto length = static_cast<std::size_t>(std::countl_zero(bytes[0])) + 1;
  if (bytes.size() < length) return std::nullopt;
  std::uint64_t value = bytes[0] & (0xFFU >> length);
  for (std::size_t i = 1; i < length; ++i) value = value << 8 | bytes[i];
  return Number{value, length};
}

std::span<const std::uint8_t> Reader::bytes(const std::int64_t at, const std::size_t size) {
  const std::int64_t behind = window_at_ + static_cast<std::int64_t>(window_size_);
  if (at < window_at_ || at + static_cast<std::int64_t>(size) > behind) {
    window_size_ = file_.read_at(window_, at);
    window_at_ = at;
  }
  const auto skipped = static_cast<std::size_t>(at - window_at_);
  return std::span(window_).subspan(skipped, std::min(size, window_size_ - skipped));
}

std::optional<Element> Reader::begin(const std::int64_t at, const std::int64_t limit) {
  const std::span<const std::uint8_t> head = bytes(at, kMostId + kMostSize);
  const std::optional<Number> id = read_number(head);
  if (!id || id->length > kMostId) return std::nullopt;
  const std::optional<Number> size = read_number(head.subspan(id->length));
  if (!size) return std::nullopt;
  Element element;
  // An element's id is written with the bit that marks its length.
  element.id = static_cast<std::uint32_t>(id->value | std::uint64_t{1} << (7 * id->length));
  element.at = at;
  element.payload = at + static_cast<std::int64_t>(id->length + size->length);
  if (element.payload > limit) return std::nullopt;
  element.end = size->value == unknown_size(size->length)
                    ? limit
                    : std::min(limit, element.payload + static_cast<std::int64_t>(size->value));
  return element;
}

std::optional<Element> Reader::find(const std::int64_t at, const std::int64_t limit) {
  const std::optional<Element> element = begin(at, std::numeric_limits<std::int64_t>::max());
  return element && element->end <= limit ? element : std::nullopt;
}

Element Reader::element(const std::int64_t at, const std::int64_t limit) {
  const std::optional<Element> found = find(at, limit);
  if (!found) misfit(at, "no whole element");
  return *found;
}

std::uint64_t Reader::uint(const Element& element) {
  const std::int64_t size = element.end - element.payload;
  if (size > static_cast<std::int64_t>(sizeof(std::uint64_t))) misfit(element.at, "no number");
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes(element.payload, static_cast<std::size_t>(size)))
    value = value << 8 | byte;
  return value;
}

void Reader::misfit(const std::int64_t at, const std::string_view what) const {
  throw Error(ErrorKind::kInternal,
              "'" + file_.path() + "' cannot be completed: " + std::string(what) + " at byte " +
                  std::to_string(at),
              file_.path());
}

void put_size(Bytes& out, const std::uint64_t size, int width) {
  if (width == 0)
    for (width = 1; size >= unknown_size(static_cast<std::size_t>(width));) ++width;
  put_big_endian(out, size | std::uint64_t{1} << (7 * width), width);
}

void put_id(Bytes& out, const std::uint32_t id) { put_big_endian(out, id, bytes_of(id)); }

void put_element(Bytes& out, const std::uint32_t id, const std::span<const std::uint8_t> content) {
  put_id(out, id);
  put_size(out, content.size());
  out.insert(out.end(), content.begin(), content.end());
}

void put_string(Bytes& out, const std::uint32_t id, const std::string_view text) {
  put_element(out, id, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

void put_uint(Bytes& out, const std::uint32_t id, const std::uint64_t value) {
  const int width = bytes_of(value);
  put_id(out, id);
  put_size(out, static_cast<std::uint64_t>(width));
  put_big_endian(out, value, width);
}

void put_float(Bytes& out, const std::uint32_t id, const double value) {
  put_id(out, id);
  put_size(out, sizeof(value));
  put_big_endian(out, std::bit_cast<std::uint64_t>(value), sizeof(value));
}

void put_void(Bytes& out, const std::size_t total) {
  const bool wide = total >= 2 + kMostSize;
  const std::size_t content = total - (wide ? 1 + kMostSize : 2);
  put_id(out, kVoid);
  put_size(out, content, wide ? static_cast<int>(kMostSize) : 1);
  out.resize(out.size() + content);
}

void put_crc32(Bytes& out, const std::span<const std::uint8_t> rest) {
  const std::uint32_t crc = crc32(rest);
  std::array<std::uint8_t, 4> little_endian{};
  for (std::size_t i = 0; i < little_endian.size(); ++i)
    little_endian[i] = static_cast<std::uint8_t>(crc >> (8 * i));
  put_element(out, kCrc32, little_endian);
}

void put_sealed(Bytes& out, const std::uint32_t id, const std::span<const std::uint8_t> content) {
  put_id(out, id);
  put_size(out, kCrc32Element + content.size());
  put_crc32(out, content);
  out.insert(out.end(), content.begin(), content.end());
}

}  // namespace streamvsr::ebml
