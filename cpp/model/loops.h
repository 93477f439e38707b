// The passes over a row between two matrix products. All are elementwise, so a result depends
// neither on the vector unit nor on how a row is cut.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model/sample.h"

namespace streamvsr {

enum class Activation { kNone, kRelu, kSlope };

// Where a stage's finished row goes: as one of the three rows of a pixel in up to three windows of
// the next convolution. Null: not wanted. stride: values from pixel to pixel.
template <class T>
struct Targets {
  T* row[3] = {};
  int stride = 0;
};

// target = round(activation(c + bias)) for `count` pixels of `pitch` values, a multiple of 16.
// Either the first target alone or all three are set.
void finish_row(const float* c, int count, int pitch, const float* bias, Activation activation,
                const float* slope, const Targets<float>& targets);
void finish_row(const float* c, int count, int pitch, const float* bias, Activation activation,
                const float* slope, const Targets<Bf16>& targets);

// The same in place and one at a time, for stages with skips and for the last one. Any pitch.
void add_bias(float* c, int count, int pitch, const float* bias);
void apply_relu(float* c, int count, int pitch);
void apply_slope(float* c, int count, int pitch, const float* slope);
// Adds the first `channels` of each pixel from a ring's row / keeps them there.
template <class T>
void add_row(float* c, int count, int pitch, const T* kept, int channels);
template <class T>
void keep_row(const float* c, int count, int pitch, T* kept, int channels);

// v[x][n] = c[x][n] + c[x + 1][outs + n] + c[x + 2][2 outs + n]: the shares of a folded product.
void unfold(const float* c, int columns, int count, int outs, float* v);

// One row of integer samples to value / maximum.
void read_row(const std::uint8_t* samples, int count, float maximum, float* row);
void read_row(const std::uint16_t* samples, int count, float maximum, float* row);

// A row of numbers to the engine's type.
void round_row(const float* row, int count, float* out);
void round_row(const float* row, int count, Bf16* out);

// Channel-planar rows to the window a first convolution reads: out[(x * rows + r) * channels + c] =
// lines[r][c][x]. lines: rows * channels pointers, row-major; a null row stands for zeros.
template <class T>
void interleave(const T* const* lines, int rows, int channels, int count, T* out);

// One output plane's rows: out[dy][x * scale + dx] = round(clamp(v[x][dy * scale + dx] + source[x])
// * maximum), ties to even. v: `pitch` values a pixel. source: null without a residual.
template <class Sample>
struct OutputRows {
  Sample* row[4] = {};  // scale of them
  int scale = 1;        // 1..4
  float maximum = 255;  // 2^depth - 1
};
void write_rows(const float* v, int count, int pitch, const float* source,
                const OutputRows<std::uint8_t>& out);
void write_rows(const float* v, int count, int pitch, const float* source,
                const OutputRows<std::uint16_t>& out);

}  // namespace streamvsr
