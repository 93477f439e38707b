// The sums, computed sample by sample, against what zimg makes of the same pictures.
#include "color/sums.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "base/error.h"
#include "color/convert.h"

namespace streamvsr {
namespace {

using Plane = std::vector<double>;  // row by row

constexpr ColorDescription kRgb{ColorDescription::kRgb, true};

double get(const Planes& picture, const int plane, const int x, const int y) {
  return picture.format().depth > 8 ? picture.row<std::uint16_t>(plane, y)[x]
                                    : picture.row<std::uint8_t>(plane, y)[x];
}

// Noise of all codes, or what is seen in films: slopes, edges and a little noise.
Planes make_picture(const PlaneFormat& format, const bool noise, std::mt19937& random) {
  Planes picture(format);
  const int most = (1 << format.depth) - 1;
  for (int p = 0; p < format.plane_count; ++p) {
    const double slope = static_cast<double>(random() % 100) / 100;
    const int edge = static_cast<int>(random() % 60);
    for (int y = 0; y < format.plane_height(p); ++y) {
      for (int x = 0; x < format.plane_width(p); ++x) {
        const double seen = 0.3 + 0.2 * std::sin(slope * x + 0.1 * y) + (x + y > edge ? 0.25 : 0);
        const double grain = static_cast<double>(random() % 1024) / 1024;
        const auto code = static_cast<int>(most * (noise ? grain : seen + 0.02 * grain));
        if (format.depth > 8)
          picture.row<std::uint16_t>(p, y)[x] = static_cast<std::uint16_t>(code);
        else
          picture.row<std::uint8_t>(p, y)[x] = static_cast<std::uint8_t>(code);
      }
    }
  }
  return picture;
}

Plane values(const Planes& picture, const int plane) {
  Plane result;
  for (int y = 0; y < picture.format().plane_height(plane); ++y)
    for (int x = 0; x < picture.format().plane_width(plane); ++x)
      result.push_back(get(picture, plane, x, y));
  return result;
}

double sum(const LineSums& sums, const int at, const auto sample) {
  if (sums.taps == 0) return sample(at);
  double total = 0;
  for (int k = 0; k < sums.taps; ++k) {
    const auto slot = static_cast<std::size_t>(k * sums.size + at);
    total += static_cast<double>(sums.weight[slot]) * sample(sums.index[slot]);
  }
  return total;
}

Plane resampled(const Plane& plane, const int columns, const LumaChroma& sums) {
  const int rows = static_cast<int>(plane.size()) / columns;
  const auto at = [](const int x, const int y, const int width) {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
           static_cast<std::size_t>(x);
  };
  const int height = sums.down.taps == 0 ? rows : sums.down.size;
  const int width = sums.across.taps == 0 ? columns : sums.across.size;
  Plane high;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < columns; ++x)
      high.push_back(
          sum(sums.down, y, [&](const int from) { return plane[at(x, from, columns)]; }));
  Plane result;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      result.push_back(
          sum(sums.across, x, [&](const int from) { return high[at(from, y, columns)]; }));
  return result;
}

double row(const std::array<float, 4>& by, const std::array<double, 3>& of) {
  return by[0] * of[0] + by[1] * of[1] + by[2] * of[2] + by[3];
}

// R, G and B, 0..1.
std::array<Plane, 3> to_rgb(const Planes& source, const LumaChroma& sums) {
  std::array<Plane, 3> planes;
  for (int p = 0; p < sums.planes; ++p) {
    const Plane plane = values(source, p);
    planes[static_cast<std::size_t>(p)] =
        p == 0 ? plane : resampled(plane, source.format().plane_width(p), sums);
  }
  std::array<Plane, 3> rgb;
  for (std::size_t i = 0; i < planes[0].size(); ++i) {
    const bool gray = sums.planes == 1;
    const std::array<double, 3> codes = {planes[0][i], gray ? 0 : planes[1][i],
                                         gray ? 0 : planes[2][i]};
    for (std::size_t c = 0; c < 3; ++c)
      rgb[c].push_back(std::clamp(row(sums.matrix[c], codes), 0.0, 1.0));
  }
  return rgb;
}

Plane from_rgb(const std::array<Plane, 3>& rgb, const int width, const LumaChroma& sums,
               const int plane) {
  Plane mixed;
  for (std::size_t i = 0; i < rgb[0].size(); ++i)
    mixed.push_back(
        row(sums.matrix[static_cast<std::size_t>(plane)], {rgb[0][i], rgb[1][i], rgb[2][i]}));
  if (plane > 0) mixed = resampled(mixed, width, sums);
  for (double& code : mixed)
    code = std::clamp(std::nearbyint(code), 0.0, std::exp2(sums.depth) - 1);
  return mixed;
}

struct Difference {
  double most = 0, mean = 0;
  std::size_t count = 0;
  // One sample rounded otherwise is a lot in a very small plane.
  bool small() const { return most <= 1 && std::abs(mean) < 0.05 + 1 / static_cast<double>(count); }
};
Difference difference(const Plane& a, const Plane& b) {
  REQUIRE(a.size() == b.size());
  Difference found;
  found.count = a.size();
  for (std::size_t i = 0; i < a.size(); ++i) {
    found.most = std::max(found.most, std::abs(a[i] - b[i]));
    found.mean += (a[i] - b[i]) / static_cast<double>(a.size());
  }
  return found;
}

// One picture there, and another one back: of any red, green and blue, not only of those that came
// from such codes.
void compare(const PlaneFormat& format, const ColorDescription& color, std::mt19937& random) {
  const bool noise = random() % 2 == 0;
  CAPTURE(color.matrix);
  CAPTURE(color.full_range);
  CAPTURE(static_cast<int>(color.siting));
  CAPTURE(format.width);
  CAPTURE(format.height);
  CAPTURE(format.plane_count);
  CAPTURE(format.log2_sub_x);
  CAPTURE(format.log2_sub_y);
  CAPTURE(format.depth);
  CAPTURE(noise);
  const Planes source = make_picture(format, noise, random);
  PlaneFormat wide = format;
  wide.rgb = true;
  wide.plane_count = 3;
  wide.log2_sub_x = wide.log2_sub_y = 0;
  wide.depth = 16;
  const Planes by_zimg = convert(source, color, wide, kRgb, Rounding::kNearest);
  const std::array<Plane, 3> seen = to_rgb(source, sums_to_rgb(format, color));
  const double most = std::exp2(format.depth) - 1;
  for (int c = 0; c < 3; ++c) {
    Plane expected = values(by_zimg, (c + 2) % 3);
    Plane got = seen[static_cast<std::size_t>(c)];
    for (double& value : expected) value *= most / 65535;
    for (double& value : got) value *= most;
    CHECK(difference(got, expected).small());
  }
  const Planes made = make_picture(wide, noise, random);
  const Planes back = convert(made, kRgb, format, color, Rounding::kNearest);
  std::array<Plane, 3> rgb;
  for (std::size_t c = 0; c < 3; ++c) {
    rgb[c] = values(made, static_cast<int>((c + 2) % 3));
    for (double& value : rgb[c]) value /= 65535;
  }
  const LumaChroma sums = sums_from_rgb(format, color);
  for (int p = 0; p < format.plane_count; ++p)
    CHECK(difference(from_rgb(rgb, format.width, sums, p), values(back, p)).small());
}

struct Layout {
  int planes, sub_x, sub_y;
};
constexpr Layout kLayouts[] = {{3, 1, 1}, {3, 1, 0}, {3, 0, 0}, {1, 0, 0}, {3, 2, 0}, {3, 2, 2}};
constexpr ChromaSiting kSitings[] = {ChromaSiting::kLeft, ChromaSiting::kCenter,
                                     ChromaSiting::kTopLeft, ChromaSiting::kBottom};

TEST_CASE("sums give what zimg gives, both ways") {
  std::mt19937 random(1);
  for (const int matrix : {1, 4, 5, 6, 7, 8, 9})
    for (const bool full : {false, true})
      for (const ChromaSiting siting : kSitings)
        for (const Layout& layout : kLayouts)
          for (const int depth : {8, 10, 12}) {
            const int width = 1 + static_cast<int>(random() % 45);
            const int height = 1 + static_cast<int>(random() % 45);
            compare({width, height, layout.planes, layout.sub_x, layout.sub_y, depth, false},
                    {matrix, full, siting}, random);
          }
}

TEST_CASE("what is no sum of luma and chroma is told from what is") {
  const PlaneFormat format{16, 16};
  PlaneFormat rgb = format, alpha = format;
  rgb.rgb = true;
  alpha.plane_count = 4;
  CHECK(has_sums(format, {ColorDescription::kBt709}));
  CHECK_FALSE(has_sums(rgb, kRgb));
  CHECK_FALSE(has_sums(alpha, {ColorDescription::kBt709}));
  CHECK_FALSE(has_sums(format, {10}));  // BT.2020 constant luminance
  CHECK_THROWS_AS(sums_to_rgb(alpha, {ColorDescription::kBt709}), Error);
}

}  // namespace
}  // namespace streamvsr
