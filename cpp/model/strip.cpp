#include "model/strip.h"

#include <algorithm>
#include <limits>

namespace streamvsr {

namespace {

// Products are at most this long and a multiple of kGrain rows: few shapes, so few kernels to
// generate, and a product that is still in the first-level cache when its epilogue reads it.
constexpr int kGrain = 16;
constexpr int kProductValues = 4096;
constexpr int kMaxRows = 256;

// Pixels beyond its own that a stage's product covers, to be added to their neighbours.
int fold_reach(const Stage& stage) { return stage.folded ? 2 : 0; }

// Whether the epilogue does these steps in its one pass.
bool is_plain(const std::vector<Step>& steps) {
  if (steps.empty()) return true;
  return steps.size() == 1 && (steps[0].kind == Step::Kind::kRelu ||
                               (steps[0].kind == Step::Kind::kSlope && steps[0].gentle));
}

}  // namespace

template <class T>
Strip<T>::Strip(const Program<T>& program)
    : program_(program),
      plan_(program.plan),
      windows_(program.plan.stages.size()),
      chunks_(program.plan.stages.size()),
      rings_(program.plan.rings.size()) {
  std::size_t product = 0;
  int pitch = 0;
  for (const auto& packed : program.packed) {
    product = std::max(product,
                       static_cast<std::size_t>(2 * product_rows(packed.columns)) * packed.columns);
    pitch = std::max(pitch, packed.columns);
  }
  product_.resize(product);
  unfolded_.resize(product);
  zero_bias_.resize(pitch);
}

template <class T>
typename Strip<T>::Range Strip<T>::range(const int halo) const {
  return {std::max(0, begin_ - halo), std::min(picture_->width, end_ + halo)};
}

// All stages that look alike get products of one shape, though their widths differ: a change of
// shape makes the microkernel set up the matrix unit anew. Of the shapes, the one that wastes least
// at the rows' ends.
template <class T>
int Strip<T>::choose_chunk(const std::size_t of) const {
  const PackedWeights<T>& shape = program_.packed[of];
  const int most = product_rows(shape.columns);
  // A call costs as much as this many rows; the kernels work in pairs of 16 rows.
  const double call = 9e4 / (static_cast<double>(shape.k) * shape.columns);
  int best = most;
  double least = std::numeric_limits<double>::max();
  for (int chunk = most + most / 2; chunk >= most / 2; chunk -= kGrain) {
    double cost = 0;
    for (std::size_t s = 0; s < plan_.stages.size(); ++s) {
      const PackedWeights<T>& other = program_.packed[s];
      if (other.k != shape.k || other.columns != shape.columns) continue;
      const int step = chunk - fold_reach(plan_.stages[s]);
      const int pieces = (range(plan_.stages[s].halo).count() + step - 1) / step;
      cost += pieces * (chunk + call + (chunk % (2 * kGrain) != 0 ? 4 : 0));
    }
    if (cost < least) {
      least = cost;
      best = chunk;
    }
  }
  return best;
}

template <class T>
void Strip<T>::lay_out() {
  for (std::size_t s = 0; s < windows_.size(); ++s) {
    const Stage& stage = plan_.stages[s];
    chunks_[s] = choose_chunk(s);
    const Range columns = range(stage.halo);
    const int step = chunks_[s] - fold_reach(stage);
    const int pieces = (columns.count() + step - 1) / step;
    windows_[s].lay_out(stage.kernel, stage.in_pitch, columns.begin, columns.end,
                        pieces * chunks_[s] + 2);
  }
  for (std::size_t r = 0; r < rings_.size(); ++r) {
    const RingSpec& spec = plan_.rings[r];
    const Range columns = range(spec.halo);
    rings_[r].begin = columns.begin;
    rings_[r].pixels = columns.count();
    rings_[r].values.assign(static_cast<std::size_t>(spec.rows) * rings_[r].pixels * spec.channels,
                            T{});
  }
  samples_.assign(std::max(range(plan_.input_halo).count(), 2 * kMaxRows), 0.0F);
}

template <class T>
void Strip<T>::run(const Picture& picture, const int begin, const int end, const int rows,
                   const StopFlag& stop) {
  const bool same = begin == begin_ && end == end_ && picture.width == width_;
  picture_ = &picture;
  begin_ = begin;
  end_ = end;
  width_ = picture.width;
  height_ = rows;
  if (!same) lay_out();
  for (Window<T>& window : windows_) window.start();
  for (int row = 0; row < rows; ++row) {
    stop.check();
    windows_[0].open_row(row);
    read_source(row);
    feed(0, row);
  }
}

template <class T>
void Strip<T>::read_plane(const int plane, const int row, const int begin, const int count,
                          float* out) const {
  const ConstPlaneView& view = picture_->source[plane];
  const std::uint8_t* data = view.data + row * view.stride;
  const auto maximum = static_cast<float>((1 << picture_->depth) - 1);
  if (picture_->depth > 8) {
    read_row(reinterpret_cast<const std::uint16_t*>(data) + begin, count, maximum, out);
  } else {
    read_row(data + begin, count, maximum, out);
  }
}

template <class T>
void Strip<T>::read_source(const int row) {
  const Range columns = range(plan_.input_halo);
  T* target = windows_[0].at(columns.begin, row);
  const int stride = windows_[0].stride();
  std::size_t condition = 0;
  for (const InputKind input : plan_.inputs) {
    const int planes = input == InputKind::kFrame ? plan_.planes : 1;
    for (int plane = 0; plane < planes; ++plane, ++target) {
      if (input == InputKind::kFrame) {
        read_plane(plane, row, columns.begin, columns.count(), samples_.data());
      } else {
        std::fill_n(samples_.data(), columns.count(), picture_->conditions[condition++]);
      }
      round_row(samples_.data(), columns.count(), target, stride);
    }
  }
  for (const int r : plan_.input_rings) {
    const int channels = plan_.rings[r].channels;
    const T* from = windows_[0].at(rings_[r].begin, row);
    T* kept = ring_row(r, row);
    for (int x = 0; x < rings_[r].pixels; ++x, kept += channels, from += stride) {
      std::copy_n(from, channels, kept);
    }
  }
}

// Runs a stage as far as the new row of its input allows.
template <class T>
void Strip<T>::feed(const int s, const int row) {
  if (plan_.stages[s].kernel == 1) return run_stage(s, row);
  if (row > 0) run_stage(s, row - 1);
  if (row == height_ - 1) {
    windows_[s].clear_row(row + 1);
    run_stage(s, row);
  }
}

template <class T>
void Strip<T>::run_stage(const int s, const int row) {
  const Stage& stage = plan_.stages[s];
  const PackedWeights<T>& packed = program_.packed[s];
  const Range columns = range(stage.halo);
  const int step = chunks_[s] - fold_reach(stage);
  const bool last = s + 1 == static_cast<int>(plan_.stages.size());
  if (!last) windows_[s + 1].open_row(row);
  for (int x = columns.begin; x < columns.end; x += step) {
    program_.kernels.template multiply<T>(chunks_[s], windows_[s].read(x, row),
                                          windows_[s].stride(), packed, product_.data());
    finish_chunk(s, row, x, std::min(step, columns.end - x));
  }
  if (!last) feed(s + 1, row);
}

template <class T>
void Strip<T>::finish_chunk(const int s, const int row, const int x, const int count) {
  const Stage& stage = plan_.stages[s];
  const bool last = s + 1 == static_cast<int>(plan_.stages.size());
  if (!last && is_plain(stage.steps)) {
    Activation activation = Activation::kNone;
    const float* slope = nullptr;
    if (!stage.steps.empty()) {
      const Step& step = stage.steps[0];
      activation = step.kind == Step::Kind::kRelu ? Activation::kRelu : Activation::kSlope;
      slope = step.slope.data();
    }
    finish_row(product_.data(), count, stage.pitch, stage.bias.data(), activation, slope,
               windows_[s + 1].at(x, row), windows_[s + 1].stride());
    return;
  }
  float* values = product_.data();
  if (stage.folded) {
    values = unfolded_.data();
    unfold(product_.data(), program_.packed[s].columns, count, stage.out_channels,
           stage.bias.data(), values);
  } else {
    add_bias(values, count, stage.pitch, stage.bias.data());
  }
  run_steps(stage, row, x, count, values);
  if (last) {
    write_result(row, x, count, values, stage.pitch);
  } else {
    finish_row(values, count, stage.pitch, zero_bias_.data(), Activation::kNone, nullptr,
               windows_[s + 1].at(x, row), windows_[s + 1].stride());
  }
}

template <class T>
void Strip<T>::run_steps(const Stage& stage, const int row, const int x, const int count,
                         float* values) {
  for (const Step& step : stage.steps) {
    if (step.kind == Step::Kind::kRelu) {
      apply_relu(values, count, stage.pitch);
    } else if (step.kind == Step::Kind::kSlope) {
      apply_slope(values, count, stage.pitch, step.slope.data());
    } else {
      // Of the stage's columns those the adding stage needs; all of them where this is that stage.
      const Ring& ring = rings_[step.ring];
      const int channels = plan_.rings[step.ring].channels;
      const int first = std::max(x, ring.begin);
      const int wanted = std::min(x + count, ring.begin + ring.pixels) - first;
      if (wanted <= 0) continue;
      float* at = values + static_cast<std::ptrdiff_t>(first - x) * stage.pitch;
      T* kept =
          ring_row(step.ring, row) + static_cast<std::ptrdiff_t>(first - ring.begin) * channels;
      if (step.kind == Step::Kind::kAdd) {
        add_row(at, wanted, stage.pitch, kept, channels);
      } else {
        keep_row(at, wanted, stage.pitch, kept, channels);
      }
    }
  }
}

template <class T>
void Strip<T>::write_result(const int row, const int x, const int count, const float* values,
                            const int pitch) {
  const int scale = plan_.scale;
  const auto maximum = static_cast<float>((1 << picture_->depth) - 1);
  for (int plane = 0; plane < plan_.planes; ++plane) {
    const float* source = nullptr;
    if (plan_.residual) {
      read_plane(plane, row, x, count, samples_.data());
      source = samples_.data();
    }
    const PlaneView& view = picture_->result[plane];
    const auto write = [&]<class Sample>(Sample) {
      OutputRows<Sample> out;
      out.scale = scale;
      out.maximum = maximum;
      for (int dy = 0; dy < scale; ++dy) {
        out.row[dy] =
            reinterpret_cast<Sample*>(view.data + (row * scale + dy) * view.stride) + x * scale;
      }
      write_rows(values + plane * scale * scale, count, pitch, source, out);
    };
    if (picture_->depth > 8) {
      write(std::uint16_t{});
    } else {
      write(std::uint8_t{});
    }
  }
}

int product_rows(const int columns) {
  return std::clamp(kProductValues / columns / kGrain * kGrain, 2 * kGrain, kMaxRows);
}

std::size_t strip_bytes(const Plan& plan, const int columns, const std::size_t sample_bytes) {
  std::size_t bytes = 0;
  for (const Stage& stage : plan.stages) {
    // Products reach a little beyond the strip.
    const int pixels = columns + 2 * stage.halo + 2 * kMaxRows;
    bytes += Window<std::uint8_t>::bytes(stage.kernel, stage.in_pitch, pixels) * sample_bytes;
  }
  for (const RingSpec& ring : plan.rings) {
    bytes += static_cast<std::size_t>(ring.rows) * (columns + 2 * ring.halo) * ring.channels *
             sample_bytes;
  }
  return bytes;
}

template class Strip<float>;
template class Strip<Bf16>;

}  // namespace streamvsr
