#include "temporal/detail.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/clones.h"
#include "temporal/flow.h"

namespace streamvsr {

namespace {

constexpr int kCell = MotionField::kCell;
constexpr int kRowsAtOnce = 8;  // of cells, in one piece of work

// The border makes steps at the edges, too.
STREAMVSR_CLONES void add_steps(const std::uint8_t* row, const std::ptrdiff_t stride,
                                const int count, int* sums) {
  for (int x = 0; x < count; ++x) {
    sums[x] += std::abs(row[x + 1] - row[x]) + std::abs(row[x + stride] - row[x]);
  }
}

}  // namespace

std::vector<float> detail(const GrayPlane& gray, const Parallel& parallel) {
  const MotionField cells(gray.width(), gray.height());
  std::vector<float> single(cells.dx.size());
  std::vector<float> around(single.size());
  const int pieces = (cells.rows + kRowsAtOnce - 1) / kRowsAtOnce;
  const auto by_rows = [&](const auto& work) {
    parallel(pieces, [&](const int piece) {
      const int end = std::min(cells.rows, (piece + 1) * kRowsAtOnce);
      for (int row = piece * kRowsAtOnce; row < end; ++row) work(row);
    });
  };
  by_rows([&](const int row) {
    std::vector<int> sums(static_cast<std::size_t>(cells.columns * kCell));
    for (int y = 0; y < kCell; ++y) {
      add_steps(gray.at(0, row * kCell + y), gray.stride(), cells.columns * kCell, sums.data());
    }
    for (int column = 0; column < cells.columns; ++column) {
      int sum = 0;
      for (int x = 0; x < kCell; ++x) sum += sums[static_cast<std::size_t>(column * kCell + x)];
      single[cells.index(column, row)] = static_cast<float>(sum) / (kCell * kCell);
    }
  });
  by_rows([&](const int row) {
    for (int column = 0; column < cells.columns; ++column) {
      float sum = 0.0F;
      int count = 0;
      for (int j = std::max(0, row - 1); j <= std::min(cells.rows - 1, row + 1); ++j) {
        for (int i = std::max(0, column - 1); i <= std::min(cells.columns - 1, column + 1); ++i) {
          sum += single[cells.index(i, j)];
          ++count;
        }
      }
      around[cells.index(column, row)] = sum / static_cast<float>(count);
    }
  });
  return around;
}

float stands_in(const float earlier, const float now) {
  const float share = std::min(1.0F, (earlier + kAnyDetail) / (now + kAnyDetail));
  const float square = share * share;
  return square * square;
}

}  // namespace streamvsr
