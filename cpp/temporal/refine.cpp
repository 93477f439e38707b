#include "temporal/refine.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#include "base/clones.h"

namespace streamvsr {

namespace {

constexpr int kCell = MotionField::kCell;
constexpr int kUnit = MotionField::kUnit;
constexpr int kRowsAtOnce = 16;  // of cells, in one piece of work

constexpr float kNoise = 4.0F;       // codes; cells that fit worse count for less
constexpr float kSmoothness = 3.5F;  // how hard neighbours pull
constexpr float kBorder = 0.05F;     // samples; from here on neighbours pull the less
constexpr float kHeld = 10.0F;       // how hard a cell that has not moved is held
constexpr float kFarthest = 2.0F;    // samples, each way, from where the search ended
constexpr int kRounds = 20;          // towards the balance
constexpr float kRadius = 0.97F;     // of the rounds' matrix, about

// One number a cell, with a border of a cell.
class Field {
 public:
  Field(const int columns, const int rows)
      : stride_(columns + 2),
        data_(static_cast<std::size_t>(stride_) * static_cast<std::size_t>(rows + 2)) {}
  float* row(const int y) { return data_.data() + (y + 1) * stride_ + 1; }
  const float* row(const int y) const { return data_.data() + (y + 1) * stride_ + 1; }

 private:
  std::ptrdiff_t stride_;
  std::vector<float> data_;
};

struct Ways {
  Field x, y;  // samples
  Ways(const int columns, const int rows) : x(columns, rows), y(columns, rows) {}
};

// Means over the samples of a cell: of the gradient, of the difference that its way leaves, and of
// their products; codes.
struct Moments {
  float x, y, t, xx, xy, yy, xt, yt, tt;
};

// How the samples around each cell pull: xx, xy, yy times a step is the change of the pull x, y.
struct Pull {
  Field xx, xy, yy, x, y;
  Pull(const int columns, const int rows)
      : xx(columns, rows),
        xy(columns, rows),
        yy(columns, rows),
        x(columns, rows),
        y(columns, rows) {}
};

// The equations of the balance: the way of a cell is inverse * (constant + sum of each neighbour's
// way times its pull).
struct Balance {
  Field right, down;  // the pull between a cell and its neighbour there
  Field xx, xy, yy;   // inverse
  Field x, y;         // constant
  Balance(const int columns, const int rows)
      : right(columns, rows),
        down(columns, rows),
        xx(columns, rows),
        xy(columns, rows),
        yy(columns, rows),
        x(columns, rows),
        y(columns, rows) {}
};

STREAMVSR_CLONES void measure_row(const GrayPlane& now, const GrayPlane& before,
                                  const MotionField& motion, const int row, Moments* out) {
  const std::ptrdiff_t stride = now.stride();
  const std::ptrdiff_t there = before.stride();
  for (int column = 0; column < motion.columns; ++column) {
    const int dx = motion.dx[motion.index(column, row)];
    const int dy = motion.dy[motion.index(column, row)];
    const int x = std::clamp(column * kCell + (dx >> 4), 1 - GrayPlane::kBorder,
                             before.width() + GrayPlane::kBorder - kCell - 2);
    const int y = std::clamp(row * kCell + (dy >> 4), 1 - GrayPlane::kBorder,
                             before.height() + GrayPlane::kBorder - kCell - 2);
    const int fx = dx & (kUnit - 1);
    const int fy = dy & (kUnit - 1);
    const std::uint8_t* a = now.at(column * kCell, row * kCell);
    const std::uint8_t* b = before.at(x, y);
    int sx = 0, sy = 0, st = 0, xx = 0, xy = 0, yy = 0, xt = 0, yt = 0, tt = 0;
    for (int j = 0; j < kCell; ++j) {
      for (int i = 0; i < kCell; ++i) {
        const int gx = a[i + 1] - a[i - 1];
        const int gy = a[i + stride] - a[i - stride];
        const int above = b[i] * (kUnit - fx) + b[i + 1] * fx;
        const int below = b[i + there] * (kUnit - fx) + b[i + there + 1] * fx;
        const int t = ((above * (kUnit - fy) + below * fy) >> 4) - a[i] * kUnit;
        sx += gx;
        sy += gy;
        st += t;
        xx += gx * gx;
        xy += gx * gy;
        yy += gy * gy;
        xt += gx * t;
        yt += gy * t;
        tt += t * t;
      }
      a += stride;
      b += there;
    }
    // A gradient came in half codes, a difference in units.
    constexpr float kOne = 1.0F / (kCell * kCell);
    const auto mean = [](const int sum, const float of) { return static_cast<float>(sum) * of; };
    out[column] = {mean(sx, kOne / 2),  mean(sy, kOne / 2),           mean(st, kOne / kUnit),
                   mean(xx, kOne / 4),  mean(xy, kOne / 4),           mean(yy, kOne / 4),
                   mean(xt, kOne / 32), mean(yt, kOne / (2 * kUnit)), mean(tt, kOne / 256)};
  }
}

// The pull of each cell's own samples.
void weigh_row(const std::vector<Moments>& moments, const MotionField& motion, const int row,
               Pull& pull) {
  const int top = std::max(0, row - 1);
  const int bottom = std::min(motion.rows - 1, row + 1);
  for (int column = 0; column < motion.columns; ++column) {
    float t = 0.0F;
    int count = 0;
    for (int j = top; j <= bottom; ++j) {
      for (int i = std::max(0, column - 1); i <= std::min(motion.columns - 1, column + 1); ++i) {
        t += moments[motion.index(i, j)].t;
        ++count;
      }
    }
    t /= static_cast<float>(count);
    const Moments& m = moments[motion.index(column, row)];
    const float left = std::max(0.0F, m.tt - 2.0F * t * m.t + t * t);
    const float weight = 1.0F / std::sqrt(left + kNoise * kNoise);
    pull.xx.row(row)[column] = weight * m.xx;
    pull.xy.row(row)[column] = weight * m.xy;
    pull.yy.row(row)[column] = weight * m.yy;
    pull.x.row(row)[column] = weight * (m.xt - t * m.x);
    pull.y.row(row)[column] = weight * (m.yt - t * m.y);
  }
}

// Weighted means over 5 cells: 1 4 6 4 1.
float five(const float a, const float b, const float c, const float d, const float e) {
  return (a + 4.0F * b + 6.0F * c + 4.0F * d + e) * (1.0F / 16.0F);
}

void smooth(Field& field, const int columns, const int rows) {
  Field across(columns, rows);
  for (int row = 0; row < rows; ++row) {
    const float* const from = field.row(row);
    float* const to = across.row(row);
    const auto at = [&](const int column) { return from[std::clamp(column, 0, columns - 1)]; };
    for (int column = 0; column < columns; ++column)
      to[column] = five(at(column - 2), at(column - 1), at(column), at(column + 1), at(column + 2));
  }
  for (int row = 0; row < rows; ++row) {
    const auto line = [&](const int y) { return across.row(std::clamp(y, 0, rows - 1)); };
    const float* const a = line(row - 2);
    const float* const b = line(row - 1);
    const float* const c = line(row);
    const float* const d = line(row + 1);
    const float* const e = line(row + 2);
    float* const to = field.row(row);
    for (int column = 0; column < columns; ++column)
      to[column] = five(a[column], b[column], c[column], d[column], e[column]);
  }
}

STREAMVSR_CLONES void couple_row(const Ways& ways, const int columns, const int row,
                                 const bool last_row, Balance& balance) {
  const float* const x = ways.x.row(row);
  const float* const y = ways.y.row(row);
  const float* const under_x = ways.x.row(row + 1);
  const float* const under_y = ways.y.row(row + 1);
  float* const right = balance.right.row(row);
  float* const down = balance.down.row(row);
  const auto pull = [](const float dx, const float dy) {
    return kSmoothness / std::sqrt(dx * dx + dy * dy + kBorder * kBorder);
  };
  for (int i = 0; i + 1 < columns; ++i) right[i] = pull(x[i + 1] - x[i], y[i + 1] - y[i]);
  if (last_row) return;
  for (int i = 0; i < columns; ++i) down[i] = pull(under_x[i] - x[i], under_y[i] - y[i]);
}

void solve_row(const Pull& pull, const Ways& begin, const MotionField& motion, const int row,
               Balance& balance) {
  for (int i = 0; i < motion.columns; ++i) {
    const std::size_t cell = motion.index(i, row);
    const float held = motion.dx[cell] == 0 && motion.dy[cell] == 0 ? kHeld : 0.0F;
    const float all = balance.right.row(row)[i] + balance.right.row(row)[i - 1] +
                      balance.down.row(row)[i] + balance.down.row(row - 1)[i] + held;
    const float xx = pull.xx.row(row)[i];
    const float xy = pull.xy.row(row)[i];
    const float yy = pull.yy.row(row)[i];
    // A picture of a single cell has no neighbours, and may be flat.
    const float a = std::max(xx + all, 1e-6F);
    const float c = std::max(yy + all, 1e-6F);
    const float determinant = std::max(a * c - xy * xy, 1e-12F);
    balance.xx.row(row)[i] = c / determinant;
    balance.xy.row(row)[i] = -xy / determinant;
    balance.yy.row(row)[i] = a / determinant;
    const float x = begin.x.row(row)[i];
    const float y = begin.y.row(row)[i];
    balance.x.row(row)[i] = xx * x + xy * y - pull.x.row(row)[i];
    balance.y.row(row)[i] = xy * x + yy * y - pull.y.row(row)[i];
  }
}

// One round: each cell goes to where its neighbours of the round before want it, and `further`
// times as far from where it was a round earlier.
STREAMVSR_CLONES void round_row(const Balance& balance, const Ways& ways, const int columns,
                                const int row, const float further, Ways& next) {
  const float* const x = ways.x.row(row);
  const float* const y = ways.y.row(row);
  const float* const over_x = ways.x.row(row - 1);
  const float* const over_y = ways.y.row(row - 1);
  const float* const under_x = ways.x.row(row + 1);
  const float* const under_y = ways.y.row(row + 1);
  const float* const right = balance.right.row(row);
  const float* const down = balance.down.row(row);
  const float* const up = balance.down.row(row - 1);
  const float* const constant_x = balance.x.row(row);
  const float* const constant_y = balance.y.row(row);
  const float* const xx = balance.xx.row(row);
  const float* const xy = balance.xy.row(row);
  const float* const yy = balance.yy.row(row);
  float* const to_x = next.x.row(row);
  float* const to_y = next.y.row(row);
  for (int i = 0; i < columns; ++i) {
    const float sum_x = constant_x[i] + right[i] * x[i + 1] + right[i - 1] * x[i - 1] +
                        down[i] * under_x[i] + up[i] * over_x[i];
    const float sum_y = constant_y[i] + right[i] * y[i + 1] + right[i - 1] * y[i - 1] +
                        down[i] * under_y[i] + up[i] * over_y[i];
    // next holds the round before this one.
    to_x[i] += further * (xx[i] * sum_x + xy[i] * sum_y - to_x[i]);
    to_y[i] += further * (xy[i] * sum_x + yy[i] * sum_y - to_y[i]);
  }
}

// Jacobi's iteration with Chebyshev's acceleration (Golub, Varga 1961): unlike others it takes the
// cells in no order, so threads do not matter.
template <class ByRows>
void balance_out(const Balance& balance, const int columns, const ByRows& by_rows, Ways& ways) {
  Ways other = ways;
  float further = 1.0F;
  for (int round = 0; round < kRounds; ++round) {
    if (round == 1) further = 1.0F / (1.0F - kRadius * kRadius / 2.0F);
    if (round > 1) further = 1.0F / (1.0F - kRadius * kRadius * further / 4.0F);
    by_rows([&](const int row) { round_row(balance, ways, columns, row, further, other); });
    std::swap(ways, other);
  }
}

std::int16_t moved(const std::int16_t from, const float to) {
  const int units = static_cast<int>(std::lround(to * kUnit));
  constexpr int kMost = static_cast<int>(kFarthest) * kUnit;
  return static_cast<std::int16_t>(std::clamp(units, from - kMost, from + kMost));
}

}  // namespace

void refine(const GrayPlane& now, const GrayPlane& before, MotionField& motion,
            const Parallel& parallel) {
  const int columns = motion.columns;
  const int rows = motion.rows;
  const auto by_rows = [&](const auto& work) {
    parallel((rows + kRowsAtOnce - 1) / kRowsAtOnce, [&](const int piece) {
      const int end = std::min(rows, (piece + 1) * kRowsAtOnce);
      for (int row = piece * kRowsAtOnce; row < end; ++row) work(row);
    });
  };
  Ways begin(columns, rows);
  std::vector<Moments> moments(motion.dx.size());
  by_rows([&](const int row) {
    measure_row(now, before, motion, row, moments.data() + motion.index(0, row));
    for (int column = 0; column < columns; ++column) {
      const std::size_t cell = motion.index(column, row);
      begin.x.row(row)[column] = static_cast<float>(motion.dx[cell]) / kUnit;
      begin.y.row(row)[column] = static_cast<float>(motion.dy[cell]) / kUnit;
    }
  });
  Pull pull(columns, rows);
  by_rows([&](const int row) { weigh_row(moments, motion, row, pull); });
  Field* const fields[] = {&pull.xx, &pull.xy, &pull.yy, &pull.x, &pull.y};
  parallel(static_cast<int>(std::size(fields)),
           [&](const int field) { smooth(*fields[field], columns, rows); });

  Ways ways = begin;
  Balance balance(columns, rows);
  by_rows([&](const int row) { couple_row(ways, columns, row, row + 1 == rows, balance); });
  by_rows([&](const int row) { solve_row(pull, begin, motion, row, balance); });
  balance_out(balance, columns, by_rows, ways);
  by_rows([&](const int row) {
    for (int column = 0; column < columns; ++column) {
      std::int16_t& dx = motion.dx[motion.index(column, row)];
      std::int16_t& dy = motion.dy[motion.index(column, row)];
      dx = moved(dx, ways.x.row(row)[column]);
      dy = moved(dy, ways.y.row(row)[column]);
      if (std::abs(dx) + std::abs(dy) <= 1) dx = dy = 0;
    }
  });
}

}  // namespace streamvsr
