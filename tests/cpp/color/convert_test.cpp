// Expectations come from the standards' equations, not from zimg.
#include "color/convert.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <random>

#include "base/error.h"

namespace streamvsr {
namespace {

struct Weights {
  int matrix;
  double red, blue;  // of luma; ITU-R BT.709, BT.601 and BT.2020, FCC 73.682, SMPTE 240M
};
constexpr Weights kWeights[] = {{ColorDescription::kBt709, 0.2126, 0.0722},
                                {ColorDescription::kBt601, 0.299, 0.114},
                                {5, 0.299, 0.114},
                                {ColorDescription::kBt2020, 0.2627, 0.0593},
                                {4, 0.30, 0.11},
                                {7, 0.212, 0.087}};

using Colour = std::array<double, 3>;

// Codes of a colour, R'G'B' in 0..1, at a depth.
Colour luma_chroma(const Colour& rgb, const Weights& w, const int depth, const bool full) {
  const double green = 1 - w.red - w.blue;
  const double y = w.red * rgb[0] + green * rgb[1] + w.blue * rgb[2];
  const double cb = (rgb[2] - y) / (2 * (1 - w.blue));
  const double cr = (rgb[0] - y) / (2 * (1 - w.red));
  const double unit = std::exp2(depth - 8);
  const double most = std::exp2(depth) - 1;
  if (full) return {y * most, cb * most + 128 * unit, cr * most + 128 * unit};
  return {(16 + 219 * y) * unit, (128 + 224 * cb) * unit, (128 + 224 * cr) * unit};
}

double get(const Planes& picture, const int plane, const int x, const int y) {
  return picture.format().depth > 8 ? picture.row<std::uint16_t>(plane, y)[x]
                                    : picture.row<std::uint8_t>(plane, y)[x];
}
void fill(Planes& picture, const int plane, const double code) {
  const PlaneFormat& format = picture.format();
  for (int y = 0; y < format.plane_height(plane); ++y)
    for (int x = 0; x < format.plane_width(plane); ++x)
      if (format.depth > 8)
        picture.row<std::uint16_t>(plane, y)[x] = static_cast<std::uint16_t>(std::lrint(code));
      else
        picture.row<std::uint8_t>(plane, y)[x] = static_cast<std::uint8_t>(std::lrint(code));
}
Planes flat_rgb(const PlaneFormat& format, const Colour& rgb) {
  Planes picture(format);
  const double most = (1 << format.depth) - 1;
  for (int p = 0; p < 3; ++p) fill(picture, p, rgb[static_cast<std::size_t>((p + 1) % 3)] * most);
  return picture;
}

constexpr ColorDescription kRgb{ColorDescription::kRgb, true};

Colour some_colour(std::mt19937& random) {
  const auto part = [&] { return static_cast<double>(random() % 256) / 255.0; };
  return {part(), part(), part()};
}

TEST_CASE("RGB becomes the codes of each standard, and comes back") {
  std::mt19937 random(1);
  for (const Weights& w : kWeights) {
    for (const bool full : {false, true}) {
      for (const int depth : {8, 10, 12, 16}) {
        for (const int sub : {0, 1}) {
          const Colour colour = some_colour(random);
          const PlaneFormat wide{37, 70, 3, 0, 0, 16, true};
          const PlaneFormat narrow{37, 70, 3, sub, sub, depth, false};
          const ColorDescription color{w.matrix, full, ChromaSiting::kLeft};
          const Planes source = flat_rgb(wide, colour);
          const Planes coded = convert(source, kRgb, narrow, color, Rounding::kNearest);
          const Colour expected = luma_chroma(colour, w, depth, full);
          const double step =
              depth == 16 ? 1.6 : 0.55;  // of 16 bits there is nothing finer between
          for (int p = 0; p < 3; ++p) {
            CAPTURE(w.matrix);
            CAPTURE(depth);
            CAPTURE(p);
            CHECK(std::abs(get(coded, p, 3, 66 >> sub) - expected[static_cast<std::size_t>(p)]) <=
                  step);
          }
          const Planes back = convert(coded, color, wide, kRgb, Rounding::kNearest);
          const double coarse =
              full ? 65535.0 / ((1 << depth) - 1) : 65535.0 / (219 << (depth - 8));
          for (int p = 0; p < 3; ++p)
            CHECK(std::abs(get(back, p, 36, 69) - get(source, p, 0, 0)) <= 1.6 * coarse + 2);
        }
      }
    }
  }
}

TEST_CASE("another matrix or range keeps the colour") {
  std::mt19937 random(2);
  const PlaneFormat format{16, 16, 3, 1, 1, 10, false};
  for (const Weights& from : kWeights) {
    for (const Weights& to : kWeights) {
      const bool full = random() % 2 == 0;
      const Colour colour = some_colour(random);
      const Colour codes = luma_chroma(colour, from, 10, full);
      Planes picture(format);
      for (int p = 0; p < 3; ++p) fill(picture, p, codes[static_cast<std::size_t>(p)]);
      const Planes result = convert(picture, {from.matrix, full}, format, {to.matrix, !full});
      const Colour expected = luma_chroma(colour, to, 10, !full);
      for (int p = 0; p < 3; ++p)
        CHECK(std::abs(get(result, p, 5, 5) - expected[static_cast<std::size_t>(p)]) < 2.1);
    }
  }
}

TEST_CASE("gray has no colour as RGB, and RGB's luma is its gray") {
  const PlaneFormat gray{9, 5, 1, 0, 0, 8, false};
  const PlaneFormat rgb{9, 5, 3, 0, 0, 8, true};
  Planes picture(gray);
  fill(picture, 0, 126);
  const Planes wide = convert(picture, {ColorDescription::kBt709}, rgb, kRgb);
  for (int p = 0; p < 3; ++p) CHECK(std::abs(get(wide, p, 8, 4) - 110.0 / 219 * 255) <= 0.6);
  const Planes narrow = convert(wide, kRgb, gray, {ColorDescription::kBt709});
  CHECK(get(narrow, 0, 8, 4) == 126);
}

TEST_CASE("a matrix that nobody told is high definition's for large pictures alone") {
  const auto matrix = [](const int width, const int height) {
    return resolved({}, {width, height, 3, 1, 1, 8, false}).matrix;
  };
  CHECK(matrix(720, 576) == ColorDescription::kBt601);
  CHECK(matrix(1024, 576) == ColorDescription::kBt601);
  CHECK(matrix(1025, 400) == ColorDescription::kBt709);
  CHECK(matrix(800, 577) == ColorDescription::kBt709);
  CHECK(resolved({ColorDescription::kBt2020}, {720, 576, 3, 1, 1, 8, false}).matrix ==
        ColorDescription::kBt2020);
  CHECK(resolved({}, {720, 576, 3, 0, 0, 8, true}) == ColorDescription{0, true});
}

TEST_CASE("a matrix that is not known is refused where it would be computed with, else not") {
  const PlaneFormat format{8, 8, 3, 1, 1, 8, false};
  Planes picture(format);
  for (int p = 0; p < 3; ++p) fill(picture, p, 90);
  const ColorDescription color{14};  // ICtCp
  CHECK(get(convert(picture, color, {16, 16, 3, 0, 0, 8, false}, color), 1, 3, 3) == 90);
  CHECK_THROWS_AS(convert(picture, color, {8, 8, 3, 0, 0, 8, true}, kRgb), Error);
}

}  // namespace
}  // namespace streamvsr
