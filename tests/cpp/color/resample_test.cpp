// Expectations come from where samples lie in a picture, not from zimg: a smooth function of place,
// sampled at the source's positions, must come out as the same function sampled at the target's.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "color/convert.h"

namespace streamvsr {
namespace {

// With nothing but size, subsampling and depth changed.
Planes resize(const Planes& picture, const PlaneFormat& target, const ChromaSiting siting,
              const bool full_range = false) {
  const ColorDescription color{ColorDescription::kBt709, full_range, siting};
  return convert(picture, color, target, color);
}

constexpr ChromaSiting kAllSitings[] = {ChromaSiting::kLeft,       ChromaSiting::kCenter,
                                        ChromaSiting::kTopLeft,    ChromaSiting::kTop,
                                        ChromaSiting::kBottomLeft, ChromaSiting::kBottom};

// Middle of chroma sample i on an axis, in luma samples from the picture's edge, as H.273 draws it:
// beside the first luma sample, beside the last or in the middle of its cell.
enum class Side { kFirst, kMiddle, kLast };
double place(const int i, const int cell, const Side side) {
  if (side == Side::kFirst) return i * cell + 0.5;
  if (side == Side::kLast) return i * cell + cell - 0.5;
  return i * cell + 0.5 * cell;
}
Side side_x(const ChromaSiting siting) {
  const bool left = siting == ChromaSiting::kLeft || siting == ChromaSiting::kTopLeft ||
                    siting == ChromaSiting::kBottomLeft;
  return left ? Side::kFirst : Side::kMiddle;
}
Side side_y(const ChromaSiting siting) {
  if (siting == ChromaSiting::kTopLeft || siting == ChromaSiting::kTop) return Side::kFirst;
  if (siting == ChromaSiting::kBottomLeft || siting == ChromaSiting::kBottom) return Side::kLast;
  return Side::kMiddle;
}

using Field = std::function<double(double x, double y)>;  // x, y from 0 to 1 over the picture

void visit(const PlaneFormat& format, const ChromaSiting siting,
           const std::function<void(int plane, int x, int y, double u, double v)>& see) {
  for (int plane = 0; plane < format.plane_count; ++plane) {
    const bool chroma = !format.rgb && (plane == 1 || plane == 2);
    const int cell_x = chroma ? 1 << format.log2_sub_x : 1;
    const int cell_y = chroma ? 1 << format.log2_sub_y : 1;
    for (int y = 0; y < format.plane_height(plane); ++y) {
      for (int x = 0; x < format.plane_width(plane); ++x) {
        see(plane, x, y, place(x, cell_x, side_x(siting)) / format.width,
            place(y, cell_y, side_y(siting)) / format.height);
      }
    }
  }
}

double get(const Planes& picture, const int plane, const int x, const int y) {
  return picture.format().depth > 8 ? picture.row<std::uint16_t>(plane, y)[x]
                                    : picture.row<std::uint8_t>(plane, y)[x];
}
void put(Planes& picture, const int plane, const int x, const int y, const double code) {
  if (picture.format().depth > 8) {
    picture.row<std::uint16_t>(plane, y)[x] = static_cast<std::uint16_t>(std::lrint(code));
  } else {
    picture.row<std::uint8_t>(plane, y)[x] = static_cast<std::uint8_t>(std::lrint(code));
  }
}

Planes draw(const PlaneFormat& format, const ChromaSiting siting, const Field& field) {
  Planes picture(format);
  visit(format, siting,
        [&](const int plane, const int x, const int y, const double u, const double v) {
          put(picture, plane, x, y, field(u, v) * ((1 << format.depth) - 1));
        });
  return picture;
}

// The largest difference from the field away from the edges, where a filter has to guess; in 1/255.
double worst(const Planes& picture, const ChromaSiting siting, const Field& field) {
  double worst_yet = 0;
  const PlaneFormat& format = picture.format();
  visit(format, siting,
        [&](const int plane, const int x, const int y, const double u, const double v) {
          if (u < 0.2 || u > 0.8 || v < 0.2 || v > 0.8) return;
          const double maximum = (1 << format.depth) - 1;
          worst_yet = std::max(worst_yet,
                               std::abs(get(picture, plane, x, y) / maximum - field(u, v)) * 255);
        });
  return worst_yet;
}

const Field kSlope = [](const double u, const double v) { return 0.15 + 0.4 * u + 0.25 * v; };

TEST_CASE("a slope stays where it is for every siting, subsampling, scale and odd size") {
  for (const ChromaSiting siting : kAllSitings) {
    for (const int log2_x : {0, 1, 2}) {
      for (const int log2_y : {0, 1}) {
        for (const int scale : {2, 3, 4}) {
          for (const int odd : {0, 1, 3}) {
            const PlaneFormat source{96 + odd, 80 + odd, 3, log2_x, log2_y, 16, false};
            PlaneFormat target = source;
            target.width *= scale;
            target.height *= scale;
            const Planes result = resize(draw(source, siting, kSlope), target, siting);
            INFO("siting ", static_cast<int>(siting), " sub ", log2_x, log2_y, " scale ", scale,
                 " odd ", odd);
            // 4:2:0 by 2 with the phase left out is off by an eighth of a chroma sample: about 0.2.
            CHECK(worst(result, siting, kSlope) < 0.05);
          }
        }
      }
    }
  }
}

TEST_CASE("a change of size and subsampling keeps every plane in its place") {
  for (const ChromaSiting siting : kAllSitings) {
    const PlaneFormat source{121, 93, 4, 1, 0, 16, false};
    for (const PlaneFormat target :
         {PlaneFormat{121, 93, 4, 1, 1, 16, false}, PlaneFormat{121, 93, 4, 0, 0, 16, false},
          PlaneFormat{160, 120, 4, 1, 1, 16, false}, PlaneFormat{110, 81, 4, 2, 0, 16, false}}) {
      const Planes result = resize(draw(source, siting, kSlope), target, siting);
      CHECK(result.format() == target);
      CHECK(worst(result, siting, kSlope) < 0.05);
    }
  }
}

TEST_CASE("limited codes scale by a power of two, full-range ones by the ratio of maxima") {
  const PlaneFormat from{16, 16, 3, 1, 1, 8, false};
  PlaneFormat to = from;
  to.depth = 10;
  Planes picture(from);
  for (int plane = 0; plane < 3; ++plane) {
    for (int y = 0; y < from.plane_height(plane); ++y) {
      for (int x = 0; x < from.plane_width(plane); ++x) put(picture, plane, x, y, 40 + 50 * plane);
    }
  }
  const Planes limited = resize(picture, to, ChromaSiting::kLeft, false);
  const Planes full = resize(picture, to, ChromaSiting::kLeft, true);
  for (int plane = 0; plane < 3; ++plane) {
    const int code = 40 + 50 * plane;
    CHECK(get(limited, plane, 3, 3) == code * 4);
    const double ratio = 1023.0 / 255.0;
    // Chroma around its middle: no colour stays no colour.
    const double expected = plane == 0 ? code * ratio : (code - 128) * ratio + 512;
    CHECK(std::abs(get(full, plane, 3, 3) - expected) <= 0.51);
  }
}

TEST_CASE("full-range chroma without colour stays without colour") {
  const PlaneFormat from{20, 20, 3, 1, 1, 10, false};
  PlaneFormat to = from;
  to.depth = 8;
  const Planes result =
      resize(draw(from, ChromaSiting::kLeft, [](double, double) { return 512.0 / 1023; }), to,
             ChromaSiting::kLeft, true);
  for (int y = 0; y < 10; ++y) {
    for (int x = 0; x < 10; ++x) CHECK(get(result, 1, x, y) == 128);
  }
}

TEST_CASE("a drop of depth is dithered: the mean survives, the result repeats") {
  const PlaneFormat from{64, 64, 1, 0, 0, 16, false};
  PlaneFormat to = from;
  to.depth = 8;
  Planes picture(from);
  const double code = 100.25;  // in 8 bits: between two codes
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) put(picture, 0, x, y, code * 256);
  }
  const Planes first = resize(picture, to, ChromaSiting::kLeft);
  const Planes second = resize(picture, to, ChromaSiting::kLeft);
  double sum = 0;
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      CHECK(get(first, 0, x, y) == get(second, 0, x, y));
      sum += get(first, 0, x, y);
    }
  }
  CHECK(std::abs(sum / 4096 - code) < 0.02);
}

TEST_CASE("the same format comes out as it went in") {
  const PlaneFormat format{31, 17, 3, 1, 1, 8, false};
  const Planes picture = draw(format, ChromaSiting::kLeft, [](const double u, const double v) {
    return 0.5 + 0.5 * std::sin(40 * u) * std::cos(31 * v);
  });
  const Planes result = resize(picture, format, ChromaSiting::kLeft);
  visit(format, ChromaSiting::kLeft,
        [&](const int plane, const int x, const int y, double, double) {
          CHECK(get(result, plane, x, y) == get(picture, plane, x, y));
        });
}

TEST_CASE("planes the source lacks are neutral, planes the target lacks are dropped") {
  const PlaneFormat gray{9, 7, 1, 0, 0, 8, false};
  const PlaneFormat full{9, 7, 4, 1, 1, 10, false};
  const Planes wide = resize(draw(gray, ChromaSiting::kLeft, kSlope), full, ChromaSiting::kLeft);
  CHECK(get(wide, 1, 4, 3) == 512);
  CHECK(get(wide, 2, 0, 0) == 512);
  CHECK(get(wide, 3, 8, 6) == 1023);
  const Planes narrow = resize(wide, gray, ChromaSiting::kLeft);
  CHECK(narrow.format() == gray);
}

TEST_CASE("sizes down to one sample work") {
  for (const int width : {1, 2, 3}) {
    for (const int height : {1, 2, 5}) {
      const PlaneFormat source{width, height, 3, 1, 1, 8, false};
      PlaneFormat target = source;
      target.width *= 2;
      target.height *= 2;
      const Planes result =
          resize(draw(source, ChromaSiting::kLeft, [](double, double) { return 0.6; }), target,
                 ChromaSiting::kLeft);
      visit(target, ChromaSiting::kLeft,
            [&](const int plane, const int x, const int y, double, double) {
              CHECK(get(result, plane, x, y) == 153);
            });
    }
  }
}

}  // namespace
}  // namespace streamvsr
