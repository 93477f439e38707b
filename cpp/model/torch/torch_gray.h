// What the search for motion and its refinement read pictures by, on the device.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

namespace streamvsr {

// Squares of samples at a time: enough to keep a device busy, few enough for little memory.
inline constexpr std::int64_t kAtOnce = 32768;

// A level of a picture.
struct Gray {
  at::Tensor samples;  // bytes, border included
  std::int64_t width = 0, height = 0, border = 0;
  std::int64_t stride() const { return width + 2 * border; }
};

// Where squares of samples are: their corners.
struct Places {
  at::Tensor x, y;  // whole numbers, (n)
  // Of the samples so far up and to the left of the corners.
  at::Tensor index(const Gray& gray, std::int64_t inset) const;
};

// 0 to end - 1, on the device of `like`.
at::Tensor count_to(std::int64_t end, const at::Tensor& like);
// Squares of samples, (side, side, n), whose corners lie at these indices.
at::Tensor squares(const Gray& gray, const at::Tensor& corners, std::int64_t side,
                   at::ScalarType type);
// Of squares, smaller ones from this row and column on.
at::Tensor inner_square(const at::Tensor& squares, std::int64_t row, std::int64_t column,
                        std::int64_t side);

}  // namespace streamvsr
