// One column strip of a picture through a whole network, row by row.
#pragma once

#include <vector>

#include "base/stop.h"
#include "model/loops.h"
#include "model/picture.h"
#include "model/program.h"
#include "model/window.h"

namespace streamvsr {

// Purpose: the depth-first engine of one thread. Each row a stage finishes is written straight into
// the window of the next stage, which runs as soon as its three rows are there, so all that is
// alive at any time is three rows a stage. Thread-safety: one thread at a time. Ownership: owns its
// buffers, which are kept between runs; borrows the program.
template <class T>
class Strip {
 public:
  explicit Strip(const Program<T>& program);

  // Computes columns [begin, end) of the source's raster, for the first `rows` rows as if the
  // picture had no more. Throws kStopped.
  void run(const Picture& picture, int begin, int end, int rows, const StopFlag& stop);

 private:
  struct Ring {
    AlignedVector<T> values;
    int begin = 0;
    int pixels = 0;
  };
  struct Range {
    int begin = 0;
    int end = 0;
    int count() const { return end - begin; }
  };

  Range range(int halo) const;
  void lay_out();
  int choose_chunk(std::size_t stage) const;
  T* ring_row(const int ring, const int row) {
    return rings_[ring].values.data() + static_cast<std::size_t>(row % plan_.rings[ring].rows) *
                                            rings_[ring].pixels * plan_.rings[ring].channels;
  }
  void read_plane(int plane, int row, int begin, int count, float* out) const;
  void read_source(int row);
  void feed(int stage, int row);
  void run_stage(int stage, int row);
  void finish_chunk(int stage, int row, int x, int count);
  void run_steps(const Stage& stage, int row, int x, int count, float* values);
  void write_result(int row, int x, int count, const float* values, int pitch);

  const Program<T>& program_;
  const Plan& plan_;
  std::vector<Window<T>> windows_;  // each stage's input
  std::vector<int> chunks_;         // rows of each stage's products
  std::vector<Ring> rings_;
  AlignedVector<float> product_;  // one chunk
  AlignedVector<float> unfolded_;
  AlignedVector<float> samples_;  // one source row as numbers
  AlignedVector<float> zero_bias_;

  const Picture* picture_ = nullptr;
  int begin_ = -1;  // the strip the buffers are laid out for
  int end_ = -1;
  int width_ = -1;
  int height_ = 0;
};

// About how many rows a matrix product with this many columns should have; a multiple of 16.
int product_rows(int columns);

// Bytes of a strip's buffers for this many columns inside a wide picture.
std::size_t strip_bytes(const Plan& plan, int columns, std::size_t sample_bytes);

}  // namespace streamvsr
