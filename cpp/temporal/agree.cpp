#include "temporal/agree.h"

#include <algorithm>
#include <cmath>

#include "base/clones.h"

namespace streamvsr {

namespace {

using namespace flow;  // NOLINT: its constants

constexpr int kRowsAtOnce = 8;

// Rows of cells, or the places in them from which on they are looked at.
struct From {
  const float* x;
  const float* y;
  const float* weight;
  const float* still;
};

From row_of(const CellMotions& cells, const int row) {
  const std::size_t first = cells.index(0, row);
  return {cells.x.data() + first, cells.y.data() + first, cells.weight.data() + first,
          cells.still.data() + first};
}

// What a row's cells gather from those around them.
struct Sums {
  std::vector<float> x, y, weight, still, bell;

  explicit Sums(const std::size_t count)
      : x(count), y(count), weight(count), still(count), bell(count) {}
  void clear() {
    for (auto* const each : {&x, &y, &weight, &still, &bell})
      std::fill(each->begin(), each->end(), 0.0F);
  }
};

// One neighbour of each of `count` cells: own[i] is looked at from others[i].
STREAMVSR_CLONES void gather(const float* own_x, const float* own_y, const float* x, const float* y,
                             const float* weight, const float* still, const float near,
                             const int count, float* sum_x, float* sum_y, float* sum_weight,
                             float* sum_still, float* sum_bell) {
  for (int i = 0; i < count; ++i) {
    const float dx = x[i] - own_x[i];
    const float dy = y[i] - own_y[i];
    const float apart = (dx * dx + dy * dy) * (1.0F / (kAlike * kAlike));
    const float alike = apart < 1.0F ? 1.0F - apart : 0.0F;
    const float share = near * alike * weight[i];
    sum_x[i] += share * x[i];
    sum_y[i] += share * y[i];
    sum_weight[i] += share;
    sum_still[i] += near * still[i];
    sum_bell[i] += near;
  }
}

void gather(const From& own, const From& others, const float near, const int first, const int last,
            const int shift, Sums& sums) {
  gather(own.x + first, own.y + first, others.x + first + shift, others.y + first + shift,
         others.weight + first + shift, others.still + first + shift, near, last - first,
         sums.x.data() + first, sums.y.data() + first, sums.weight.data() + first,
         sums.still.data() + first, sums.bell.data() + first);
}

void finish(const Sums& sums, const int row, CellMotions& to) {
  for (int column = 0; column < to.columns; ++column) {
    const auto from = static_cast<std::size_t>(column);
    const std::size_t cell = to.index(column, row);
    to.x[cell] = sums.x[from] / sums.weight[from];
    to.y[cell] = sums.y[from] / sums.weight[from];
    to.weight[cell] = sums.weight[from];
    to.still[cell] = sums.still[from] / sums.bell[from];
  }
}

}  // namespace

const Bell& bell() {
  static const Bell made = [] {
    Bell values{};
    for (int i = 0; i <= kReach; ++i) {
      const auto distance = static_cast<float>(i);
      values[static_cast<std::size_t>(i)] =
          std::exp(-distance * distance / (2.0F * kDeviation * kDeviation));
    }
    return values;
  }();
  return made;
}

CellMotions::CellMotions(const int columns_, const int rows_)
    : columns(columns_),
      rows(rows_),
      x(static_cast<std::size_t>(columns) * static_cast<std::size_t>(rows)),
      y(x.size()),
      weight(x.size(), 1.0F),
      still(x.size()) {}

CellMotions agreed(const CellMotions& found, const Parallel& parallel) {
  const int columns = found.columns;
  CellMotions across(columns, found.rows);
  CellMotions result(columns, found.rows);
  const auto by_rows = [&](const auto& work) {
    parallel((found.rows + kRowsAtOnce - 1) / kRowsAtOnce, [&](const int piece) {
      Sums sums(static_cast<std::size_t>(columns));
      const int end = std::min(found.rows, (piece + 1) * kRowsAtOnce);
      for (int row = piece * kRowsAtOnce; row < end; ++row) {
        sums.clear();
        work(row, sums);
      }
    });
  };
  by_rows([&](const int row, Sums& sums) {
    const From own = row_of(found, row);
    for (int shift = -kReach; shift <= kReach; ++shift) {
      const int first = std::max(0, -shift);
      const int last = std::min(columns, columns - shift);
      if (first >= last) continue;
      gather(own, own, bell()[static_cast<std::size_t>(std::abs(shift))], first, last, shift, sums);
    }
    finish(sums, row, across);
  });
  by_rows([&](const int row, Sums& sums) {
    const From own = row_of(across, row);
    for (int shift = -kReach; shift <= kReach; ++shift) {
      if (row + shift < 0 || row + shift >= found.rows) continue;
      gather(own, row_of(across, row + shift), bell()[static_cast<std::size_t>(std::abs(shift))], 0,
             columns, 0, sums);
    }
    finish(sums, row, result);
    for (int column = 0; column < columns; ++column) {
      const std::size_t cell = result.index(column, row);
      if (found.still[cell] > 0.0F && result.still[cell] >= kStaying)
        result.x[cell] = result.y[cell] = 0.0F;
    }
  });
  return result;
}

}  // namespace streamvsr
