// Note [refinement on the device]
// refine() of temporal/refine.cpp, all cells at a time; what is read of the pictures for it, some
// cells at a time. Its rules are those of Note [flow on the device]: each product and each sum is
// rounded by itself, and sums have the loops' order. Samples are taken together as whole numbers,
// as there, so of those the order does not matter. Beyond the edge lie zeros where the loops add
// nothing. A number divided by a tensor is a tensor itself: a library may take the reciprocal
// instead, and round twice.
#include "model/torch/torch_refine.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace streamvsr {

namespace {

using Rules = streamvsr_torch_flow_rules;

constexpr std::int64_t kCell = STREAMVSR_TORCH_CELL;
constexpr std::int64_t kUnit = STREAMVSR_TORCH_UNIT;
constexpr int kUnitBits = 4;
static_assert(kUnit == 1 << kUnitBits);

// Whole numbers, halves away from zero, as lround().
at::Tensor rounded(const at::Tensor& values) {
  const at::Tensor whole = values.trunc();
  return values.sub(whole).mul_(2).trunc_().add_(whole);
}

// Roots rounded as IEEE 754 says. A library's on the CPU are not, one of four is the number beside
// it; by way of fp64 they all are. Elsewhere fp64 may be missing.
at::Tensor root(const at::Tensor& values) {
  return values.is_cpu() ? values.to(at::kDouble).sqrt_().to(at::kFloat) : values.sqrt();
}

// From a row and a column on, of tensors with a border of a cell.
at::Tensor window(const at::Tensor& padded, const std::int64_t row, const std::int64_t column) {
  return padded.slice(-2, row, row + padded.size(-2) - 2)
      .slice(-1, column, column + padded.size(-1) - 2);
}

// Means over the samples of cells, (9, n): of the gradient x, y, of the difference t that their
// ways leave, and of the products tt, xx, xy, yy, xt, yt; codes. Motion in units.
at::Tensor measured(const Gray& now, const Gray& before, const Places& cells,
                    const at::Tensor& motion) {
  const at::Tensor around = squares(now, cells.index(now, 1), kCell + 2, at::kInt);
  const auto inner = [&](const std::int64_t row, const std::int64_t column) {
    return inner_square(around, row, column, kCell);
  };
  const at::Tensor x = inner(1, 2).sub(inner(1, 0));
  const at::Tensor y = inner(2, 1).sub(inner(0, 1));
  const at::Tensor whole = motion.bitwise_right_shift(kUnitBits);
  const auto inside = [&](const at::Tensor& place, const at::Tensor& by, const std::int64_t size) {
    return place.add(by).clamp_(1 - before.border, size + before.border - kCell - 2);
  };
  const Places places{inside(cells.x, whole[0], before.width),
                      inside(cells.y, whole[1], before.height)};
  const at::Tensor there = squares(before, places.index(before, 0), kCell + 1, at::kInt);
  const at::Tensor part = motion.bitwise_and(kUnit - 1);
  const at::Tensor rest = part.neg().add_(kUnit);
  const at::Tensor across =
      there.slice(1, 0, kCell).mul(rest[0]).add_(there.slice(1, 1, kCell + 1).mul(part[0]));
  const at::Tensor t = across.slice(0, 0, kCell)
                           .mul(rest[1])
                           .add_(across.slice(0, 1, kCell + 1).mul(part[1]))
                           .bitwise_right_shift(kUnitBits)
                           .sub_(inner(1, 1).mul(kUnit));
  // A gradient came in half codes, a difference in units.
  const auto mean = [](const at::Tensor& values, const std::int64_t of_code) {
    return values.sum({0, 1}, false, at::kInt)
        .to(at::kFloat)
        .mul_(1.0 / static_cast<double>(kCell * kCell * of_code));
  };
  return at::stack({mean(x, 2), mean(y, 2), mean(t, kUnit), mean(t.mul(t), kUnit * kUnit),
                    mean(x.mul(x), 4), mean(x.mul(y), 4), mean(y.mul(y), 4),
                    mean(x.mul(t), 2 * kUnit), mean(y.mul(t), 2 * kUnit)});
}

// Of all cells: (9, rows, columns).
at::Tensor moments_of(const Gray& now, const Gray& before, const at::Tensor& units) {
  const std::int64_t rows = units.size(1);
  const std::int64_t columns = units.size(2);
  const at::Tensor motion = units.to(at::kInt).view({2, -1});
  const auto places = [&](const at::Tensor& values) {
    return values.mul(kCell).expand({rows, columns}).reshape(-1);
  };
  const Places cells{places(count_to(columns, units)), places(count_to(rows, units).unsqueeze(1))};
  const at::Tensor moments = at::empty({9, rows * columns}, units.options());
  for (std::int64_t from = 0; from < rows * columns; from += kAtOnce) {
    const auto part = [&](const at::Tensor& values) {
      return values.slice(-1, from, std::min(from + kAtOnce, rows * columns));
    };
    part(moments).copy_(measured(now, before, {part(cells.x), part(cells.y)}, part(motion)));
  }
  return moments.view({9, rows, columns});
}

at::Tensor sum_around(const at::Tensor& values) {
  const at::Tensor padded = at::constant_pad_nd(values, {1, 1, 1, 1});
  at::Tensor sum = at::zeros_like(values);
  for (std::int64_t row = 0; row < 3; ++row)
    for (std::int64_t column = 0; column < 3; ++column) sum.add_(window(padded, row, column));
  return sum;
}

// Weighted means over 5 cells, 1 4 6 4 1, of (1, rows, columns) along a dimension.
at::Tensor five(const at::Tensor& field, const int dimension) {
  const at::Tensor padded = dimension == 2 ? at::replication_pad2d(field, {2, 2, 0, 0})
                                           : at::replication_pad2d(field, {0, 0, 2, 2});
  const auto from = [&](const std::int64_t place) {
    return padded.slice(dimension, place, place + field.size(dimension));
  };
  return from(0)
      .add(from(1).mul(4))
      .add_(from(2).mul(6))
      .add_(from(3).mul(4))
      .add_(from(4))
      .mul_(1.0 / 16);
}

// How the samples around each cell pull, (5, rows, columns): xx, xy, yy times a step is the change
// of the pull x, y. In the place of the moments.
at::Tensor pull_of(const at::Tensor& moments, const Rules& rules) {
  const at::Tensor own = moments[2];
  const at::Tensor t = sum_around(own).div_(sum_around(at::ones_like(own)));
  const at::Tensor left = moments[3].sub(t.mul(2).mul_(own)).add_(t.mul(t)).clamp_min_(0);
  const at::Tensor weight = root(left.add_(rules.noise * rules.noise)).reciprocal_();
  at::Tensor pull = moments.slice(0, 4, 9);
  pull.slice(0, 3, 5).sub_(moments.slice(0, 0, 2).mul(t));
  pull.mul_(weight);
  for (std::int64_t field = 0; field < 5; ++field) {
    const at::Tensor each = pull.slice(0, field, field + 1);
    each.copy_(five(five(each, 2), 1));
  }
  return pull;
}

// The pull between cells that are neighbours along a dimension, none beyond the first and the last.
at::Tensor coupled(const at::Tensor& ways, const int dimension, const Rules& rules) {
  const std::int64_t last = ways.size(dimension) - 1;
  at::Tensor apart = ways.slice(dimension, 1, last + 1).sub(ways.slice(dimension, 0, last));
  apart.mul_(apart);
  const at::Tensor way = root(apart[0].add(apart[1]).add_(rules.parting * rules.parting));
  const at::Tensor pull = at::full_like(way, rules.smoothness).div_(way);
  return dimension == 2 ? at::constant_pad_nd(pull, {1, 1, 0, 0})
                        : at::constant_pad_nd(pull, {0, 0, 1, 1});
}

// The equations of the balance: the way of a cell is inverse * (constant + sum of each neighbour's
// way times its pull).
struct Balance {
  Balance(const at::Tensor& pull, const at::Tensor& begin, const at::Tensor& held,
          const Rules& rules)
      : beside(coupled(begin, 2, rules)), over(coupled(begin, 1, rules)) {
    const at::Tensor all = right().add(left()).add_(down()).add_(up()).add_(held);
    const at::Tensor xy = pull[1];
    const at::Tensor a = pull[0].add(all).clamp_min_(rules.least_pull);
    const at::Tensor c = pull[2].add(all).clamp_min_(rules.least_pull);
    const at::Tensor determinant = a.mul(c).sub_(xy.mul(xy)).clamp_min_(rules.least_determinant);
    of_x = at::stack({c, xy.neg()}).div_(determinant);
    of_y = at::stack({xy.neg(), a}).div_(determinant);
    constant = pull.slice(0, 0, 2)
                   .mul(begin[0])
                   .add_(pull.slice(0, 1, 3).mul(begin[1]))
                   .sub_(pull.slice(0, 3, 5));
  }
  at::Tensor left() const { return beside.slice(1, 0, beside.size(1) - 1); }
  at::Tensor right() const { return beside.slice(1, 1); }
  at::Tensor up() const { return over.slice(0, 0, over.size(0) - 1); }
  at::Tensor down() const { return over.slice(0, 1); }

  at::Tensor beside, over;  // between columns, between rows: of each cell to the one before it
  at::Tensor of_x, of_y;    // columns of the inverse, (2, rows, columns)
  at::Tensor constant;      // (2, rows, columns)
};

// Jacobi's iteration with Chebyshev's acceleration.
at::Tensor balanced(const Balance& balance, const at::Tensor& begin, const Rules& rules) {
  at::Tensor ways = at::constant_pad_nd(begin, {1, 1, 1, 1});
  at::Tensor other = ways.clone();
  float further = 1.0F;
  for (int round = 0; round < rules.rounds; ++round) {
    if (round == 1) further = 1.0F / (1.0F - rules.radius * rules.radius / 2.0F);
    if (round > 1) further = 1.0F / (1.0F - rules.radius * rules.radius * further / 4.0F);
    const at::Tensor sum = balance.constant.add(balance.right().mul(window(ways, 1, 2)))
                               .add_(balance.left().mul(window(ways, 1, 0)))
                               .add_(balance.down().mul(window(ways, 2, 1)))
                               .add_(balance.up().mul(window(ways, 0, 1)));
    at::Tensor next = window(other, 1, 1);  // as yet the round before this one
    next.add_(balance.of_x.mul(sum[0]).add_(balance.of_y.mul(sum[1])).sub_(next).mul_(further));
    std::swap(ways, other);
  }
  return window(ways, 1, 1);
}

}  // namespace

at::Tensor refined(const Gray& now, const Gray& before, const at::Tensor& motion,
                   const Rules& rules) {
  const at::Tensor units = rounded(motion.mul(kUnit));
  const at::Tensor begin = units.div(kUnit);
  const at::Tensor stays = units[0].eq(0).logical_and_(units[1].eq(0));
  const Balance balance(pull_of(moments_of(now, before, units), rules), begin,
                        stays.to(at::kFloat).mul_(rules.held), rules);
  const std::int64_t most = rules.correction * kUnit;
  at::Tensor moved = rounded(balanced(balance, begin, rules).mul(kUnit))
                         .sub_(units)
                         .clamp_(-most, most)
                         .add_(units);
  const at::Tensor way = moved.abs();
  return moved.masked_fill_(way[0].add(way[1]).le(1), 0).div_(kUnit);
}

}  // namespace streamvsr
