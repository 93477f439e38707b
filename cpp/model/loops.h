// The passes over a row between two matrix products. All are elementwise, so a result depends
// neither on the vector unit nor on how a row is cut.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model/sample.h"

namespace streamvsr {

enum class Activation {
  kNone,
  kRelu,
  kSlope,  // max(x, slope * x): what a PReLU is while no slope is above 1, in two operations
};

// target[x * stride + n] = round(activation(c[x * pitch + n] + bias[n])) for `count` pixels of
// `pitch` values, a multiple of 16.
void finish_row(const float* c, int count, int pitch, const float* bias, Activation activation,
                const float* slope, float* target, int stride);
void finish_row(const float* c, int count, int pitch, const float* bias, Activation activation,
                const float* slope, Bf16* target, int stride);

// The same in place and one at a time, for stages with skips and for the last one. Any pitch.
void add_bias(float* c, int count, int pitch, const float* bias);
void apply_relu(float* c, int count, int pitch);
void apply_slope(float* c, int count, int pitch, const float* slope);
// Adds the first `channels` of each pixel from a ring's row / keeps them there.
template <class T>
void add_row(float* c, int count, int pitch, const T* kept, int channels);
template <class T>
void keep_row(const float* c, int count, int pitch, T* kept, int channels);

// v[x][n] = c[x][n] + c[x + 1][outs + n] + c[x + 2][2 outs + n] + bias[n]: the shares of a folded
// product.
void unfold(const float* c, int columns, int count, int outs, const float* bias, float* v);

// One row of integer samples to value / maximum.
void read_row(const std::uint8_t* samples, int count, float maximum, float* row);
void read_row(const std::uint16_t* samples, int count, float maximum, float* row);

// A row of numbers in the engine's type, `stride` values apart.
void round_row(const float* row, int count, float* out, int stride);
void round_row(const float* row, int count, Bf16* out, int stride);

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
