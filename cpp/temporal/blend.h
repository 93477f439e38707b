// Earlier pictures, brought to where things are now, blended into one.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "color/planes.h"
#include "temporal/flow.h"

namespace streamvsr {

// One earlier picture as it enters a blend.
struct BlendSource {
  static constexpr int kOne = 256;

  const Planes* picture = nullptr;
  const MotionField* motion = nullptr;  // in samples of the source
  std::vector<std::int16_t> weight;  // its share by cell, 0..kOne; of all sources together < kOne
};

// result = now + sum of weight * pull(earlier - now), where earlier is sampled along its motion by
// cubic convolution (Keys 1981, a = -0.8) and pull(d) is d up to some codes of difference, falls
// from there on, and is 0 far out: a sample that shows something else is left alone, whatever its
// weight. Between the cells' middles the weights are interpolated, and nowhere above the cell's
// own. All pictures have the format of `now`, `scale` times as large as the motion's; result too.
void blend(const Planes& now, std::span<const BlendSource> earlier, int scale, Planes& result,
           const Parallel& parallel);

}  // namespace streamvsr
