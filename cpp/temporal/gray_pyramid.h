// What motion is found in: a picture's brightness in 8 bits, in halving sizes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "color/planes.h"

namespace streamvsr {

// Purpose: one plane with a border that repeats its edge, so that blocks may reach beyond it.
// Thread-safety and ownership: as a vector.
class GrayPlane {
 public:
  static constexpr int kBorder = 16;  // samples on each side

  GrayPlane() = default;
  GrayPlane(int width, int height);

  int width() const { return width_; }
  int height() const { return height_; }
  std::ptrdiff_t stride() const { return stride_; }
  // x and y may lie in the border; so may what is beside the sample.
  const std::uint8_t* at(const int x, const int y) const {
    return data_.data() + (y + kBorder) * stride_ + x + kBorder;
  }
  std::uint8_t* at(const int x, const int y) {
    return data_.data() + (y + kBorder) * stride_ + x + kBorder;
  }
  // Fills the border from the plane.
  void extend();
  std::size_t bytes() const { return data_.size(); }

 private:
  int width_ = 0;
  int height_ = 0;
  std::ptrdiff_t stride_ = 0;
  std::vector<std::uint8_t> data_;
};

// Purpose: a source picture as the temporal stage sees it. Thread-safety: const. Ownership: holds
// copies, nothing of the picture.
class GrayPyramid {
 public:
  static constexpr int kBins = 64;
  static constexpr int kMostLevels = 6;

  // Brightness is luma, or of RGB a quarter each of red and blue and half of green.
  explicit GrayPyramid(const Planes& picture);

  // Level 0 has the picture's size, each further one half the one before.
  const std::vector<GrayPlane>& levels() const { return levels_; }
  const GrayPlane& full() const { return levels_.front(); }
  // Tells it from every other picture of the process; a copy keeps it.
  std::uint64_t number() const { return number_; }
  // Shares of the brightnesses, together 1.
  const std::array<float, kBins>& histogram() const { return histogram_; }

  // Of a picture of this size.
  static std::size_t bytes(int width, int height);

 private:
  std::uint64_t number_;
  std::vector<GrayPlane> levels_;
  std::array<float, kBins> histogram_{};
};

}  // namespace streamvsr
