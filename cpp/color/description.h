// How a picture's codes are to be read.
#pragma once

#include "color/planes.h"

namespace streamvsr {

// The code point is that of ITU-T H.273, table 4. What a picture's transfer and primaries are
// matters to nobody here: sizes, matrices and depths are changed on the codes as they are.
struct ColorDescription {
  static constexpr int kRgb = 0;
  static constexpr int kBt709 = 1;
  static constexpr int kUnspecified = 2;
  static constexpr int kBt601 = 6;
  static constexpr int kBt2020 = 9;  // non-constant luminance

  int matrix = kUnspecified;
  bool full_range = false;  // samples span the whole code range
  ChromaSiting siting = ChromaSiting::kLeft;

  bool operator==(const ColorDescription&) const = default;
};

// The rule for a matrix that a source does not tell: BT.709 where pictures are wider than 1024 or
// higher than 576, as all of high definition is, else BT.601. Planes of RGB have no matrix.
ColorDescription resolved(ColorDescription color, const PlaneFormat& format);

// Whether a matrix is one that can be computed with: linear in the codes as they are.
bool known_matrix(int matrix);
// "BT.709"; for messages.
const char* matrix_name(int matrix);

}  // namespace streamvsr
