#include "color/planes.h"

#include <doctest/doctest.h>

#include <cstdint>

namespace streamvsr {
namespace {

TEST_CASE("chroma of odd sizes is rounded up, alpha is full size") {
  const PlaneFormat format{5, 3, 4, 1, 1, 8, false};
  CHECK(format.plane_width(0) == 5);
  CHECK(format.plane_width(1) == 3);
  CHECK(format.plane_height(2) == 2);
  CHECK(format.plane_width(3) == 5);
  CHECK(format.plane_height(3) == 3);
}

TEST_CASE("rows are aligned and planes do not overlap") {
  for (const int depth : {8, 10}) {
    Planes picture(PlaneFormat{33, 7, 3, 1, 1, depth, false});
    for (int plane = 0; plane < 3; ++plane) {
      CHECK(reinterpret_cast<std::uintptr_t>(picture.data(plane)) % 64 == 0);
      CHECK(picture.stride(plane) % 64 == 0);
      CHECK(picture.stride(plane) >=
            picture.format().plane_width(plane) * picture.format().bytes_per_sample());
    }
    CHECK(picture.data(1) >= picture.data(0) + 7 * picture.stride(0));
    CHECK(picture.data(2) >= picture.data(1) + 4 * picture.stride(1));
    CHECK(picture.data(0) + picture.bytes() >= picture.data(2) + 4 * picture.stride(2));
  }
}

TEST_CASE("a clone is its own picture") {
  Planes picture(PlaneFormat{4, 4, 1, 0, 0, 8, false});
  picture.row<std::uint8_t>(0, 1)[2] = 9;
  Planes copy = picture.clone();
  picture.row<std::uint8_t>(0, 1)[2] = 1;
  CHECK(copy.row<std::uint8_t>(0, 1)[2] == 9);
  CHECK(copy.format() == picture.format());
}

}  // namespace
}  // namespace streamvsr
