#include "color/sums.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "color/resample.h"

namespace streamvsr {

namespace {

using Rows = std::array<std::array<double, 3>, 3>;

struct Weights {
  int matrix;
  double red, blue;  // of luma
};
// ITU-T H.273, table 4.
constexpr Weights kWeights[] = {{1, 0.2126, 0.0722}, {4, 0.30, 0.11},   {5, 0.299, 0.114},
                                {6, 0.299, 0.114},   {7, 0.212, 0.087}, {9, 0.2627, 0.0593}};
constexpr int kYCgCo = 8;

const Weights* weights_of(const int matrix) {
  const auto* const found = std::find_if(std::begin(kWeights), std::end(kWeights),
                                         [&](const Weights& w) { return w.matrix == matrix; });
  return found == std::end(kWeights) ? nullptr : found;
}

// R, G and B of Y 0..1 and chroma -0.5..0.5.
Rows rgb_of(const int matrix) {
  if (matrix == kYCgCo) return {{{1, -1, 1}, {1, 1, 0}, {1, -1, -1}}};
  const Weights& w = *weights_of(matrix);
  const double green = 1 - w.red - w.blue;
  const double from_cr = 2 * (1 - w.red);
  const double from_cb = 2 * (1 - w.blue);
  return {
      {{1, 0, from_cr}, {1, -from_cb * w.blue / green, -from_cr * w.red / green}, {1, from_cb, 0}}};
}

Rows luma_chroma_of(const int matrix) {
  if (matrix == kYCgCo) return {{{0.25, 0.5, 0.25}, {-0.25, 0.5, -0.25}, {0.5, 0, -0.5}}};
  const Weights& w = *weights_of(matrix);
  const double green = 1 - w.red - w.blue;
  const double cb = 2 * (1 - w.blue);
  const double cr = 2 * (1 - w.red);
  return {{{w.red, green, w.blue},
           {-w.red / cb, -green / cb, (1 - w.blue) / cb},
           {(1 - w.red) / cr, -green / cr, -w.blue / cr}}};
}

// A plane's code for nothing, and how many codes are 1.
struct Codes {
  double zero, one;
};
Codes codes_of(const int plane, const int depth, const ColorDescription& color) {
  const double unit = std::exp2(depth - 8);
  if (color.full_range) return {plane == 0 ? 0.0 : 128 * unit, std::exp2(depth) - 1};
  if (plane == 0) return {16 * unit, 219 * unit};
  return {128 * unit, (color.matrix == kYCgCo ? 219 : 224) * unit};
}

double spline36(const double at) {
  const double x = std::abs(at);
  const auto cubic = [](const double t, const double a, const double b, const double c,
                        const double d) { return ((a * t + b) * t + c) * t + d; };
  if (x < 1) return cubic(x, 13.0 / 11, -453.0 / 209, -3.0 / 209, 1);
  if (x < 2) return cubic(x - 1, -6.0 / 11, 270.0 / 209, -156.0 / 209, 0);
  if (x < 3) return cubic(x - 2, 1.0 / 11, -45.0 / 209, 26.0 / 209, 0);
  return 0;
}

// One direction of a plane: `length` samples of the source, from `begin` on, become `target`, the
// first `size` of which are wanted. Beyond its ends a line is mirrored, as zimg does.
LineSums line(const int source, const double begin, const double length, const int target,
              const int size) {
  LineSums sums;
  sums.size = size;
  const double step = length / target;  // source samples a target sample
  if (step == 1 && begin == 0) return sums;
  const double narrow = std::min(1.0, 1 / step);
  sums.taps = 2 * static_cast<int>(std::ceil(3 / narrow));
  const auto count = static_cast<std::size_t>(sums.taps) * static_cast<std::size_t>(size);
  sums.index.resize(count);
  sums.weight.resize(count);
  for (int i = 0; i < size; ++i) {
    const double at = begin + (i + 0.5) * step;
    const int first = static_cast<int>(std::floor(at - sums.taps / 2.0 + 0.5));
    const auto weight = [&](const int k) { return spline36((first + k + 0.5 - at) * narrow); };
    double total = 0;
    for (int k = 0; k < sums.taps; ++k) total += weight(k);
    for (int k = 0; k < sums.taps; ++k) {
      int from = first + k;
      if (from < 0)
        from = -1 - from;
      else if (from >= source)
        from = 2 * source - 1 - from;
      const auto slot = static_cast<std::size_t>(k) * static_cast<std::size_t>(size) +
                        static_cast<std::size_t>(i);
      sums.index[slot] = std::clamp(from, 0, source - 1);
      sums.weight[slot] = static_cast<float>(weight(k) / total);
    }
  }
  return sums;
}

int round_up(const int size, const int log2_cell) {
  return ((size - 1) | ((1 << log2_cell) - 1)) + 1;
}

LumaChroma made_of(const PlaneFormat& format, const ColorDescription& color) {
  if (!has_sums(format, color))
    throw Error(ErrorKind::kInternal, "these pictures' colours are not to be had as sums");
  LumaChroma made;
  made.depth = format.depth;
  made.planes = format.plane_count;
  if (format.plane_count == 3) {
    made.cell_width = 1 << format.log2_sub_x;
    made.cell_height = 1 << format.log2_sub_y;
  }
  return made;
}

// Formats of a picture whose size chroma divides, and of the same with chroma at full size.
struct Whole {
  explicit Whole(const PlaneFormat& format) : subsampled(format) {
    subsampled.width = round_up(format.width, format.log2_sub_x);
    subsampled.height = round_up(format.height, format.log2_sub_y);
    full = subsampled;
    full.log2_sub_x = full.log2_sub_y = 0;
  }
  PlaneFormat subsampled, full;
};

}  // namespace

bool has_sums(const PlaneFormat& format, const ColorDescription& color) {
  const bool linear = color.matrix == kYCgCo || weights_of(color.matrix) != nullptr;
  return !format.rgb && linear && (format.plane_count == 1 || format.plane_count == 3);
}

LumaChroma sums_to_rgb(const PlaneFormat& source, const ColorDescription& color) {
  LumaChroma made = made_of(source, color);
  const Rows rows = rgb_of(color.matrix);
  for (std::size_t to = 0; to < 3; ++to) {
    double added = 0;
    for (int plane = 0; plane < made.planes; ++plane) {
      const auto from = static_cast<std::size_t>(plane);
      const Codes codes = codes_of(plane, source.depth, color);
      made.matrix[to][from] = static_cast<float>(rows[to][from] / codes.one);
      added -= rows[to][from] * codes.zero / codes.one;
    }
    made.matrix[to][3] = static_cast<float>(added);
  }
  if (made.planes == 1) return made;
  const Whole whole(source);
  const PlaneGeometry g =
      plane_geometry(whole.subsampled, whole.full, 1, color.siting, color.siting, color.full_range);
  made.across = line(g.source_width, g.left, g.width, g.target_width, source.width);
  made.down = line(g.source_height, g.top, g.height, g.target_height, source.height);
  return made;
}

LumaChroma sums_from_rgb(const PlaneFormat& target, const ColorDescription& color) {
  LumaChroma made = made_of(target, color);
  const Rows rows = luma_chroma_of(color.matrix);
  for (int plane = 0; plane < made.planes; ++plane) {
    const auto to = static_cast<std::size_t>(plane);
    const Codes codes = codes_of(plane, target.depth, color);
    for (std::size_t from = 0; from < 3; ++from)
      made.matrix[to][from] = static_cast<float>(rows[to][from] * codes.one);
    made.matrix[to][3] = static_cast<float>(codes.zero);
  }
  if (made.planes == 1) return made;
  const Whole whole(target);
  const PlaneGeometry g =
      plane_geometry(whole.full, whole.subsampled, 1, color.siting, color.siting, color.full_range);
  made.across = line(target.width, g.left, g.width, g.target_width, g.target_width);
  made.down = line(target.height, g.top, g.height, g.target_height, g.target_height);
  return made;
}

}  // namespace streamvsr
