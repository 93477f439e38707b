#include "temporal/flow.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/clones.h"
#include "temporal/agree.h"
#include "temporal/flow_constants.h"

namespace streamvsr {

namespace {

using namespace flow;  // NOLINT: its constants

constexpr int kStep = MotionField::kCell;
constexpr int kInset = (kPatch - kStep) / 2;  // of a cell in its patch
constexpr int kRowsAtOnce = 8;                // of cells, in one piece of work

using Floats = float __attribute__((vector_size(kPatch * sizeof(float))));
using Words = std::int32_t __attribute__((vector_size(kPatch * sizeof(std::int32_t))));

struct Vector {
  float x = 0.0F, y = 0.0F;
};
enum class Fit : std::uint8_t {
  kMoved,
  kStays,  // fits where it is, too
  kSame,   // so well that no more was looked for
};
struct Patch {
  Vector at;
  float error = 0.0F;  // mean difference, codes
  Fit fit = Fit::kMoved;
};

// By way of 32-bit numbers: from bytes at once the compiler would go one by one.
[[gnu::always_inline]] inline void load(Floats& v, const std::uint8_t* from) {
  Words words;
  for (int i = 0; i < kPatch; ++i) words[i] = from[i];
  v = __builtin_convertvector(words, Floats);
}
[[gnu::always_inline]] inline float total(const Floats& v) {
  return ((v[0] + v[4]) + (v[1] + v[5])) + ((v[2] + v[6]) + (v[3] + v[7]));
}

// A patch of a plane at a place between its samples.
[[gnu::always_inline]] inline void sample(const std::uint8_t* from, const std::ptrdiff_t stride,
                                          const float fx, const float fy, Floats (&out)[kPatch]) {
  Floats left;
  Floats right;
  load(left, from);
  load(right, from + 1);
  Floats above = left + (right - left) * fx;
  for (int y = 0; y < kPatch; ++y) {
    from += stride;
    load(left, from);
    load(right, from + 1);
    const Floats below = left + (right - left) * fx;
    out[y] = above + (below - above) * fy;
    above = below;
  }
}

// Aligns the patch at (x, y) of `now` in `before`, beginning at found.at.
STREAMVSR_CLONES void align(const GrayPlane& now, const GrayPlane& before, const int x, const int y,
                            Patch& found) {
  Floats patch[kPatch];
  Floats gx[kPatch];
  Floats gy[kPatch];
  const std::ptrdiff_t stride = now.stride();
  const std::uint8_t* row = now.at(x, y);
  Floats sum_x{};
  Floats sum_y{};
  Floats above;
  Floats below;
  load(above, row - stride);
  load(patch[0], row);
  for (int i = 0; i < kPatch; ++i) {
    Floats left;
    Floats right;
    load(left, row - 1);
    load(right, row + 1);
    load(below, row + stride);
    gx[i] = (right - left) * 0.5F;
    gy[i] = (below - above) * 0.5F;
    sum_x += gx[i];
    sum_y += gy[i];
    above = patch[i];
    if (i + 1 < kPatch) patch[i + 1] = below;
    row += stride;
  }
  constexpr float kCount = kPatch * kPatch;
  const float mean_x = total(sum_x) / kCount;
  const float mean_y = total(sum_y) / kCount;
  Floats xx{};
  Floats xy{};
  Floats yy{};
  for (int i = 0; i < kPatch; ++i) {
    gx[i] -= mean_x;
    gy[i] -= mean_y;
    xx += gx[i] * gx[i];
    xy += gx[i] * gy[i];
    yy += gy[i] * gy[i];
  }
  const float a = total(xx);
  const float b = total(xy);
  const float c = total(yy);
  const float determinant = a * c - b * b;

  const Vector begin = found.at;
  Vector best = begin;
  Vector at = begin;
  float least = kNever;
  for (int step = 0; step <= kSteps; ++step) {
    const float px = std::clamp(static_cast<float>(x) + at.x, kFirstPlace,
                                static_cast<float>(before.width() + kLastPlace));
    const float py = std::clamp(static_cast<float>(y) + at.y, kFirstPlace,
                                static_cast<float>(before.height() + kLastPlace));
    const float ix = std::floor(px);
    const float iy = std::floor(py);
    Floats seen[kPatch];
    sample(before.at(static_cast<int>(ix), static_cast<int>(iy)), before.stride(), px - ix, py - iy,
           seen);
    Floats sum{};
    Floats bx{};
    Floats by{};
    for (int i = 0; i < kPatch; ++i) {
      seen[i] -= patch[i];
      sum += seen[i];
      bx += seen[i] * gx[i];
      by += seen[i] * gy[i];
    }
    const float mean = total(sum) / kCount;
    Floats difference{};
    for (int i = 0; i < kPatch; ++i) {
      const Floats d = seen[i] - mean;
      difference += d < 0.0F ? -d : d;
    }
    const float error = total(difference) / kCount;
    const bool better = error < least - kGain;
    if (error < least) {
      least = error;
      best = at;
    }
    if (!better) break;
    if (error <= kGoodFit || determinant < kFlat * kFlat || step == kSteps) break;
    const float dx = (c * total(bx) - b * total(by)) / determinant;
    const float dy = (a * total(by) - b * total(bx)) / determinant;
    at.x -= dx;
    at.y -= dy;
    if (std::abs(at.x - begin.x) > kFarthest || std::abs(at.y - begin.y) > kFarthest) break;
    if (std::abs(dx) < kStill && std::abs(dy) < kStill) break;
  }
  found.at = best;
  found.error = least;
}

// Mean difference of a patch that stays where it is, as align() measures it.
STREAMVSR_CLONES float staying(const GrayPlane& now, const GrayPlane& before, const int x,
                               const int y) {
  Floats d[kPatch];
  Floats sum{};
  for (int i = 0; i < kPatch; ++i) {
    Floats there;
    load(d[i], now.at(x, y + i));
    load(there, before.at(x, y + i));
    d[i] -= there;
    sum += d[i];
  }
  const float mean = total(sum) / (kPatch * kPatch);
  Floats difference{};
  for (int i = 0; i < kPatch; ++i) {
    const Floats e = d[i] - mean;
    difference += e < 0.0F ? -e : e;
  }
  return total(difference) / (kPatch * kPatch);
}

struct Level {
  int columns = 0, rows = 0;
  std::vector<Patch> patches;
  std::vector<Vector> cells;

  Level(const int width, const int height)
      : columns((width + kStep - 1) / kStep),
        rows((height + kStep - 1) / kStep),
        patches(static_cast<std::size_t>(columns) * static_cast<std::size_t>(rows)),
        cells(patches.size()) {}
  std::size_t index(const int column, const int row) const {
    return static_cast<std::size_t>(std::min(row, rows - 1)) * static_cast<std::size_t>(columns) +
           static_cast<std::size_t>(std::min(column, columns - 1));
  }
};

// A cell moved as the patches around it, those that fit best above all.
void settle(Level& level, const int column, const int row) {
  Vector sum;
  float weights = 0.0F;
  for (int j = std::max(0, row - 1); j <= std::min(level.rows - 1, row + 1); ++j) {
    for (int i = std::max(0, column - 1); i <= std::min(level.columns - 1, column + 1); ++i) {
      const Patch& patch = level.patches[level.index(i, j)];
      const float fit = 1.0F / std::max(1.0F, patch.error);
      const float weight = fit * fit * (i == column && j == row ? 4.0F : 1.0F);
      sum.x += weight * patch.at.x;
      sum.y += weight * patch.at.y;
      weights += weight;
    }
  }
  level.cells[level.index(column, row)] = {sum.x / weights, sum.y / weights};
}

// What is known of the cells of the last level.
CellMotions known(const Level& level) {
  CellMotions motions(level.columns, level.rows);
  for (std::size_t cell = 0; cell < level.cells.size(); ++cell) {
    const Patch& patch = level.patches[cell];
    motions.x[cell] = level.cells[cell].x;
    motions.y[cell] = level.cells[cell].y;
    motions.still[cell] = patch.fit == Fit::kMoved ? 0.0F : 1.0F;
    if (patch.fit == Fit::kSame) motions.weight[cell] = kCopied;
  }
  return motions;
}

std::int16_t in_units(const float samples) {
  return static_cast<std::int16_t>(std::lround(samples * MotionField::kUnit));
}

}  // namespace

std::size_t MotionField::origin(const int column, const int row) const {
  constexpr int kWidth = kUnit * kCell;
  const auto along = [](const int cell, const int way, const int count) {
    const int middle = cell * kWidth + kWidth / 2 + way;
    return std::clamp(middle, 0, count * kWidth - 1) / kWidth;
  };
  const std::size_t cell = index(column, row);
  return index(along(column, dx[cell], columns), along(row, dy[cell], rows));
}

std::optional<SearchedLevels> searched_levels(const GrayPyramid& now, const int finest,
                                              const int coarsest) {
  if (std::min(now.full().width(), now.full().height()) < 2 * kPatch) return std::nullopt;
  const int smallest = static_cast<int>(now.levels().size()) - 1;
  const int last = std::clamp(finest, 0, smallest);
  return SearchedLevels{std::clamp(coarsest, last, smallest), last};
}

MotionField spread(const CellMotions& motions, const int level, const GrayPlane& picture) {
  MotionField field(picture.width(), picture.height());
  const auto scale = static_cast<float>(1 << level);
  for (int row = 0; row < field.rows; ++row) {
    for (int column = 0; column < field.columns; ++column) {
      const std::size_t from = motions.index(std::min(column >> level, motions.columns - 1),
                                             std::min(row >> level, motions.rows - 1));
      const std::size_t to = field.index(column, row);
      field.dx[to] = in_units(motions.x[from] * scale);
      field.dy[to] = in_units(motions.y[from] * scale);
    }
  }
  return field;
}

MotionField find_flow(const GrayPyramid& now, const GrayPyramid& before, const int finest,
                      const Parallel& parallel, const int coarsest) {
  const auto searched = searched_levels(now, finest, coarsest);
  if (!searched) return MotionField(now.full().width(), now.full().height());
  const int first = searched->first;
  const int last = searched->last;
  Level coarser(0, 0);
  for (int l = first; l >= last; --l) {
    const GrayPlane& here = now.levels()[static_cast<std::size_t>(l)];
    const GrayPlane& there = before.levels()[static_cast<std::size_t>(l)];
    Level level(here.width(), here.height());
    const int pieces = (level.rows + kRowsAtOnce - 1) / kRowsAtOnce;
    const auto rows_of = [&](const int piece, const auto& work) {
      const int end = std::min(level.rows, (piece + 1) * kRowsAtOnce);
      for (int row = piece * kRowsAtOnce; row < end; ++row) {
        for (int column = 0; column < level.columns; ++column) work(column, row);
      }
    };
    parallel(pieces, [&](const int piece) {
      rows_of(piece, [&](const int column, const int row) {
        Patch& patch = level.patches[level.index(column, row)];
        if (coarser.columns > 0) {
          const Vector& from = coarser.cells[coarser.index(column / 2, row / 2)];
          patch.at = {2.0F * from.x, 2.0F * from.y};
        }
        const int x = column * kStep - kInset;
        const int y = row * kStep - kInset;
        // On a small level a small motion would be lost by this.
        const float still = l == last ? staying(here, there, x, y) : kNever;
        if (still > kGoodFit) align(here, there, x, y, patch);
        if (still <= kGoodFit) {
          patch = {{}, still, Fit::kSame};
        } else if (still <= patch.error + kMargin) {
          patch.fit = Fit::kStays;
        }
      });
    });
    parallel(pieces, [&](const int piece) {
      rows_of(piece, [&](const int column, const int row) { settle(level, column, row); });
    });
    coarser = std::move(level);
  }
  return spread(agreed(known(coarser), parallel), last, now.full());
}

FlowFinder& flow_by_loops() {
  class Loops final : public FlowFinder {
    MotionField find(const GrayPyramid& now, const GrayPyramid& before, const int finest,
                     const Parallel& parallel, const int coarsest) override {
      return find_flow(now, before, finest, parallel, coarsest);
    }
  };
  static Loops loops;
  return loops;
}

}  // namespace streamvsr
