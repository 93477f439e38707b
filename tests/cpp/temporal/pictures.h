// Pictures for the tests of the temporal stage.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "color/planes.h"

namespace streamvsr::testing {

inline PlaneFormat gray_format(const int width, const int height, const int depth = 8) {
  return {width, height, 1, 0, 0, depth, false};
}

template <class Value>
Planes make_picture(const PlaneFormat& format, const Value& value) {
  Planes picture(format);
  const double most = (1 << format.depth) - 1;
  for (int p = 0; p < format.plane_count; ++p) {
    for (int y = 0; y < format.plane_height(p); ++y) {
      for (int x = 0; x < format.plane_width(p); ++x) {
        const double code = std::clamp(std::round(value(p, x, y) * most / 255.0), 0.0, most);
        if (format.depth > 8) {
          picture.row<std::uint16_t>(p, y)[x] = static_cast<std::uint16_t>(code);
        } else {
          picture.row<std::uint8_t>(p, y)[x] = static_cast<std::uint8_t>(code);
        }
      }
    }
  }
  return picture;
}

// Values 0..1 at the corners of a lattice, smooth between them.
inline double lattice(const double x, const double y, const double scene) {
  const auto corner = [scene](const double i, const double j) {
    const double value = std::sin(i * 127.1 + j * 311.7 + scene * 74.7) * 43758.5453;
    return value - std::floor(value);
  };
  const double i = std::floor(x);
  const double j = std::floor(y);
  const auto smooth = [](const double t) { return t * t * (3.0 - 2.0 * t); };
  const double u = smooth(x - i);
  const double v = smooth(y - j);
  return (corner(i, j) * (1 - u) + corner(i + 1, j) * u) * (1 - v) +
         (corner(i, j + 1) * (1 - u) + corner(i + 1, j + 1) * u) * v;
}

// A texture without repetition, 20..235; what is at (x, y) is as well defined between samples.
inline double texture(const double x, const double y, const double scene = 0.0) {
  return 20.0 + 110.0 * lattice(x / 29.0, y / 29.0, scene) +
         65.0 * lattice(x / 11.0 + 50.0, y / 11.0, scene) +
         40.0 * lattice(x / 5.0, y / 5.0 + 50.0, scene);
}

// A texture moved by (dx, dy) samples, with noise of a standard deviation.
inline Planes textured(const PlaneFormat& format, const double dx, const double dy,
                       const double noise = 0.0, const unsigned seed = 1,
                       const double scene = 0.0) {
  std::mt19937 random(seed);
  std::normal_distribution<double> deviate(0.0, 1.0);
  return make_picture(format, [&](const int p, const int x, const int y) {
    const double sx = p == 1 || p == 2 ? 1 << format.log2_sub_x : 1;
    const double sy = p == 1 || p == 2 ? 1 << format.log2_sub_y : 1;
    return texture(x * sx - dx, y * sy - dy, scene + p) +
           (noise > 0.0 ? noise * deviate(random) : 0.0);
  });
}

inline bool same(const Planes& a, const Planes& b) {
  const PlaneFormat& format = a.format();
  if (!(format == b.format())) return false;
  for (int p = 0; p < format.plane_count; ++p) {
    for (int y = 0; y < format.plane_height(p); ++y) {
      if (std::memcmp(a.row<std::uint8_t>(p, y), b.row<std::uint8_t>(p, y),
                      static_cast<std::size_t>(format.plane_width(p)) *
                          static_cast<std::size_t>(format.bytes_per_sample())) != 0) {
        return false;
      }
    }
  }
  return true;
}

// Mean square difference of a plane's samples, without so many at the edges.
inline double difference(const Planes& a, const Planes& b, const int plane = 0,
                         const int inset = 0) {
  const PlaneFormat& format = a.format();
  double sum = 0.0;
  std::int64_t count = 0;
  for (int y = inset; y < format.plane_height(plane) - inset; ++y) {
    for (int x = inset; x < format.plane_width(plane) - inset; ++x) {
      const double d = format.depth > 8
                           ? a.row<std::uint16_t>(plane, y)[x] - b.row<std::uint16_t>(plane, y)[x]
                           : a.row<std::uint8_t>(plane, y)[x] - b.row<std::uint8_t>(plane, y)[x];
      sum += d * d;
      ++count;
    }
  }
  return count > 0 ? sum / static_cast<double>(count) : 0.0;
}

}  // namespace streamvsr::testing
