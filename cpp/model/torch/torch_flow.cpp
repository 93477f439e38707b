// Note [flow on the device]
// The search of temporal/flow.cpp and the agreement of temporal/agree.cpp, many patches at a time.
// What the loops decide for one patch is a mask here: a patch whose search is over goes along, and
// what is found of it no longer counts. Everything is done value by value in fp32, each product and
// each sum rounded by itself and all sums in the loops' order (no addcmul, no alpha, no sum(): they
// may be fused, or add up in an order of their own). So a motion depends neither on how patches are
// taken together nor on the device, and is the loops' but where a device rounds otherwise than IEEE
// 754 says. Patches lie side by side in the last dimension: their samples are rows, and rows of
// patches are read from neighbouring places.
#include "model/torch/torch_flow.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>

namespace streamvsr {

namespace {

using Rules = streamvsr_torch_flow_rules;
using Pyramid = streamvsr_torch_pyramid;

constexpr std::int64_t kPatch = STREAMVSR_TORCH_PATCH;
constexpr std::int64_t kCell = STREAMVSR_TORCH_CELL;
constexpr std::int64_t kInset = (kPatch - kCell) / 2;
constexpr double kSamples = kPatch * kPatch;
// Patches at a time: enough to keep a device busy, few enough for little memory.
constexpr std::int64_t kPatches = 32768;

// A level on the device.
struct Gray {
  at::Tensor samples;
  std::int64_t width = 0, height = 0, border = 0;
  std::int64_t stride() const { return width + 2 * border; }
};

at::Tensor count_to(const std::int64_t end, const at::Tensor& like) {
  return at::arange(end, like.options().dtype(at::kInt));
}

// Squares of samples, (side, side, n), whose corners lie at these indices.
at::Tensor squares(const Gray& gray, const at::Tensor& corners, const std::int64_t side) {
  const at::Tensor along = count_to(side, corners);
  const at::Tensor index = along.mul(gray.stride()).view({side, 1, 1}).add(along.view({side, 1}));
  return gray.samples.index_select(0, index.add(corners).view(-1))
      .to(at::kFloat)
      .view({side, side, corners.size(0)});
}

at::Tensor inner(const at::Tensor& squares, const std::int64_t row, const std::int64_t column) {
  return squares.slice(0, row, row + kPatch).slice(1, column, column + kPatch);
}

// Sums over the samples of patches, (.., 8, 8, n) to (.., n).
at::Tensor total(const at::Tensor& values) {
  at::Tensor rows = values.select(-3, 0).add(values.select(-3, 1));
  for (std::int64_t row = 2; row < kPatch; ++row) rows.add_(values.select(-3, row));
  const at::Tensor four = rows.slice(-2, 0, kPatch / 2).add(rows.slice(-2, kPatch / 2, kPatch));
  const at::Tensor two = four.slice(-2, 0, kPatch / 2, 2).add(four.slice(-2, 1, kPatch / 2, 2));
  return two.select(-2, 0).add(two.select(-2, 1));
}

// Mean differences of patches, but for their mean.
at::Tensor difference(at::Tensor values, const at::Tensor& sum) {
  return total(values.sub_(sum.div(kSamples)).abs_()).div_(kSamples);
}

// Where patches are: corners without motion, samples of the level.
struct Places {
  at::Tensor x, y;  // whole numbers
  at::Tensor index(const Gray& gray, const std::int64_t inset) const {
    return y.add(gray.border - inset).mul_(gray.stride()).add_(x).add_(gray.border - inset);
  }
};

struct Found {
  at::Tensor motion;  // (2, n): x and y
  at::Tensor error;   // (n)
};

// Patches of a picture beside which others are put.
struct Patches {
  Patches(const Gray& now, const Places& places) {
    const at::Tensor around = squares(now, places.index(now, 1), kPatch + 2);
    samples = inner(around, 1, 1).contiguous();
    gradients = at::stack({inner(around, 1, 2).sub(inner(around, 1, 0)),
                           inner(around, 2, 1).sub(inner(around, 0, 1))})
                    .mul_(0.5);
    gradients.sub_(total(gradients).div_(kSamples).view({2, 1, 1, -1}));
    const at::Tensor gx = gradients[0];
    const at::Tensor gy = gradients[1];
    a = total(gx.mul(gx));
    b = total(gx.mul(gy));
    c = total(gy.mul(gy));
    determinant = a.mul(c).sub_(b.mul(b));
  }
  at::Tensor samples;               // (8, 8, n)
  at::Tensor gradients;             // (2, 8, 8, n), without their mean
  at::Tensor a, b, c, determinant;  // of the Hessian
};

// What is seen at these places, between samples: (8, 8, n).
at::Tensor seen_at(const Gray& before, const at::Tensor& x, const at::Tensor& y) {
  const at::Tensor left = x.floor();
  const at::Tensor top = y.floor();
  const at::Tensor corners = Places{left.to(at::kInt), top.to(at::kInt)}.index(before, 0);
  const at::Tensor around = squares(before, corners, kPatch + 1);
  const at::Tensor here = around.slice(1, 0, kPatch);
  const at::Tensor across = around.slice(1, 1, kPatch + 1).sub(here).mul_(x.sub(left)).add_(here);
  const at::Tensor above = across.slice(0, 0, kPatch);
  return across.slice(0, 1, kPatch + 1).sub(above).mul_(y.sub(top)).add_(above);
}

// Aligns patches, beginning at these motions.
Found align(const Gray& now, const Gray& before, const Places& places, const at::Tensor& begin,
            const Rules& rules) {
  const Patches patches(now, places);
  const auto inside = [&](const at::Tensor& place, const at::Tensor& by, const std::int64_t size) {
    return place.add(by).clamp_(rules.first_place, static_cast<double>(size + rules.last_place));
  };
  const at::Tensor x = places.x.to(at::kFloat);
  const at::Tensor y = places.y.to(at::kFloat);
  const at::Tensor rough =
      patches.determinant.ge(static_cast<double>(rules.flat * rules.flat));  // not flat
  Found best{begin, at::full_like(x, rules.never)};
  at::Tensor at = begin;
  at::Tensor searching = at::ones_like(rough);
  for (int step = 0; step <= rules.steps; ++step) {
    const at::Tensor apart =
        seen_at(before, inside(x, at[0], before.width), inside(y, at[1], before.height))
            .sub_(patches.samples);
    const at::Tensor along = total(apart.unsqueeze(0).mul(patches.gradients));
    const at::Tensor error = difference(apart, total(apart));
    const at::Tensor better = error.lt(best.error.sub(rules.gain)).logical_and_(searching);
    const at::Tensor least = error.lt(best.error).logical_and_(searching);
    best = {at::where(least, at, best.motion), at::where(least, error, best.error)};
    if (step == rules.steps) break;
    searching = better.logical_and_(error.gt(rules.good_fit)).logical_and_(rough);
    const auto solved = [&](const at::Tensor& p, const std::int64_t i, const std::int64_t j) {
      return p.mul(along[i]).sub_(patches.b.mul(along[j])).div_(patches.determinant);
    };
    const at::Tensor by = at::stack({solved(patches.c, 0, 1), solved(patches.a, 1, 0)});
    at = at::where(searching, at.sub(by), at);
    const at::Tensor near = at.sub(begin).abs_().le(rules.farthest);
    const at::Tensor moves = by.abs().ge(rules.still);
    searching.logical_and_(near[0]).logical_and_(near[1]).logical_and_(
        moves[0].logical_or(moves[1]));
  }
  return best;
}

// Mean differences of patches that stay where they are.
at::Tensor staying(const Gray& now, const Gray& before, const Places& places) {
  const at::Tensor index = places.index(now, 0);
  at::Tensor apart = squares(now, index, kPatch).sub_(squares(before, index, kPatch));
  const at::Tensor sum = total(apart);
  return difference(std::move(apart), sum);
}

// What is known of a level's cells, each (rows, columns) but for the motion.
struct Cells {
  at::Tensor motion;  // (2, rows, columns)
  at::Tensor weight;
  at::Tensor still;
};

// A cell moved as the patches around it, those that fit best above all.
at::Tensor settled(const Found& patches) {
  const at::Tensor fit = patches.error.clamp_min(1).reciprocal_();
  const at::Tensor weight = fit.mul(fit).unsqueeze(0);
  // Beyond the edge lie patches without weight.
  const at::Tensor all =
      at::constant_pad_nd(at::cat({patches.motion.mul(weight), weight}), {1, 1, 1, 1});
  const std::int64_t rows = weight.size(1);
  const std::int64_t columns = weight.size(2);
  at::Tensor sum;
  for (std::int64_t j = 0; j < 3; ++j) {
    for (std::int64_t i = 0; i < 3; ++i) {
      const at::Tensor part = all.slice(1, j, j + rows).slice(2, i, i + columns);
      if (!sum.defined())
        sum = part.clone();
      else
        sum.add_(j == 1 && i == 1 ? part.mul(4) : part);
    }
  }
  return sum.slice(0, 0, 2).div(sum.slice(0, 2, 3));
}

// A level's patches, and on the last level whether they have moved.
Cells search_level(const Gray& now, const Gray& before, const Cells* const coarser, const bool last,
                   const Rules& rules) {
  const std::int64_t columns = (now.width + kCell - 1) / kCell;
  const std::int64_t rows = (now.height + kCell - 1) / kCell;
  const at::Tensor row = count_to(rows, now.samples);
  const at::Tensor column = count_to(columns, now.samples);
  const auto flat = [&](const at::Tensor& values) {
    return values.expand({rows, columns}).reshape(-1);
  };
  const Places all{flat(column.mul(kCell).sub_(kInset)),
                   flat(row.mul(kCell).sub_(kInset).unsqueeze(1))};
  at::Tensor begin;
  if (coarser != nullptr) {
    const auto half = [&](const at::Tensor& values, const int dimension) {
      return values.bitwise_right_shift(1).clamp_max_(coarser->motion.size(dimension) - 1);
    };
    begin = coarser->motion.index_select(1, half(row, 1))
                .index_select(2, half(column, 2))
                .mul_(2)
                .view({2, -1});
  } else {
    begin = at::zeros({2, rows * columns}, now.samples.options().dtype(at::kFloat));
  }
  // Where a search begins gives way to where it ended.
  const Found found{begin, at::empty_like(begin[0])};
  const at::Tensor stays = at::zeros_like(found.error, at::kBool);
  const at::Tensor same = at::zeros_like(stays);
  for (std::int64_t from = 0; from < rows * columns; from += kPatches) {
    const auto part = [&](const at::Tensor& values) {
      return values.slice(-1, from, std::min(from + kPatches, rows * columns));
    };
    const Places places{part(all.x), part(all.y)};
    Found aligned = align(now, before, places, part(begin), rules);
    if (last) {
      const at::Tensor still = staying(now, before, places);
      const at::Tensor kept = still.le(rules.good_fit);
      part(stays).copy_(still.le(aligned.error.add(rules.margin)).logical_or_(kept));
      part(same).copy_(kept);
      aligned.motion.masked_fill_(kept, 0);
      aligned.error = at::where(kept, still, aligned.error);
    }
    part(found.motion).copy_(aligned.motion);
    part(found.error).copy_(aligned.error);
  }
  const Found shaped{found.motion.view({2, rows, columns}), found.error.view({rows, columns})};
  Cells cells;
  cells.motion = settled(shaped);
  if (last) {
    cells.still = stays.to(at::kFloat).view({rows, columns});
    cells.weight =
        at::ones_like(cells.still).masked_fill_(same.view({rows, columns}), rules.copied);
  }
  return cells;
}

// Each cell as those beside it in a direction, 0: by columns, 1: by rows.
Cells agreed_along(const Cells& cells, const int dimension, const Rules& rules) {
  const std::int64_t size = cells.weight.size(dimension);
  Cells sum{at::zeros_like(cells.motion), at::zeros_like(cells.weight),
            at::zeros_like(cells.still)};
  at::Tensor bell = at::zeros_like(cells.weight);
  const float apart_by = 1.0F / (rules.alike * rules.alike);
  for (std::int64_t shift = -rules.reach; shift <= rules.reach; ++shift) {
    const std::int64_t first = std::max<std::int64_t>(0, -shift);
    const std::int64_t last = std::min(size, size - shift);
    if (first >= last) continue;
    const auto own = [&](const at::Tensor& values) {
      return values.slice(dimension - 2, first, last);
    };
    const auto other = [&](const at::Tensor& values) {
      return values.slice(dimension - 2, first + shift, last + shift);
    };
    const double near = rules.bell[shift < 0 ? -shift : shift];
    const at::Tensor motion = other(cells.motion);
    at::Tensor apart = motion.sub(own(cells.motion));
    apart.mul_(apart);
    apart = apart[0].add(apart[1]).mul_(apart_by);
    const at::Tensor alike = apart.neg().add_(1).clamp_min_(0);
    const at::Tensor share = alike.mul_(near).mul_(other(cells.weight));
    own(sum.motion).add_(motion.mul(share));
    own(sum.weight).add_(share);
    own(sum.still).add_(other(cells.still).mul(near));
    own(bell).add_(near);
  }
  sum.motion.div_(sum.weight);
  sum.still.div_(bell);
  return sum;
}

at::Tensor agreed(const Cells& cells, const Rules& rules) {
  const Cells both = agreed_along(agreed_along(cells, 1, rules), 0, rules);
  const at::Tensor stays = cells.still.gt(0).logical_and_(both.still.ge(rules.staying));
  return both.motion.masked_fill(stays, 0);
}

bool is_of(const GrayOnDevice& seen, const Pyramid& picture) {
  return seen.number == picture.number;
}

// A picture on the device; `other` stays where it is.
const GrayOnDevice& bring(TorchNetwork& model, const Pyramid& picture, const Pyramid& other) {
  auto& seen = model.seen;
  const auto known = std::find_if(seen.begin(), seen.end(),
                                  [&](const auto& each) { return is_of(each, picture); });
  if (known != seen.end()) return *known;
  std::erase_if(seen, [&](const auto& each) { return !is_of(each, other); });
  GrayOnDevice made{picture.number, {}};
  for (int l = 0; l < picture.count; ++l) {
    const streamvsr_torch_gray& level = picture.levels[l];
    const std::int64_t bytes = (std::int64_t{level.width} + 2 * level.border) *
                               (std::int64_t{level.height} + 2 * level.border);
    made.levels.push_back(at::empty({bytes}, at::TensorOptions(at::kByte).device(model.device)));
    made.levels.back().copy_(at::from_blob(const_cast<std::uint8_t*>(level.samples), {bytes},
                                           at::TensorOptions(at::kByte)));
  }
  seen.push_back(std::move(made));
  return seen.back();
}

Gray level_of(const GrayOnDevice& picture, const Pyramid& given, const int level) {
  const streamvsr_torch_gray& gray = given.levels[level];
  return {picture.levels[static_cast<std::size_t>(level)], gray.width, gray.height, gray.border};
}

}  // namespace

void find_flow(TorchNetwork& model, const streamvsr_torch_flow& flow) {
  const GrayOnDevice& before = bring(model, flow.before, flow.now);
  const GrayOnDevice& now = bring(model, flow.now, flow.before);
  Cells cells;
  for (int level = flow.first; level >= flow.last; --level)
    cells = search_level(level_of(now, flow.now, level), level_of(before, flow.before, level),
                         level < flow.first ? &cells : nullptr, level == flow.last, flow.rules);
  const at::Tensor motion = agreed(cells, flow.rules);
  const std::array<std::int64_t, 2> size = {motion.size(1), motion.size(2)};
  const at::TensorOptions plain(at::kFloat);
  at::from_blob(flow.x, size, plain).copy_(motion[0]);
  at::from_blob(flow.y, size, plain).copy_(motion[1]);
}

std::uint64_t flow_bytes(const std::int32_t width, const std::int32_t height) {
  // Measured, and some more: while patches are at work, and while cells agree.
  constexpr std::uint64_t kOfPatch = 2000;
  constexpr std::uint64_t kOfCell = 32;
  constexpr std::uint64_t kOfAgreeing = 80;
  // Two pictures in all the sizes there may be, each with a border.
  constexpr std::uint64_t kBorders = 2 * 16;
  constexpr int kLevels = 6;
  std::uint64_t pictures = 0;
  for (int level = 0; level < kLevels; ++level)
    pictures += 2 * ((static_cast<std::uint64_t>(width) >> level) + kBorders) *
                ((static_cast<std::uint64_t>(height) >> level) + kBorders);
  const auto along = [](const std::int32_t samples) {
    return static_cast<std::uint64_t>((samples + kCell - 1) / kCell);
  };
  const std::uint64_t cells = along(width) * along(height);
  const std::uint64_t patches = std::min<std::uint64_t>(cells, kPatches);
  return pictures + std::max(kOfPatch * patches + kOfCell * cells, kOfAgreeing * cells);
}

}  // namespace streamvsr
