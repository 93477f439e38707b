// One column strip of a picture through a whole network, row by row.
#pragma once

#include <vector>

#include "base/stop.h"
#include "model/loops.h"
#include "model/picture.h"
#include "model/program.h"

namespace streamvsr {

// Purpose: the depth-first engine of one thread. Each row a stage finishes is written straight into
// the windows of the next stage, which runs as soon as its three rows are there, so all that is
// alive at any time is a few rows a stage. Thread-safety: one thread at a time. Ownership: owns its
// buffers, which are kept between runs; borrows the program.
template <class T>
class Strip {
 public:
  explicit Strip(const Program<T>& program);

  // Computes columns [begin, end) of the source's raster, for `rows` rows (all of them unless a
  // measurement wants fewer). Throws kStopped.
  void run(const Picture& picture, int begin, int end, int rows, const StopFlag& stop);

 private:
  struct Buffer {  // a stage's input
    AlignedVector<T> values;
    std::size_t window = 0;  // values from one of the three windows to the next
    int begin = 0;           // source column of the first pixel
    int pixels = 0;          // real ones, borders included
  };
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
  // The window in which `row` is the middle one.
  T* window(const int stage, const int row) {
    const Buffer& buffer = buffers_[stage];
    const bool single = stage == 0 || plan_.stages[stage].kernel == 1;
    return buffers_[stage].values.data() + (single ? 0 : row % 3) * buffer.window;
  }
  T* ring_row(const int ring, const int row) {
    return rings_[ring].values.data() + static_cast<std::size_t>(row % plan_.rings[ring].rows) *
                                            rings_[ring].pixels * plan_.rings[ring].channels;
  }
  T* line(const int row, const int channel) {
    return lines_.data() + (row % 3 * plan_.stages[0].in_pitch + channel) * line_values_;
  }
  void clear_slot(int stage, int row, int slot);
  void fill_conditions();
  void read_plane(int plane, int row, int begin, int count, float* out) const;
  void read_source(int row);
  void feed_first(int row);
  void run_stage(int stage, int row);
  void advance(int stage, int row);
  Targets<T> targets(int stage, int row, int x);
  void finish_chunk(int stage, int row, int x, int count);
  void run_steps(const Stage& stage, int row, int x, int count, float* values);
  void write_result(int row, int x, int count, const float* values, int pitch);

  const Program<T>& program_;
  const Plan& plan_;
  std::vector<Buffer> buffers_;
  std::vector<Ring> rings_;
  std::vector<const T*> lines_in_;  // what the first window is made of
  AlignedVector<T> lines_;          // three source rows, a line a channel
  std::size_t line_values_ = 0;     // values from line to line
  Range source_range_;              // columns of a line
  AlignedVector<float> product_;    // one chunk
  AlignedVector<float> unfolded_;
  AlignedVector<float> samples_;  // one source row as numbers
  AlignedVector<float> zero_bias_;

  const Picture* picture_ = nullptr;
  int begin_ = -1;  // the strip the buffers are laid out for
  int end_ = -1;
  int width_ = -1;
  int height_ = 0;
};

// Rows of one matrix product with this many columns, at most 256.
int product_rows(int columns);

// Bytes of a strip's buffers for this many columns inside a wide picture.
std::size_t strip_bytes(const Plan& plan, int columns, std::size_t sample_bytes);

}  // namespace streamvsr
