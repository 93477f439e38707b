#include "temporal/relation.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "base/clones.h"

namespace streamvsr {

namespace {

constexpr int kCell = MotionField::kCell;
constexpr int kUnit = MotionField::kUnit;
constexpr int kRowsAtOnce = 8;

constexpr float kFound = 6.0F;       // codes of difference within which a cell is found again
constexpr float kFoundShare = 0.5F;  // or so much of what it differs from its own mean
constexpr float kFoundLeast = 1.0F / 3.0F;
constexpr float kFoundFew = 2.0F / 3.0F;
constexpr float kHistogramsDiffer = 0.3F;

struct Sums {
  int absolute = 0;
  int signed_sum = 0;
};

// One cell's differences; both planes reach as far as a cell and a sample. All samples of the cell
// stand in a row, so that one vector holds them.
[[gnu::always_inline]] inline Sums compare(const std::uint8_t* a, const std::ptrdiff_t a_stride,
                                           const std::uint8_t* b, const std::ptrdiff_t b_stride,
                                           const int fx, const int fy) {
  constexpr int kSamples = kCell * kCell;
  std::uint8_t own[kSamples];
  std::uint8_t left[kSamples + kCell];
  std::uint8_t right[kSamples + kCell];
  for (int y = 0; y < kCell; ++y) std::memcpy(own + y * kCell, a + y * a_stride, kCell);
  for (int y = 0; y <= kCell; ++y) {
    std::memcpy(left + y * kCell, b + y * b_stride, kCell);
    std::memcpy(right + y * kCell, b + y * b_stride + 1, kCell);
  }
  Sums sums;
  for (int i = 0; i < kSamples; ++i) {
    const int above = left[i] * (kUnit - fx) + right[i] * fx;
    const int below = left[i + kCell] * (kUnit - fx) + right[i + kCell] * fx;
    const int there = (above * (kUnit - fy) + below * fy + kUnit * kUnit / 2) / (kUnit * kUnit);
    const int d = own[i] - there;
    sums.absolute += std::abs(d);
    sums.signed_sum += d;
  }
  return sums;
}

STREAMVSR_CLONES void compare_row(const GrayPlane& now, const GrayPlane& before,
                                  const MotionField& motion, const int row, Sums* out) {
  for (int column = 0; column < motion.columns; ++column) {
    const std::size_t cell = motion.index(column, row);
    const int dx = motion.dx[cell];
    const int dy = motion.dy[cell];
    const int x = std::clamp(column * kCell + (dx >> 4), 1 - GrayPlane::kBorder,
                             before.width() + GrayPlane::kBorder - kCell - 2);
    const int y = std::clamp(row * kCell + (dy >> 4), 1 - GrayPlane::kBorder,
                             before.height() + GrayPlane::kBorder - kCell - 2);
    out[column] = compare(now.at(column * kCell, row * kCell), now.stride(), before.at(x, y),
                          before.stride(), dx & (kUnit - 1), dy & (kUnit - 1));
  }
}

// How much a cell and those around it differ from their mean, in the mean.
STREAMVSR_CLONES float deviation(const GrayPlane& plane, const int column, const int row) {
  int sum = 0;
  for (int y = 0; y < 3 * kCell; ++y) {
    const std::uint8_t* const line = plane.at((column - 1) * kCell, (row - 1) * kCell + y);
    for (int x = 0; x < 3 * kCell; ++x) sum += line[x];
  }
  constexpr int kCount = 9 * kCell * kCell;
  const int mean = (sum + kCount / 2) / kCount;
  int difference = 0;
  for (int y = 0; y < 3 * kCell; ++y) {
    const std::uint8_t* const line = plane.at((column - 1) * kCell, (row - 1) * kCell + y);
    for (int x = 0; x < 3 * kCell; ++x) difference += std::abs(line[x] - mean);
  }
  return static_cast<float>(difference) / kCount;
}

bool is_cut(const GrayPyramid& now, const GrayPyramid& before, const MotionField& motion,
            const CellDifferences& left) {
  std::size_t found = 0;
  for (int row = 0; row < motion.rows; ++row) {
    for (int column = 0; column < motion.columns; ++column) {
      const float difference = left.absolute[motion.index(column, row)];
      found +=
          difference <= kFound || difference <= kFoundShare * deviation(now.full(), column, row)
              ? 1
              : 0;
    }
  }
  const float share = static_cast<float>(found) / static_cast<float>(left.absolute.size());
  float apart = 0.0F;
  for (std::size_t bin = 0; bin < now.histogram().size(); ++bin) {
    apart += std::abs(now.histogram()[bin] - before.histogram()[bin]) / 2.0F;
  }
  return share < kFoundLeast || (share < kFoundFew && apart > kHistogramsDiffer);
}

}  // namespace

CellDifferences differences(const GrayPlane& now, const GrayPlane& before,
                            const MotionField& motion, const Parallel& parallel) {
  static_assert(kUnit == 16);
  const auto columns = static_cast<std::size_t>(motion.columns);
  std::vector<Sums> cells(motion.dx.size());
  const int pieces = (motion.rows + kRowsAtOnce - 1) / kRowsAtOnce;
  const auto rows_of = [&](const int piece, const auto& work) {
    const int end = std::min(motion.rows, (piece + 1) * kRowsAtOnce);
    for (int row = piece * kRowsAtOnce; row < end; ++row) work(row);
  };
  parallel(pieces, [&](const int piece) {
    rows_of(piece, [&](const int row) {
      compare_row(now, before, motion, row, cells.data() + static_cast<std::size_t>(row) * columns);
    });
  });
  CellDifferences result;
  result.absolute.resize(cells.size());
  result.mean.resize(cells.size());
  parallel(pieces, [&](const int piece) {
    rows_of(piece, [&](const int row) {
      for (int column = 0; column < motion.columns; ++column) {
        Sums sums;
        int count = 0;
        for (int j = std::max(0, row - 1); j <= std::min(motion.rows - 1, row + 1); ++j) {
          for (int i = std::max(0, column - 1); i <= std::min(motion.columns - 1, column + 1);
               ++i) {
            const Sums& one = cells[motion.index(i, j)];
            sums.absolute += one.absolute;
            sums.signed_sum += one.signed_sum;
            ++count;
          }
        }
        const auto samples = static_cast<float>(count * kCell * kCell);
        result.absolute[motion.index(column, row)] = static_cast<float>(sums.absolute) / samples;
        result.mean[motion.index(column, row)] = static_cast<float>(sums.signed_sum) / samples;
      }
    });
  });
  return result;
}

Relation relate(const GrayPyramid& now, const GrayPyramid& before, const MotionSearch& search,
                const Parallel& parallel, FlowFinder& finder) {
  Relation relation;
  relation.motion = MotionField(now.full().width(), now.full().height());
  relation.reliable.assign(relation.motion.dx.size(), 1);
  MotionField& motion = relation.motion;
  if (search.flow) {
    motion = finder.find(now, before, search.finest, parallel);
  } else {
    // How far a thing went does not matter, so nothing is looked for in the distance.
    const MotionField near = finder.find(now, before, 0, parallel, 0);
    for (std::size_t cell = 0; cell < relation.reliable.size(); ++cell)
      relation.reliable[cell] = near.dx[cell] == 0 && near.dy[cell] == 0 ? 1 : 0;
  }
  relation.left = differences(now.full(), before.full(), motion, parallel);
  relation.cut = is_cut(now, before, motion, relation.left);
  if (!search.flow || relation.cut) return relation;
  const MotionField back = finder.find(before, now, search.finest + 1, parallel);
  for (int row = 0; row < motion.rows; ++row) {
    for (int column = 0; column < motion.columns; ++column) {
      const std::size_t cell = motion.index(column, row);
      const int dx = motion.dx[cell];
      const int dy = motion.dy[cell];
      // What stays where it is and looks the same there needs no other proof.
      if (dx == 0 && dy == 0) continue;
      const std::size_t there = motion.origin(column, row);
      const int error = std::abs(dx + back.dx[there]) + std::abs(dy + back.dy[there]);
      const int way = std::abs(dx) + std::abs(dy);
      if (error > kUnit / 2 + way / 10) relation.reliable[cell] = 0;
    }
  }
  return relation;
}

void chain(MotionField& motion, std::vector<std::uint8_t>& reliable, const Relation& further) {
  const auto add = [](const int a, const int b) {
    return static_cast<std::int16_t>(std::clamp(a + b, -32000, 32000));
  };
  for (int row = 0; row < motion.rows; ++row) {
    for (int column = 0; column < motion.columns; ++column) {
      const std::size_t cell = motion.index(column, row);
      const std::size_t there = motion.origin(column, row);
      reliable[cell] &= further.reliable[there];
      motion.dx[cell] = add(motion.dx[cell], further.motion.dx[there]);
      motion.dy[cell] = add(motion.dy[cell], further.motion.dy[there]);
    }
  }
}

}  // namespace streamvsr
