// Where a network's output replaces plain interpolation, and how far.
#pragma once

#include <cstdint>
#include <vector>

#include "color/planes.h"
#include "temporal/gray_pyramid.h"
#include "temporal/parallel.h"
#include "temporal/relation.h"

namespace streamvsr {

// Every part takes from the network's share; at its widest value it takes nothing. Brightness runs
// from 0, black, to 1, white.
struct SafeRegionSettings {
  float strength = 1.0F;    // 0..1, the network's share where nothing speaks against it
  float highlights = 1.0F;  // 0..1: from here the share falls, to none at white
  float shadows = 0.0F;     // 0..1: from here down the share falls, to none at black
  // 0..1, of black to white a sample: where the steps between neighbours, in the mean of 9 x 9
  // samples, are smaller, the share falls with them.
  float edges = 0.0F;
  // 0..1, of the picture's width from one picture to the next: above, the share falls, to none at
  // twice as much.
  float motion = 1.0F;

  bool on() const { return strength < 1.0F || brightness() || edges > 0.0F || uses_motion(); }
  bool brightness() const { return highlights < 1.0F || shadows > 0.0F; }
  bool uses_motion() const { return motion < 1.0F; }
  bool operator==(const SafeRegionSettings&) const = default;
};

// Throws kConfig for settings outside their ranges.
void check(const SafeRegionSettings& settings);

// The network's share in every source sample, row by row, 0..kWhole. full_range: black is code 0
// and white 255, else 16 and 235.
struct SafeRegion {
  static constexpr int kWhole = 128;

  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> share;
};
SafeRegion safe_region(const GrayPlane& gray, const Relation& relation, bool full_range,
                       const SafeRegionSettings& settings, const Parallel& parallel);

// Makes a plane of the enhanced picture a mixture: interpolated + share * (enhanced -
// interpolated). Both are `scale` times as large as the region in this plane.
void mix(const SafeRegion& region, int scale, const Planes& interpolated, int from_plane,
         Planes& enhanced, int plane, const Parallel& parallel);

}  // namespace streamvsr
