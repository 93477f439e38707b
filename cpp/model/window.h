// The input rows of one convolution, laid out so that a row of its results is one matrix product.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "model/matrix.h"

namespace streamvsr {

// Purpose: holds the last three rows a 3x3 convolution reads (one row for a 1x1). The value of
// pixel x in row y lies in slot 3 x + y, a slot being the pixel's channels. So the nine pixels
// around (x, y), column by column, are the nine slots from 3 (x - 1) + (y - 1) on, one behind the
// other: a row of results is ONE product whose rows overlap, nine pixels long and three slots
// apart, with no gathering, and each pixel is written once. Row y + 3 takes the slots of row y, by
// then used up, one pixel further on. The whole pattern creeps on by a slot a row and is moved back
// once in kCreep rows. Thread-safety: one thread at a time. Ownership: owns its memory.
template <class T>
class Window {
 public:
  // Source columns [begin, end) with a border of one pixel each side for a 3x3 kernel. `reach`:
  // pixels a product may touch from the first on, beyond which memory must still be there.
  void lay_out(const int kernel, const int channels, const int begin, const int end,
               const int reach) {
    kernel_ = kernel;
    channels_ = channels;
    border_ = kernel / 2;
    begin_ = begin;
    pixels_ = end - begin + 2 * border_;
    // Zeros, since what a product touches without use must be finite.
    values_.assign(bytes(kernel, channels, std::max(pixels_, reach)) / sizeof(T), T{});
  }
  static std::size_t bytes(const int kernel, const int channels, const int pixels) {
    const std::size_t slots = static_cast<std::size_t>(pixels) * kernel + kCreep + 2 * kernel;
    return (slots * channels + kSlack) * sizeof(T);
  }

  // Begins a picture: the row above the first is zero.
  void start() {
    first_ = -border_;
    if (border_ > 0) clear_row(-1);
  }
  // Makes room for a row, which must follow the last one opened, and zeroes its borders.
  void open_row(const int row) {
    if (kernel_ == 1) {
      first_ = row;
      return;
    }
    if (row - first_ >= kCreep) {
      T* from = slot(0, row - 2);
      first_ = row - 2;
      std::memmove(values_.data(), from,
                   static_cast<std::size_t>(3 * pixels_) * channels_ * sizeof(T));
    }
    std::fill_n(slot(0, row), channels_, T{});
    std::fill_n(slot(pixels_ - 1, row), channels_, T{});
  }
  // A row that lies outside the picture.
  void clear_row(const int row) {
    open_row(row);
    for (int i = 0; i < pixels_; ++i) std::fill_n(slot(i, row), channels_, T{});
  }

  // Where to write source column x of a row; the next column lies stride() values on.
  T* at(const int x, const int row) { return slot(x - begin_ + border_, row); }
  // What a product reads for the results of a row from source column x on. Rows are stride() apart.
  const T* read(const int x, const int row) {
    return slot(x - begin_, kernel_ == 3 ? row - 1 : row);
  }
  int stride() const { return kernel_ * channels_; }

 private:
  static constexpr int kCreep = 128;
  static constexpr std::size_t kSlack = 64;  // the pairing of bf16 reads one value more

  T* slot(const int index, const int row) {
    return values_.data() +
           (static_cast<std::ptrdiff_t>(index) * kernel_ + (row - first_)) * channels_;
  }

  AlignedVector<T> values_;
  int kernel_ = 3;
  int channels_ = 0;
  int border_ = 1;
  int begin_ = 0;
  int pixels_ = 0;  // borders included
  int first_ = 0;   // the row whose first pixel is in slot 0
};

}  // namespace streamvsr
