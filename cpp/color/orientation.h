// Pictures turned and mirrored.
#pragma once

#include "color/planes.h"

namespace streamvsr {

// First the axes are exchanged, then mirrored.
struct Orientation {
  bool transposed = false;
  bool mirrored_x = false;  // left and right exchanged
  bool mirrored_y = false;  // top and bottom exchanged

  bool upright() const { return !transposed && !mirrored_x && !mirrored_y; }
  bool operator==(const Orientation&) const = default;
};

PlaneFormat turned(PlaneFormat format, const Orientation& orientation);
// Chroma that lies in the middle of its cell does so afterwards; any other siting would not.
Planes turned(const Planes& picture, const Orientation& orientation);

}  // namespace streamvsr
