#include "model/strip.h"

#include <algorithm>

namespace streamvsr {

namespace {

// Products are at most this long and a multiple of kGrain rows: few shapes, so few kernels to
// generate, and a product that is still in the first-level cache when its epilogue reads it.
constexpr int kGrain = 16;
constexpr int kProductValues = 4096;
constexpr int kMaxRows = 256;
constexpr int round_up(const int n, const int to) { return (n + to - 1) / to * to; }

// Pixels a window needs beyond its real ones: products are rounded up to kGrain rows and read on.
constexpr int kSlackPixels = 2 * kGrain;
// Values beyond the last pixel: where the pairing of bf16 reads one more.
constexpr std::size_t kSlackValues = 32;

std::size_t window_values(const Stage& stage, const int pixels) {
  return static_cast<std::size_t>(pixels + kSlackPixels) * stage.kernel * stage.in_pitch +
         kSlackValues;
}

// The first stage's window is built anew for each row; a 1x1 convolution needs no neighbours.
int window_count(const int stage, const int kernel) { return stage > 0 && kernel == 3 ? 3 : 1; }

bool is_activation(const Step& step) {
  return step.kind == Step::Kind::kRelu || step.kind == Step::Kind::kSlope;
}

}  // namespace

template <class T>
Strip<T>::Strip(const Program<T>& program)
    : program_(program),
      plan_(program.plan),
      buffers_(program.plan.stages.size()),
      rings_(program.plan.rings.size()) {
  std::size_t product = 0;
  int pitch = 0;
  for (const auto& packed : program.packed) {
    product =
        std::max(product, static_cast<std::size_t>(product_rows(packed.columns)) * packed.columns);
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

template <class T>
void Strip<T>::lay_out() {
  for (std::size_t s = 0; s < buffers_.size(); ++s) {
    const Stage& stage = plan_.stages[s];
    const int border = stage.kernel / 2;
    const Range columns = range(stage.halo);
    Buffer& buffer = buffers_[s];
    buffer.begin = columns.begin - border;
    buffer.pixels = columns.count() + 2 * border;
    buffer.window = window_values(stage, buffer.pixels);
    // Zeros: the border, and slack that must be finite.
    buffer.values.assign(buffer.window * window_count(static_cast<int>(s), stage.kernel), T{});
  }
  for (std::size_t r = 0; r < rings_.size(); ++r) {
    const RingSpec& spec = plan_.rings[r];
    const Range columns = range(spec.halo);
    rings_[r].begin = columns.begin;
    rings_[r].pixels = columns.count();
    rings_[r].values.assign(static_cast<std::size_t>(spec.rows) * rings_[r].pixels * spec.channels,
                            T{});
  }
  source_range_ = range(plan_.input_halo);
  line_values_ = buffers_[0].pixels;
  lines_.assign(3 * line_values_ * plan_.stages[0].in_pitch, T{});
  samples_.assign(std::max(source_range_.count(), kMaxRows), 0.0F);
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
  // The row above the first.
  for (std::size_t s = 1; s < buffers_.size(); ++s) {
    if (plan_.stages[s].kernel == 3) clear_slot(static_cast<int>(s), 0, 0);
  }
  fill_conditions();
  const bool waits = plan_.stages[0].kernel == 3;
  for (int row = 0; row < rows; ++row) {
    stop.check();
    read_source(row);
    if (!waits) {
      feed_first(row);
    } else {
      if (row > 0) feed_first(row - 1);
      if (row == rows - 1) feed_first(row);
    }
  }
}

template <class T>
void Strip<T>::clear_slot(const int stage, const int row, const int slot) {
  const int pitch = plan_.stages[stage].in_pitch;
  T* at = window(stage, row) + slot * pitch;
  for (int x = 0; x < buffers_[stage].pixels; ++x, at += 3 * pitch) std::fill_n(at, pitch, T{});
}

template <class T>
void Strip<T>::fill_conditions() {
  const int offset = source_range_.begin - buffers_[0].begin;
  int channel = 0;
  std::size_t condition = 0;
  for (const InputKind input : plan_.inputs) {
    if (input == InputKind::kFrame) {
      channel += plan_.planes;
      continue;
    }
    const T value = round_to<T>(picture_->conditions[condition++]);
    for (int row = 0; row < 3; ++row) {
      std::fill_n(line(row, channel) + offset, source_range_.count(), value);
    }
    channel += 1;
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
  const int offset = source_range_.begin - buffers_[0].begin;
  int channel = 0;
  for (const InputKind input : plan_.inputs) {
    if (input != InputKind::kFrame) {
      channel += 1;
      continue;
    }
    for (int plane = 0; plane < plan_.planes; ++plane, ++channel) {
      read_plane(plane, row, source_range_.begin, source_range_.count(), samples_.data());
      round_row(samples_.data(), source_range_.count(), line(row, channel) + offset);
    }
  }
  for (const int r : plan_.input_rings) {
    const int channels = plan_.rings[r].channels;
    T* kept = ring_row(r, row);
    for (int c = 0; c < channels; ++c) {
      const T* from = line(row, c) + (rings_[r].begin - buffers_[0].begin);
      for (int x = 0; x < rings_[r].pixels; ++x) kept[x * channels + c] = from[x];
    }
  }
}

template <class T>
void Strip<T>::feed_first(const int row) {
  const Stage& stage = plan_.stages[0];
  const int border = stage.kernel / 2;
  lines_in_.clear();
  for (int y = row - border; y <= row + border; ++y) {
    for (int c = 0; c < stage.in_pitch; ++c) {
      lines_in_.push_back(y < 0 || y >= height_ ? nullptr : line(y, c));
    }
  }
  interleave(lines_in_.data(), stage.kernel, stage.in_pitch, buffers_[0].pixels,
             buffers_[0].values.data());
  run_stage(0, row);
}

template <class T>
void Strip<T>::run_stage(const int s, const int row) {
  const Stage& stage = plan_.stages[s];
  const PackedWeights<T>& packed = program_.packed[s];
  const Range columns = range(stage.halo);
  const int beyond = stage.folded ? 2 : 0;
  const int most = product_rows(packed.columns) - beyond;
  const int lda = stage.kernel * stage.in_pitch;
  const T* a = window(s, row);
  for (int x = 0; x < columns.count(); x += most) {
    const int count = std::min(most, columns.count() - x);
    program_.kernels.template multiply<T>(round_up(count + beyond, kGrain),
                                          a + static_cast<std::ptrdiff_t>(x) * lda, lda, packed,
                                          product_.data());
    finish_chunk(s, row, columns.begin + x, count);
  }
  advance(s, row);
}

// Runs the next stage as far as this stage's new row allows.
template <class T>
void Strip<T>::advance(const int s, const int row) {
  const int next = s + 1;
  if (next == static_cast<int>(plan_.stages.size())) return;
  if (plan_.stages[next].kernel == 1) return run_stage(next, row);
  if (row > 0) run_stage(next, row - 1);
  if (row == height_ - 1) {
    clear_slot(next, row, 2);  // the row below the last
    run_stage(next, row);
  }
}

template <class T>
Targets<T> Strip<T>::targets(const int s, const int row, const int x) {
  const int next = s + 1;
  const int pitch = plan_.stages[next].in_pitch;
  const int pixel = x - buffers_[next].begin;
  Targets<T> to;
  to.stride = pitch * plan_.stages[next].kernel;
  const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(pixel) * to.stride;
  if (plan_.stages[next].kernel == 1) {
    to.row[0] = window(next, 0) + at;
    return to;
  }
  // This row is above the next one, in the middle of its own and below the one before. Windows of
  // rows that do not exist are written as well: they are written again before anyone reads them.
  to.row[0] = window(next, row + 1) + at;
  to.row[1] = window(next, row) + at + pitch;
  to.row[2] = window(next, row + 2) + at + 2 * pitch;
  return to;
}

template <class T>
void Strip<T>::finish_chunk(const int s, const int row, const int x, const int count) {
  const Stage& stage = plan_.stages[s];
  const bool last = s + 1 == static_cast<int>(plan_.stages.size());
  const bool plain =
      stage.steps.empty() || (stage.steps.size() == 1 && is_activation(stage.steps[0]));
  if (!last && plain) {
    Activation activation = Activation::kNone;
    const float* slope = nullptr;
    if (!stage.steps.empty()) {
      const Step& step = stage.steps[0];
      activation = step.kind == Step::Kind::kRelu ? Activation::kRelu : Activation::kSlope;
      slope = step.slope.data();
    }
    finish_row(product_.data(), count, stage.pitch, stage.bias.data(), activation, slope,
               targets(s, row, x));
    return;
  }
  float* values = product_.data();
  if (stage.folded) {
    values = unfolded_.data();
    unfold(product_.data(), program_.packed[s].columns, count, stage.out_channels, values);
  }
  add_bias(values, count, stage.pitch, stage.bias.data());
  run_steps(stage, row, x, count, values);
  if (last) {
    write_result(row, x, count, values, stage.pitch);
  } else {
    finish_row(values, count, stage.pitch, zero_bias_.data(), Activation::kNone, nullptr,
               targets(s, row, x));
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
  std::size_t values = 0;
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const Stage& stage = plan.stages[s];
    values += window_values(stage, columns + 2 * stage.halo + 2) *
              window_count(static_cast<int>(s), stage.kernel);
  }
  for (const RingSpec& ring : plan.rings) {
    values += static_cast<std::size_t>(ring.rows) * (columns + 2 * ring.halo) * ring.channels;
  }
  values += static_cast<std::size_t>(3 * plan.stages[0].in_pitch) * (columns + 2 * plan.input_halo);
  return values * sample_bytes;
}

template class Strip<float>;
template class Strip<Bf16>;

}  // namespace streamvsr
