#include "color/orientation.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <utility>

namespace streamvsr {
namespace {

TEST_CASE("every sample goes where its orientation says, in every plane and depth") {
  for (const int depth : {8, 10}) {
    const PlaneFormat format{71, 38, 3, 1, 0, depth, false};
    Planes picture(format);
    for (int p = 0; p < 3; ++p)
      for (int y = 0; y < format.plane_height(p); ++y)
        for (int x = 0; x < format.plane_width(p); ++x) {
          const int code = (7 * x + 13 * y + 50 * p) % (1 << depth);
          if (depth > 8)
            picture.row<std::uint16_t>(p, y)[x] = static_cast<std::uint16_t>(code);
          else
            picture.row<std::uint8_t>(p, y)[x] = static_cast<std::uint8_t>(code);
        }
    for (int bits = 0; bits < 8; ++bits) {
      const Orientation o{(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0};
      const Planes result = turned(picture, o);
      const PlaneFormat& to = result.format();
      CHECK(to.width == (o.transposed ? 38 : 71));
      CHECK(to.log2_sub_y == (o.transposed ? 1 : 0));
      int wrong = 0;
      for (int p = 0; p < 3; ++p)
        for (int y = 0; y < to.plane_height(p); ++y)
          for (int x = 0; x < to.plane_width(p); ++x) {
            int u = o.mirrored_x ? to.plane_width(p) - 1 - x : x;
            int v = o.mirrored_y ? to.plane_height(p) - 1 - y : y;
            if (o.transposed) std::swap(u, v);
            const int expected = (7 * u + 13 * v + 50 * p) % (1 << depth);
            const int got =
                depth > 8 ? result.row<std::uint16_t>(p, y)[x] : result.row<std::uint8_t>(p, y)[x];
            wrong += got != expected ? 1 : 0;
          }
      CHECK(wrong == 0);
      CHECK(o.upright() == (bits == 0));
    }
  }
}

}  // namespace
}  // namespace streamvsr
