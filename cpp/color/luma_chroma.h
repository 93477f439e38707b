// Planes of luma and chroma as sums, for whoever computes them elsewhere than zimg: plain numbers.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace streamvsr {

// A line of samples made of another line: sample i is the sum, over k below taps, of
// weight[k * size + i] times the other's sample index[k * size + i]. No taps: it is the other line.
struct LineSums {
  int size = 0;  // samples
  int taps = 0;
  std::vector<std::int32_t> index;
  std::vector<float> weight;
};

// What planes of luma and chroma are to red, green and blue of 0..1.
struct LumaChroma {
  int depth = 8;       // of the codes, 8..16
  int planes = 3;      // 1: luma alone
  int cell_width = 1;  // luma samples that share one of chroma, across
  int cell_height = 1;
  // Rows of what is made, columns of what it is made of, and what is added. From codes of Y, Cb and
  // Cr to R, G and B, or from R, G and B to codes.
  std::array<std::array<float, 4>, 3> matrix{};
  // Chroma's size made luma's, or luma's chroma's: columns and rows.
  LineSums across;
  LineSums down;
};

}  // namespace streamvsr
