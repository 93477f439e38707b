#include "enhance/recolouring.h"

#include "color/sums.h"

namespace streamvsr {

Recolouring::Recolouring(const PlaneFormat& source, const ColorDescription& color, const int scale,
                         const bool by_engine)
    : source_(source), color_(color) {
  PlaneFormat result = source;
  result.width *= scale;
  result.height *= scale;
  if (by_engine && has_sums(source, color)) {
    sums_in_ = sums_to_rgb(source, color);
    sums_out_ = sums_from_rgb(result, color);
    return;
  }
  constexpr ColorDescription kRgb{ColorDescription::kRgb, true};
  in_.emplace(source, color, as_rgb(source), kRgb, Rounding::kNearest);
  out_.emplace(as_rgb(result), kRgb, result, color, Rounding::kNearest);
}

PlaneFormat Recolouring::as_rgb(PlaneFormat format) {
  format.rgb = true;
  format.log2_sub_x = format.log2_sub_y = 0;
  format.depth = 16;
  format.plane_count = 3;
  return format;
}

}  // namespace streamvsr
