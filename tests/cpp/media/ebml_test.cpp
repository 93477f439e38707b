#include "media/ebml.h"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "clip.h"

using namespace streamvsr;
using namespace streamvsr::test;
using ebml::Bytes;

TEST_CASE("elements are written on the fewest bytes, and read back") {
  const TemporaryFolder folder;
  // A size of ones alone means that it is not known: such a one takes a byte more.
  const std::vector<std::pair<std::size_t, std::size_t>> sizes = {
      {0, 1}, {126, 1}, {127, 2}, {128, 2}, {16382, 2}, {16383, 3}, {2097150, 3}, {2097151, 4}};
  for (const auto& [size, width] : sizes) {
    Bytes bytes;
    ebml::put_element(bytes, 0x4DBB, Bytes(size, 1));
    CHECK(bytes.size() == 2 + width + size);
    File file(folder / "e", O_CREAT | O_TRUNC | O_RDWR);
    file.write_at(bytes, 0);
    ebml::Reader reader(file);
    const auto element = reader.find(0, file.size());
    REQUIRE(element.has_value());
    CHECK(element->id == 0x4DBB);
    CHECK(element->payload == static_cast<std::int64_t>(2 + width));
    CHECK(element->end == file.size());
    CHECK_FALSE(reader.find(0, file.size() - 1).has_value());
  }
}

TEST_CASE("numbers keep all their bits") {
  const TemporaryFolder folder;
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{255}, std::uint64_t{256}, std::uint64_t{1} << 32,
        std::numeric_limits<std::uint64_t>::max()}) {
    Bytes bytes;
    ebml::put_uint(bytes, 0xE7, value);
    File file(folder / "n", O_CREAT | O_TRUNC | O_RDWR);
    file.write_at(bytes, 0);
    ebml::Reader reader(file);
    CHECK(reader.uint(reader.element(0, file.size())) == value);
  }
  Bytes text;
  ebml::put_string(text, 0xE7, "nine char");
  File file(folder / "n", O_CREAT | O_TRUNC | O_RDWR);
  file.write_at(text, 0);
  ebml::Reader reader(file);
  CHECK_THROWS_AS(reader.uint(reader.element(0, file.size())), Error);
}

TEST_CASE("what is no whole element is not found") {
  const TemporaryFolder folder;
  File file(folder / "e", O_CREAT | O_RDWR);
  const auto found = [&](const Bytes& bytes) {
    file.truncate(0);
    file.write_at(bytes, 0);
    ebml::Reader reader(file);
    return reader.find(0, file.size()).has_value();
  };
  CHECK(found({0xEC, 0x81, 7}));
  CHECK(found({0xEC, 0x80}));
  CHECK_FALSE(found({}));
  CHECK_FALSE(found({0xEC}));
  CHECK_FALSE(found({0xEC, 0x82, 7}));
  CHECK_FALSE(found({0, 0x81, 7}));                       // no id
  CHECK_FALSE(found({0x08, 1, 1, 1, 1, 0x80}));           // too long an id
  CHECK_FALSE(found({0xEC, 0x00, 0, 0, 0, 0, 0, 0, 0}));  // no size
  Bytes unknown(200, 0);
  unknown[0] = 0xEC;
  unknown[1] = 0xFF;
  CHECK_FALSE(found(unknown));
  unknown[1] = 0xFE;
  CHECK(found(unknown));
}

TEST_CASE("Void fills any number of bytes as FFmpeg's muxer does") {
  for (std::size_t total = 2; total < 300; ++total) {
    Bytes bytes;
    ebml::put_void(bytes, total);
    CHECK(bytes.size() == total);
    CHECK(bytes[0] == ebml::kVoid);
    CHECK(bytes[1] == (total < 10 ? 0x80 + total - 2 : 1));
  }
}

TEST_CASE("the checksum is the usual one, its low byte first") {
  Bytes bytes;
  const std::string digits = "123456789";
  ebml::put_crc32(bytes, {reinterpret_cast<const std::uint8_t*>(digits.data()), digits.size()});
  CHECK(bytes == Bytes{0xBF, 0x84, 0x26, 0x39, 0xF4, 0xCB});
}
