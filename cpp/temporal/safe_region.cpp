#include "temporal/safe_region.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <string>

#include "base/clones.h"
#include "base/error.h"

namespace streamvsr {

namespace {

constexpr int kWhole = SafeRegion::kWhole;
constexpr int kWholeBits = 7;
static_assert(kWhole == 1 << kWholeBits);
constexpr int kReach = 4;  // samples to each side, of the mean of the steps
constexpr int kAround = 2 * kReach + 1;
constexpr int kRowsAtOnce = 32;

using Table = std::array<std::uint8_t, 256>;

std::uint8_t in_parts(const float share) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(share, 0.0F, 1.0F) * kWhole));
}

// Falls slowly at first: a network is hardly worse until close to black and white.
float eased(const float share) {
  const float taken = (1.0F - share) * (1.0F - share);
  return 1.0F - taken * taken;
}

// Share by brightness.
Table brightness_table(const SafeRegionSettings& settings, const bool full_range) {
  Table table;
  for (int code = 0; code < 256; ++code) {
    const float value = full_range ? static_cast<float>(code) / 255.0F
                                   : std::clamp(static_cast<float>(code - 16) / 219.0F, 0.0F, 1.0F);
    float share = settings.strength;
    if (settings.highlights < 1.0F && value > settings.highlights)
      share *= eased((1.0F - value) / (1.0F - settings.highlights));
    if (settings.shadows > 0.0F && value < settings.shadows)
      share *= eased(value / settings.shadows);
    table[static_cast<std::size_t>(code)] = in_parts(share);
  }
  return table;
}

// Steps between neighbours, across and down, and brightness around a sample (3 x 3, in nines).
STREAMVSR_CLONES void look_row(const std::uint8_t* row, const std::ptrdiff_t stride,
                               const int count, std::uint16_t* steps, std::uint16_t* around) {
  const std::uint8_t* const up = row - stride;
  const std::uint8_t* const down = row + stride;
  for (int x = 0; x < count; ++x) {
    const int across = std::abs(row[x + 1] - row[x - 1]);
    const int along = std::abs(down[x] - up[x]);
    steps[x] = static_cast<std::uint16_t>(across + along);
    around[x] = static_cast<std::uint16_t>(up[x - 1] + up[x] + up[x + 1] + row[x - 1] + row[x] +
                                           row[x + 1] + down[x - 1] + down[x] + down[x + 1]);
  }
}
STREAMVSR_CLONES void add_rows(const std::uint16_t* in, const std::uint16_t* out, const int count,
                               std::uint16_t* sums) {
  for (int x = 0; x < count; ++x) sums[x] = static_cast<std::uint16_t>(sums[x] + in[x] - out[x]);
}
STREAMVSR_CLONES void edge_row(const std::uint16_t* sums, const int count, const float factor,
                               std::uint8_t* share) {
  for (int x = 0; x < count; ++x) {
    int sum = 0;
    for (int i = 0; i < kAround; ++i) sum += sums[x + i];
    const float edge = std::min(static_cast<float>(sum) * factor, static_cast<float>(kWhole));
    share[x] =
        static_cast<std::uint8_t>((share[x] * static_cast<int>(edge + 0.5F) + kWhole / 2) / kWhole);
  }
}

template <class Sample>
[[gnu::always_inline]] inline void mix_row_of(const Sample* interpolated, const std::uint8_t* share,
                                              const int count, Sample* enhanced) {
  for (int x = 0; x < count; ++x) {
    const int d = enhanced[x] - interpolated[x];
    // A shift rounds differences of either sign alike.
    enhanced[x] =
        static_cast<Sample>(interpolated[x] + ((d * share[x] + kWhole / 2) >> kWholeBits));
  }
}
STREAMVSR_CLONES void mix_row(const std::uint8_t* interpolated, const std::uint8_t* share,
                              const int count, std::uint8_t* enhanced) {
  mix_row_of(interpolated, share, count, enhanced);
}
STREAMVSR_CLONES void mix_row(const std::uint16_t* interpolated, const std::uint8_t* share,
                              const int count, std::uint16_t* enhanced) {
  mix_row_of(interpolated, share, count, enhanced);
}

template <class Sample>
void mix_rows(const SafeRegion& region, const int scale, const Planes& interpolated,
              const int from_plane, Planes& enhanced, const int plane, const int begin,
              const int end) {
  const int width = enhanced.format().plane_width(plane);
  std::vector<std::uint8_t> shares(static_cast<std::size_t>(width));
  for (int y = begin; y < end; ++y) {
    const std::uint8_t* const row =
        region.share.data() + static_cast<std::ptrdiff_t>(y) * region.width;
    if (std::all_of(row, row + region.width, [](const int share) { return share == kWhole; }))
      continue;
    for (int x = 0; x < region.width; ++x)
      std::fill_n(shares.data() + static_cast<std::ptrdiff_t>(x) * scale, scale, row[x]);
    for (int i = 0; i < scale; ++i) {
      mix_row(interpolated.row<Sample>(from_plane, y * scale + i), shares.data(), width,
              enhanced.row<Sample>(plane, y * scale + i));
    }
  }
}

// Takes from the shares what moves too fast.
void slow_down(const Relation& relation, const SafeRegionSettings& settings, const int row,
               SafeRegion& region) {
  const MotionField& motion = relation.motion;
  const float most = settings.motion * static_cast<float>(region.width) * MotionField::kUnit;
  for (int column = 0; column < motion.columns; ++column) {
    const std::size_t cell = motion.index(column, row);
    const auto dx = static_cast<float>(motion.dx[cell]);
    const auto dy = static_cast<float>(motion.dy[cell]);
    const float speed = std::sqrt(dx * dx + dy * dy);
    if (speed <= most) continue;
    const int share = most > 0.0F ? in_parts(2.0F - speed / most) : 0;
    for (int y = row * MotionField::kCell;
         y < std::min(region.height, (row + 1) * MotionField::kCell); ++y) {
      for (int x = column * MotionField::kCell;
           x < std::min(region.width, (column + 1) * MotionField::kCell); ++x) {
        std::uint8_t& one = region.share[static_cast<std::size_t>(y * region.width + x)];
        one = static_cast<std::uint8_t>((one * share + kWhole / 2) / kWhole);
      }
    }
  }
}

}  // namespace

void check(const SafeRegionSettings& settings) {
  const auto in_range = [](const char* const name, const float value) {
    if (value >= 0.0F && value <= 1.0F) return;
    throw Error(ErrorKind::kConfig,
                std::string(name) + " is " + std::to_string(value) + ": use 0 to 1");
  };
  in_range("mask_strength", settings.strength);
  in_range("mask_highlights", settings.highlights);
  in_range("mask_shadows", settings.shadows);
  in_range("mask_edges", settings.edges);
  in_range("mask_motion", settings.motion);
}

SafeRegion safe_region(const GrayPlane& gray, const Relation& relation, const bool full_range,
                       const SafeRegionSettings& settings, const Parallel& parallel) {
  SafeRegion region{gray.width(), gray.height(), {}};
  region.share.resize(static_cast<std::size_t>(region.width) *
                      static_cast<std::size_t>(region.height));
  const Table brightness = brightness_table(settings, full_range);
  // Of a sum of steps, each of which spans two samples across and two down.
  const float range = full_range ? 255.0F : 219.0F;
  const float factor =
      settings.edges > 0.0F
          ? static_cast<float>(kWhole) / (settings.edges * range * 4.0F * kAround * kAround)
          : 0.0F;
  const int pieces = (region.height + kRowsAtOnce - 1) / kRowsAtOnce;
  parallel(pieces, [&](const int piece) {
    const int begin = piece * kRowsAtOnce;
    const int end = std::min(region.height, begin + kRowsAtOnce);
    // Samples beside the picture count for the mean of the steps, as its edge repeated.
    const int count = region.width + 2 * kReach;
    const auto row_bytes = static_cast<std::size_t>(count);
    std::vector<std::uint16_t> steps[kAround + 1];
    for (auto& row : steps) row.assign(row_bytes, 0);
    std::vector<std::uint16_t> around[kAround];
    for (auto& row : around) row.resize(row_bytes);
    std::vector<std::uint16_t> sums(row_bytes);
    const std::vector<std::uint16_t> nothing(row_bytes);
    for (int y = begin - kReach; y < end + kReach; ++y) {
      const int seen = y - (begin - kReach);
      auto& now = steps[seen % (kAround + 1)];
      look_row(gray.at(-kReach, y), gray.stride(), count, now.data(),
               around[seen % kAround].data());
      const auto& gone = seen >= kAround ? steps[(seen + 1) % (kAround + 1)] : nothing;
      add_rows(now.data(), gone.data(), count, sums.data());
      const int row = y - kReach;
      if (row < begin) continue;
      std::uint8_t* const share =
          region.share.data() + static_cast<std::ptrdiff_t>(row) * region.width;
      const std::uint16_t* const bright = around[(seen - kReach) % kAround].data() + kReach;
      for (int x = 0; x < region.width; ++x) share[x] = brightness[(bright[x] + 4U) / 9U];
      if (settings.edges > 0.0F) edge_row(sums.data(), region.width, factor, share);
    }
  });
  if (settings.uses_motion() && !relation.cut) {
    for (int row = 0; row < relation.motion.rows; ++row) slow_down(relation, settings, row, region);
  }
  return region;
}

void mix(const SafeRegion& region, const int scale, const Planes& interpolated,
         const int from_plane, Planes& enhanced, const int plane, const Parallel& parallel) {
  const int pieces = (region.height + kRowsAtOnce - 1) / kRowsAtOnce;
  parallel(pieces, [&](const int piece) {
    const int begin = piece * kRowsAtOnce;
    const int end = std::min(region.height, begin + kRowsAtOnce);
    if (enhanced.format().depth > 8) {
      mix_rows<std::uint16_t>(region, scale, interpolated, from_plane, enhanced, plane, begin, end);
    } else {
      mix_rows<std::uint8_t>(region, scale, interpolated, from_plane, enhanced, plane, begin, end);
    }
  });
}

}  // namespace streamvsr
