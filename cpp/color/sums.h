// What zimg does between luma and chroma and RGB, as sums.
#pragma once

#include "color/description.h"
#include "color/luma_chroma.h"
#include "color/planes.h"

namespace streamvsr {

// Whether pictures of this description can be had as sums: Y'CbCr of a known matrix, or gray,
// without alpha. color: resolved().
bool has_sums(const PlaneFormat& format, const ColorDescription& color);

// Within a code value what PictureConverter makes of the same pictures, for odd sizes too: chroma
// by spline36 where its siting says, the matrices of ITU-R BT.601, BT.709 and BT.2020 (non-constant
// luminance), FCC 73.682, SMPTE 240M and YCgCo. For pictures that has_sums() tells.
LumaChroma sums_to_rgb(const PlaneFormat& source, const ColorDescription& color);
LumaChroma sums_from_rgb(const PlaneFormat& target, const ColorDescription& color);

}  // namespace streamvsr
