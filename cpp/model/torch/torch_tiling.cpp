// How far a network looks, found by trying.
//
// Note [how far a network looks]
// A strip of noise has its outer thirds replaced, once by values that are no numbers and once by
// other noise, and the result is searched for what stayed. No number reaches whatever reads it,
// even through a weight of zero; the other noise shows what was read through a comparison, which
// swallows them. A network that looks at the whole picture (a mean over it, attention) leaves
// nothing, however long the strip. Then the strip's beginning is cut off: the smallest cut of 1, 2,
// 4 .. 32 samples that leaves the rest as it was is what the network's grid, if it works on a
// coarser one, asks of where a piece begins. Both directions are tried.
#include <algorithm>
#include <cmath>
#include <optional>

#include "model/torch/torch_failure.h"
#include "model/torch/torch_model.h"

namespace streamvsr {

namespace {

constexpr std::int64_t kHeight = 32;  // of a strip
constexpr std::int64_t kFirst = 64;   // samples of a strip's third, at first
constexpr std::int64_t kLongest = 1024;
constexpr std::int64_t kMostAlign = 32;

// Strips lie along one of a picture's directions.
struct Direction {
  TorchNetwork& model;
  int dimension;  // 2: down, 3: across

  at::Tensor noise(const std::int64_t length) const {
    const int channels = model.planes + model.conditions;
    return dimension == 3 ? test_picture(model, channels, static_cast<int>(length), kHeight)
                          : test_picture(model, channels, kHeight, static_cast<int>(length));
  }
  at::Tensor part(const at::Tensor& strip, const std::int64_t begin, const std::int64_t end) const {
    return strip.slice(dimension, begin, end);
  }
  // Places along the strip where nothing differs: true where all of `same` is.
  at::Tensor along(const at::Tensor& same) const {
    const std::int64_t others[] = {0, 1, dimension == 3 ? 2 : 3};
    return same.logical_not().any(at::IntArrayRef(others)).logical_not().cpu();
  }
};

// Source samples beyond the middle third that its result depends on; nothing where all of it does.
std::optional<std::int64_t> reach(const at::Tensor& kept, const std::int64_t third,
                                  const std::int64_t scale) {
  const bool* const good = kept.data_ptr<bool>();
  const std::int64_t begin = third * scale;
  const std::int64_t end = 2 * begin;
  std::int64_t low = (begin + end) / 2;
  std::int64_t high = low;
  if (!good[low]) return std::nullopt;
  while (low > begin && good[low - 1]) --low;
  while (high < end && good[high]) ++high;
  const std::int64_t lost = std::max(low - begin, end - high);
  return (lost + scale - 1) / scale;
}

std::optional<std::int64_t> find_halo(const Direction& along) {
  const std::int64_t scale = along.model.scale;
  for (std::int64_t third = kFirst; third <= kLongest; third *= 2) {
    const at::Tensor strip = along.noise(3 * third);
    const at::Tensor plain = apply(along.model, strip);
    const auto with_ends = [&](const bool numbers) {
      at::Tensor changed = strip.clone();
      for (const std::int64_t begin : {std::int64_t{0}, 2 * third}) {
        at::Tensor end = along.part(changed, begin, begin + third);
        if (numbers)
          end.neg_().add_(1);
        else
          end.fill_(std::nan(""));
      }
      return apply(along.model, changed);
    };
    const auto by_none = reach(along.along(with_ends(false).isfinite()), third, scale);
    if (!by_none) continue;
    const auto by_noise = reach(along.along(with_ends(true).eq(plain)), third, scale);
    if (by_noise) return std::max(*by_none, *by_noise);
  }
  return std::nullopt;
}

// Whether a strip that begins `cut` later comes out as before, but for the halo at the cut.
bool same_behind(const Direction& along, const at::Tensor& strip, const at::Tensor& plain,
                 const std::int64_t cut, const std::int64_t halo) {
  at::Tensor rest;
  const int status = guarded([&] {
    rest = apply(along.model, along.part(strip, cut, strip.size(along.dimension))
                                  .contiguous(at::MemoryFormat::ChannelsLast));
  });
  if (status == STREAMVSR_TORCH_MEMORY) throw Refusal(status, last_failure());
  if (status != STREAMVSR_TORCH_OK) return false;
  const std::int64_t scale = along.model.scale;
  const std::int64_t length = plain.size(along.dimension);
  if (rest.size(along.dimension) != length - cut * scale) return false;
  const at::Tensor before = along.part(plain, (cut + halo) * scale, length).to(at::kFloat);
  const at::Tensor after = along.part(rest, halo * scale, length - cut * scale).to(at::kFloat);
  const double most = along.model.dtype == at::kFloat ? 1e-3 : 3e-2;
  return before.sub(after).abs().max().item<double>() <=
         most * std::max(1.0, before.abs().max().item<double>());
}

std::int64_t find_align(const Direction& along, const std::int64_t halo) {
  const std::int64_t length = (halo + 4 * kMostAlign + 31) / 32 * 32;
  const at::Tensor strip = along.noise(length);
  const at::Tensor plain = apply(along.model, strip);
  for (std::int64_t align = 1; align <= kMostAlign; align *= 2) {
    if (same_behind(along, strip, plain, align, halo) &&
        same_behind(along, strip, plain, 3 * align, halo))
      return align;
  }
  return 0;
}

}  // namespace

streamvsr_torch_tiling find_tiling(TorchNetwork& model) {
  streamvsr_torch_tiling found{1, 0, 1};
  for (const int dimension : {2, 3}) {
    const Direction along{model, dimension};
    const auto halo = find_halo(along);
    if (!halo) refuse("what it makes of one place depends on the whole picture");
    const std::int64_t align = find_align(along, *halo);
    if (align == 0) refuse("what it makes of one place depends on where in the picture it lies");
    found.halo = std::max(found.halo, static_cast<std::int32_t>(*halo));
    found.align = std::max(found.align, static_cast<std::int32_t>(align));
  }
  found.halo = (found.halo + found.align - 1) / found.align * found.align;
  return found;
}

}  // namespace streamvsr
