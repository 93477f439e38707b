// Pictures of luma and chroma for a network of red, green and blue.
#pragma once

#include <optional>

#include "color/convert.h"
#include "color/luma_chroma.h"

namespace streamvsr {

// Purpose: the way of one kind of picture to red, green and blue and of the network's result back
// to luma and chroma: by zimg, or as sums for an engine that recolours(). Thread-safety: const.
class Recolouring {
 public:
  // by_engine: whether the engine recolours(); what it cannot do, zimg does.
  Recolouring(const PlaneFormat& source, const ColorDescription& color, int scale, bool by_engine);

  // The format of red, green and blue between: 16 bits, so that what is seen is rounded to codes
  // once.
  static PlaneFormat as_rgb(PlaneFormat format);

  bool is_for(const PlaneFormat& source, const ColorDescription& color) const {
    return source_ == source && color_ == color;
  }
  // For the engine; null where zimg does it.
  const LumaChroma* source_colors() const { return sums_in_ ? &*sums_in_ : nullptr; }
  const LumaChroma* result_colors() const { return sums_out_ ? &*sums_out_ : nullptr; }
  bool by_engine() const { return sums_in_.has_value(); }
  // By zimg.
  Planes to_rgb(const Planes& source) const { return in_->run(source); }
  Planes from_rgb(const Planes& result) const { return out_->run(result); }

 private:
  PlaneFormat source_;
  ColorDescription color_;
  std::optional<PictureConverter> in_, out_;
  std::optional<LumaChroma> sums_in_, sums_out_;
};

}  // namespace streamvsr
