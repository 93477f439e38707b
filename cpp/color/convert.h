// Whole pictures from one description to another: size, subsampling, depth, matrix, range.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "color/description.h"
#include "color/planes.h"
#include "color/resample.h"

namespace streamvsr {

// Purpose: brings pictures of one format to another by zimg. Planes that the source lacks are
// filled: chroma with its middle code, alpha opaque. Throws kConfig where a matrix must be computed
// with and is not known. Thread-safety: run() from any number of threads.
//
// Where matrix and range stay, each plane goes its own way, exact for odd sizes too. Else one graph
// of zimg's does it all, in which sizes that chroma does not divide are rounded up, the last column
// and row repeated.
class PictureConverter {
 public:
  PictureConverter(const PlaneFormat& source, const ColorDescription& from,
                   const PlaneFormat& target, const ColorDescription& to, Rounding rounding);

  // Bytes that run() holds meanwhile, beside the source and the result.
  std::size_t bytes() const;
  Planes run(const Planes& source) const;

 private:
  class Recolour;

  std::size_t scratch_bytes() const;

  PlaneFormat target_;
  std::shared_ptr<const Recolour> recolour_;            // null: only sizes and depths change
  std::vector<std::pair<int, PlaneResampler>> planes_;  // that do not go through recolour_
};

// Once.
Planes convert(const Planes& source, const ColorDescription& from, const PlaneFormat& target,
               const ColorDescription& to, Rounding rounding = Rounding::kDiffused);

}  // namespace streamvsr
