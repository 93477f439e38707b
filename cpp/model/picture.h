// What the engine reads and writes: integer planes that belong to someone else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "color/luma_chroma.h"

namespace streamvsr {

struct ConstPlaneView {
  const std::uint8_t* data = nullptr;
  std::ptrdiff_t stride = 0;  // bytes
};
struct PlaneView {
  std::uint8_t* data = nullptr;
  std::ptrdiff_t stride = 0;  // bytes
};

// One picture to run a network over. Samples are uint8 for depth 8 and uint16 above, native endian.
struct Picture {
  int width = 0;                       // of the source, >= 1
  int height = 0;                      // >= 1
  int depth = 8;                       // of planes that are the network's own, 8..16
  std::vector<ConstPlaneView> source;  // as many as the network has planes, in its order
  std::vector<PlaneView> result;       // as many, scale times as wide and high
  std::vector<float> conditions;  // one value for each constant plane of the input stack, in order
  // Set where the source's or the result's planes are luma and chroma though the network's are red,
  // green and blue; for engines that say recolours() alone. They belong to someone else.
  const LumaChroma* source_colors = nullptr;
  const LumaChroma* result_colors = nullptr;
};

}  // namespace streamvsr
