#include "color/orientation.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace streamvsr {

namespace {

constexpr int kTile = 32;  // samples; so that a transposed read stays in the cache

template <class Sample>
void turn_plane(const Planes& source, Planes& result, const int plane, const Orientation& o) {
  const int width = result.format().plane_width(plane);
  const int height = result.format().plane_height(plane);
  for (int top = 0; top < height; top += kTile) {
    for (int left = 0; left < width; left += kTile) {
      for (int y = top; y < std::min(height, top + kTile); ++y) {
        Sample* const out = result.row<Sample>(plane, y);
        const int v = o.mirrored_y ? height - 1 - y : y;
        for (int x = left; x < std::min(width, left + kTile); ++x) {
          const int u = o.mirrored_x ? width - 1 - x : x;
          out[x] = o.transposed ? source.row<Sample>(plane, u)[v] : source.row<Sample>(plane, v)[u];
        }
      }
    }
  }
}

}  // namespace

PlaneFormat turned(PlaneFormat format, const Orientation& orientation) {
  if (orientation.transposed) {
    std::swap(format.width, format.height);
    std::swap(format.log2_sub_x, format.log2_sub_y);
  }
  return format;
}

Planes turned(const Planes& picture, const Orientation& orientation) {
  Planes result(turned(picture.format(), orientation));
  for (int plane = 0; plane < picture.format().plane_count; ++plane) {
    if (picture.format().depth > 8)
      turn_plane<std::uint16_t>(picture, result, plane, orientation);
    else
      turn_plane<std::uint8_t>(picture, result, plane, orientation);
  }
  return result;
}

}  // namespace streamvsr
