#include "color/description.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace streamvsr {

namespace {

constexpr std::pair<int, const char*> kKnown[] = {{0, "RGB"},    {1, "BT.709"}, {4, "FCC"},
                                                  {5, "BT.601"}, {6, "BT.601"}, {7, "SMPTE 240M"},
                                                  {8, "YCgCo"},  {9, "BT.2020"}};

const char* find(const int matrix) {
  const auto* const known = std::find_if(std::begin(kKnown), std::end(kKnown),
                                         [&](const auto& k) { return k.first == matrix; });
  return known == std::end(kKnown) ? nullptr : known->second;
}

}  // namespace

ColorDescription resolved(ColorDescription color, const PlaneFormat& format) {
  if (format.rgb) {
    color.matrix = ColorDescription::kRgb;
    color.full_range = true;
  } else if (color.matrix == ColorDescription::kUnspecified) {
    const bool high = format.width > 1024 || format.height > 576;
    color.matrix = high ? ColorDescription::kBt709 : ColorDescription::kBt601;
  }
  return color;
}

bool known_matrix(const int matrix) { return find(matrix) != nullptr; }

const char* matrix_name(const int matrix) {
  const char* const name = find(matrix);
  if (name != nullptr) return name;
  return matrix == ColorDescription::kUnspecified ? "unspecified" : "of another kind";
}

}  // namespace streamvsr
