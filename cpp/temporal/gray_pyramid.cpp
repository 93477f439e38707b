#include "temporal/gray_pyramid.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/clones.h"

namespace streamvsr {

namespace {

// Smaller levels tell nothing more of where things went.
constexpr int kSmallest = 24;  // samples of the shorter side

STREAMVSR_CLONES void copy_row(const std::uint8_t* from, const int count, std::uint8_t* to) {
  std::memcpy(to, from, static_cast<std::size_t>(count));
}
STREAMVSR_CLONES void shift_row(const std::uint16_t* from, const int count, const int shift,
                                std::uint8_t* to) {
  for (int x = 0; x < count; ++x) to[x] = static_cast<std::uint8_t>(from[x] >> shift);
}
template <class Sample>
[[gnu::always_inline]] inline void mix(const Sample* g, const Sample* b, const Sample* r,
                                       const int count, const int shift, std::uint8_t* to) {
  for (int x = 0; x < count; ++x) {
    to[x] = static_cast<std::uint8_t>((2U * g[x] + b[x] + r[x]) >> (shift + 2));
  }
}
STREAMVSR_CLONES void mix_row(const std::uint8_t* g, const std::uint8_t* b, const std::uint8_t* r,
                              const int count, const int shift, std::uint8_t* to) {
  mix(g, b, r, count, shift, to);
}
STREAMVSR_CLONES void mix_row(const std::uint16_t* g, const std::uint16_t* b,
                              const std::uint16_t* r, const int count, const int shift,
                              std::uint8_t* to) {
  mix(g, b, r, count, shift, to);
}
STREAMVSR_CLONES void halve_rows(const std::uint8_t* above, const std::uint8_t* below,
                                 const int count, std::uint8_t* to) {
  for (int x = 0; x < count; ++x) {
    to[x] = static_cast<std::uint8_t>(
        (above[2 * x] + above[2 * x + 1] + below[2 * x] + below[2 * x + 1] + 2) >> 2);
  }
}

template <class Sample>
void brightness_row(const Planes& picture, const int y, std::uint8_t* to) {
  const PlaneFormat& format = picture.format();
  const int shift = format.depth - 8;
  if (format.rgb && format.plane_count >= 3) {
    mix_row(picture.row<Sample>(0, y), picture.row<Sample>(1, y), picture.row<Sample>(2, y),
            format.width, shift, to);
  } else if constexpr (sizeof(Sample) == 1) {
    copy_row(picture.row<Sample>(0, y), format.width, to);
  } else {
    shift_row(picture.row<Sample>(0, y), format.width, shift, to);
  }
}

std::uint64_t next_number() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

// Sizes of the levels of a picture.
std::vector<std::pair<int, int>> level_sizes(int width, int height) {
  std::vector<std::pair<int, int>> sizes{{width, height}};
  while (static_cast<int>(sizes.size()) < GrayPyramid::kMostLevels &&
         std::min(width, height) >= 2 * kSmallest) {
    width /= 2;
    height /= 2;
    sizes.emplace_back(width, height);
  }
  return sizes;
}

}  // namespace

GrayPlane::GrayPlane(const int width, const int height)
    : width_(width),
      height_(height),
      stride_(width + 2 * kBorder),
      data_(static_cast<std::size_t>(stride_) * static_cast<std::size_t>(height + 2 * kBorder)) {}

void GrayPlane::extend() {
  for (int y = 0; y < height_; ++y) {
    std::memset(at(-kBorder, y), *at(0, y), kBorder);
    std::memset(at(width_, y), *at(width_ - 1, y), kBorder);
  }
  const auto row = static_cast<std::size_t>(stride_);
  for (int y = 1; y <= kBorder; ++y) {
    std::memcpy(at(-kBorder, -y), at(-kBorder, 0), row);
    std::memcpy(at(-kBorder, height_ - 1 + y), at(-kBorder, height_ - 1), row);
  }
}

GrayPyramid::GrayPyramid(const Planes& picture) : number_(next_number()) {
  const PlaneFormat& format = picture.format();
  for (const auto& [width, height] : level_sizes(format.width, format.height)) {
    levels_.emplace_back(width, height);
  }
  GrayPlane& first = levels_.front();
  std::array<std::int64_t, 256> counts{};
  for (int y = 0; y < format.height; ++y) {
    std::uint8_t* const row = first.at(0, y);
    if (format.depth > 8) {
      brightness_row<std::uint16_t>(picture, y, row);
    } else {
      brightness_row<std::uint8_t>(picture, y, row);
    }
    for (int x = 0; x < format.width; ++x) ++counts[row[x]];
  }
  first.extend();
  const double all = static_cast<double>(format.width) * format.height;
  for (int code = 0; code < 256; ++code) {
    histogram_[static_cast<std::size_t>(code * kBins / 256)] +=
        static_cast<float>(static_cast<double>(counts[static_cast<std::size_t>(code)]) / all);
  }
  for (std::size_t level = 1; level < levels_.size(); ++level) {
    const GrayPlane& from = levels_[level - 1];
    GrayPlane& to = levels_[level];
    for (int y = 0; y < to.height(); ++y) {
      halve_rows(from.at(0, 2 * y), from.at(0, 2 * y + 1), to.width(), to.at(0, y));
    }
    to.extend();
  }
}

std::size_t GrayPyramid::bytes(const int width, const int height) {
  std::size_t bytes = 0;
  for (const auto& [w, h] : level_sizes(width, height)) {
    bytes += static_cast<std::size_t>(w + 2 * GrayPlane::kBorder) *
             static_cast<std::size_t>(h + 2 * GrayPlane::kBorder);
  }
  return bytes;
}

}  // namespace streamvsr
