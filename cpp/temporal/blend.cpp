#include "temporal/blend.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "base/clones.h"

namespace streamvsr {

namespace {

constexpr int kCell = MotionField::kCell;
constexpr int kUnit = MotionField::kUnit;
constexpr int kTaps = 4;
constexpr int kTapBits = 7;
// Of the cubic convolution: sharper than Keys' -1/2, since a picture that is sampled again and
// averaged has lost detail twice. What it adds to the noise of slow things is less than what the
// mean takes.
constexpr double kSlope = -0.8;
// Of 8 bits: differences up to kNear pull fully, from kNear + kFall on not at all.
constexpr int kNear = 14;
constexpr int kFall = 16;
constexpr int kShift = 12;  // of weight * kFall
static_assert(BlendSource::kOne * kFall == 1 << kShift);
constexpr int kRowsAtOnce = 8;  // of cells, in one piece of work

using Filter = std::array<int, kTaps>;

// Cubic convolution between samples 1 and 2 of 4, each in 1 / 2^kTapBits.
const std::array<Filter, kUnit>& filters() {
  static const std::array<Filter, kUnit> all = [] {
    std::array<Filter, kUnit> made{};
    for (int f = 0; f < kUnit; ++f) {
      const double t = static_cast<double>(f) / kUnit;
      const auto near = [](const double x) {
        return ((kSlope + 2) * x - (kSlope + 3)) * x * x + 1;
      };
      const auto far = [](const double x) { return kSlope * (((x - 5) * x + 8) * x - 4); };
      const double w[kTaps] = {far(1 + t), near(t), near(1 - t), far(2 - t)};
      Filter& filter = made[static_cast<std::size_t>(f)];
      int sum = 0;
      for (int i = 0; i < kTaps; ++i) {
        const double scaled = w[i] * (1 << kTapBits);
        filter[static_cast<std::size_t>(i)] = static_cast<int>(scaled + (scaled < 0 ? -0.5 : 0.5));
        sum += filter[static_cast<std::size_t>(i)];
      }
      filter[f * 2 < kUnit ? 1 : 2] += (1 << kTapBits) - sum;
    }
    return made;
  }();
  return all;
}

// Copies a block of a plane, rows one behind the other; beyond the plane its edge is repeated.
template <class Sample>
void copy_block(const Planes& picture, const int plane, const int x, const int y, const int width,
                const int height, Sample* to, const std::ptrdiff_t to_stride) {
  const int plane_width = picture.format().plane_width(plane);
  const int plane_height = picture.format().plane_height(plane);
  const bool inside = x >= 0 && x + width <= plane_width;
  for (int j = 0; j < height; ++j) {
    const Sample* const from = picture.row<Sample>(plane, std::clamp(y + j, 0, plane_height - 1));
    if (inside) {
      std::memcpy(to, from + x, static_cast<std::size_t>(width) * sizeof(Sample));
    } else {
      for (int i = 0; i < width; ++i) to[i] = from[std::clamp(x + i, 0, plane_width - 1)];
    }
    to += to_stride;
  }
}

// Rows of samples somewhere.
template <class Sample>
struct Rows {
  const Sample* data = nullptr;
  std::ptrdiff_t stride = 0;  // samples
};

// A block of rows that lie one behind the other, `pitch` samples each, the last kTaps - 1 of which
// belong to the next block: loops over all of it at once are long enough for wide vectors.
template <class Sample>
[[gnu::always_inline]] inline void filter_block_of(const Sample* from, const int pitch,
                                                   const int height, const Filter& fx,
                                                   const Filter& fy, const int maximum, int* middle,
                                                   Sample* to) {
  const int count = pitch * height;
  const int x0 = fx[0];
  const int x1 = fx[1];
  const int x2 = fx[2];
  const int x3 = fx[3];
  const int y0 = fy[0];
  const int y1 = fy[1];
  const int y2 = fy[2];
  const int y3 = fy[3];
  for (int i = 0; i < count; ++i) {
    // A sample of 16 bits through both filters may pass 31 bits: the first one's last bits go.
    middle[i] = (y0 * from[i] + y1 * from[i + pitch] + y2 * from[i + 2 * pitch] +
                 y3 * from[i + 3 * pitch]) >>
                2;
  }
  for (int i = 0; i < count - (kTaps - 1); ++i) {
    const int sum = x0 * middle[i] + x1 * middle[i + 1] + x2 * middle[i + 2] + x3 * middle[i + 3];
    const int value = (sum + (1 << (2 * kTapBits - 3))) >> (2 * kTapBits - 2);
    to[i] = static_cast<Sample>(std::clamp(value, 0, maximum));
  }
}
STREAMVSR_CLONES void filter_block(const std::uint8_t* from, const int pitch, const int height,
                                   const Filter& fx, const Filter& fy, const int maximum,
                                   int* middle, std::uint8_t* to) {
  filter_block_of(from, pitch, height, fx, fy, maximum, middle, to);
}
STREAMVSR_CLONES void filter_block(const std::uint16_t* from, const int pitch, const int height,
                                   const Filter& fx, const Filter& fy, const int maximum,
                                   int* middle, std::uint16_t* to) {
  filter_block_of(from, pitch, height, fx, fy, maximum, middle, to);
}

// sum += weight * pull(earlier - now)
template <class Sample>
[[gnu::always_inline]] inline void pull_row_of(const Sample* now, const Sample* earlier,
                                               const std::int16_t* above, const std::int16_t* below,
                                               const std::int16_t* own, const int part,
                                               const int count, const int shift,
                                               std::int32_t* sum) {
  const int near = (kNear + kFall) << shift;
  for (int x = 0; x < count; ++x) {
    const int d = earlier[x] - now[x];
    const int pull = std::clamp((near - std::abs(d)) >> shift, 0, kFall);
    const int between = (above[x] * (kUnit - part) + below[x] * part) / kUnit;
    const int weight = std::min<int>(between, own[x]);
    sum[x] += d * pull * weight;
  }
}
STREAMVSR_CLONES void pull_row(const std::uint8_t* now, const std::uint8_t* earlier,
                               const std::int16_t* above, const std::int16_t* below,
                               const std::int16_t* own, const int part, const int count,
                               const int shift, std::int32_t* sum) {
  pull_row_of(now, earlier, above, below, own, part, count, shift, sum);
}
STREAMVSR_CLONES void pull_row(const std::uint16_t* now, const std::uint16_t* earlier,
                               const std::int16_t* above, const std::int16_t* below,
                               const std::int16_t* own, const int part, const int count,
                               const int shift, std::int32_t* sum) {
  pull_row_of(now, earlier, above, below, own, part, count, shift, sum);
}

template <class Sample>
[[gnu::always_inline]] inline void finish_row_of(const Sample* now, const std::int32_t* sum,
                                                 const int count, Sample* result) {
  // A blend of samples needs no clamping: the weights are below one in all.
  for (int x = 0; x < count; ++x) {
    result[x] = static_cast<Sample>(now[x] + ((sum[x] + (1 << (kShift - 1))) >> kShift));
  }
}
STREAMVSR_CLONES void finish_row(const std::uint8_t* now, const std::int32_t* sum, const int count,
                                 std::uint8_t* result) {
  finish_row_of(now, sum, count, result);
}
STREAMVSR_CLONES void finish_row(const std::uint16_t* now, const std::int32_t* sum, const int count,
                                 std::uint16_t* result) {
  finish_row_of(now, sum, count, result);
}

// The samples of a plane that a cell covers, one way; 0 where it is smaller than a sample.
struct Cells {
  int scale = 1;
  int sub = 0;  // log2

  int begin(const int cell) const { return (cell * kCell * scale) >> sub; }
  // A displacement in 1/kUnit of the plane's samples.
  int way(const int units) const { return (units * scale) >> sub; }
};

// What one piece of work needs, kept from row to row.
template <class Sample>
struct Room {
  std::vector<Sample> moved, copy, filtered;
  std::vector<int> middle;
  std::vector<std::int16_t> weights[2];
  std::vector<std::int32_t> sums;
};

// Weights between the middles of a row of cells, sample by sample; none above its own cell's.
void spread(const std::int16_t* cells, const int columns, const Cells& across, const int count,
            std::int16_t* out) {
  for (int column = -1; column < columns; ++column) {
    const int left = cells[std::max(column, 0)];
    const int right = cells[std::min(column + 1, columns - 1)];
    const int from = column < 0 ? 0 : (across.begin(column) + across.begin(column + 1)) / 2;
    const int to = column + 1 >= columns
                       ? count
                       : std::min((across.begin(column + 1) + across.begin(column + 2)) / 2, count);
    if (left == right) {
      for (int x = from; x < to; ++x) out[x] = static_cast<std::int16_t>(left);
      continue;
    }
    const int border = std::clamp(across.begin(column + 1), from, std::max(from, to));
    // In 1 / 2^16, by half samples.
    const int step = to > from ? ((right - left) * (1 << 16)) / (2 * (to - from)) : 0;
    for (int x = from; x < border; ++x) {
      const int between = left + ((step * (2 * (x - from) + 1)) >> 16);
      out[x] = static_cast<std::int16_t>(std::min(between, left));
    }
    for (int x = border; x < to; ++x) {
      const int between = left + ((step * (2 * (x - from) + 1)) >> 16);
      out[x] = static_cast<std::int16_t>(std::min(between, right));
    }
  }
}

template <class Sample>
class PlaneBlend {
 public:
  PlaneBlend(const Planes& now, const std::span<const BlendSource> earlier, const int scale,
             const int plane, Planes& result)
      : now_(now), earlier_(earlier), plane_(plane), result_(result) {
    const PlaneFormat& format = now.format();
    const bool chroma = plane == 1 || plane == 2;
    across_ = {scale, chroma ? format.log2_sub_x : 0};
    down_ = {scale, chroma ? format.log2_sub_y : 0};
    width_ = format.plane_width(plane);
    height_ = format.plane_height(plane);
    shift_ = format.depth - 8;
    maximum_ = (1 << format.depth) - 1;
  }

  // A row of cells.
  void run(const int row, Room<Sample>& room) const {
    const int top = std::min(down_.begin(row), height_);
    const MotionField& field = *earlier_.front().motion;
    const int bottom = row + 1 == field.rows ? height_ : std::min(down_.begin(row + 1), height_);
    const int rows = bottom - top;
    if (rows <= 0) return;
    room.sums.assign(static_cast<std::size_t>(width_) * static_cast<std::size_t>(rows), 0);
    bool any = false;
    for (const BlendSource& source : earlier_) any = pull(source, row, top, rows, room) || any;
    for (int y = 0; y < rows; ++y) {
      const Sample* const now = now_.row<Sample>(plane_, top + y);
      Sample* const out = result_.row<Sample>(plane_, top + y);
      if (any) {
        finish_row(now, room.sums.data() + static_cast<std::ptrdiff_t>(y) * width_, width_, out);
      } else {
        std::memcpy(out, now, static_cast<std::size_t>(width_) * sizeof(Sample));
      }
    }
  }

 private:
  // One earlier picture's share in a row of cells; false where it has none.
  bool pull(const BlendSource& source, const int row, const int top, const int rows,
            Room<Sample>& room) const {
    const MotionField& field = *source.motion;
    const std::int16_t* const cells = source.weight.data() + field.index(0, row);
    const auto row_of = [&](const int other) {
      return source.weight.data() + field.index(0, std::clamp(other, 0, field.rows - 1));
    };
    if (std::all_of(cells, cells + field.columns, [](const int w) { return w == 0; })) return false;
    const Rows<Sample> moved = move(source, row, top, rows, room);
    const int middle = rows / 2;
    for (const bool lower : {false, true}) {
      const int first = lower ? middle : 0;
      const int last = lower ? rows : middle;
      if (first == last) continue;
      for (std::vector<std::int16_t>& weights : room.weights) {
        weights.resize(static_cast<std::size_t>(width_));
      }
      spread(lower ? cells : row_of(row - 1), field.columns, across_, width_,
             room.weights[0].data());
      spread(lower ? row_of(row + 1) : cells, field.columns, across_, width_,
             room.weights[1].data());
      for (int y = first; y < last; ++y) {
        // Between the middle of the cell above and that of the one below, in 1/kUnit.
        const int from_middle = lower ? 2 * (y - middle) + 1 : 2 * (y + rows - middle) + 1;
        const int part = std::clamp(from_middle * kUnit / (2 * rows), 0, kUnit);
        pull_row(now_.row<Sample>(plane_, top + y), moved.data + y * moved.stride,
                 room.weights[0].data(), room.weights[1].data(), room.weights[lower ? 0 : 1].data(),
                 part, width_, shift_, room.sums.data() + static_cast<std::ptrdiff_t>(y) * width_);
      }
    }
    return true;
  }

  // The earlier picture along its motion.
  Rows<Sample> move(const BlendSource& source, const int row, const int top, const int rows,
                    Room<Sample>& room) const {
    const MotionField& field = *source.motion;
    const std::size_t first = field.index(0, row);
    const auto still = [&](const std::size_t cell) {
      return field.dx[cell] == 0 && field.dy[cell] == 0;
    };
    bool all_still = true;
    for (int column = 0; column < field.columns && all_still; ++column) {
      all_still = still(first + static_cast<std::size_t>(column));
    }
    const Planes& picture = *source.picture;
    if (all_still) {
      return {picture.row<Sample>(plane_, top),
              picture.stride(plane_) / static_cast<std::ptrdiff_t>(sizeof(Sample))};
    }
    room.moved.resize(static_cast<std::size_t>(width_) * static_cast<std::size_t>(rows));
    for (int column = 0; column < field.columns;) {
      const std::size_t cell = first + static_cast<std::size_t>(column);
      int end = column + 1;
      while (end < field.columns &&
             field.dx[first + static_cast<std::size_t>(end)] == field.dx[cell] &&
             field.dy[first + static_cast<std::size_t>(end)] == field.dy[cell]) {
        ++end;
      }
      const int left = std::min(across_.begin(column), width_);
      const int right = end == field.columns ? width_ : std::min(across_.begin(end), width_);
      move_block(picture, across_.way(field.dx[cell]), down_.way(field.dy[cell]), left,
                 right - left, top, rows, room);
      column = end;
    }
    return {room.moved.data(), width_};
  }

  void move_block(const Planes& picture, const int dx, const int dy, const int left,
                  const int width, const int top, const int rows, Room<Sample>& room) const {
    if (width <= 0) return;
    Sample* to = room.moved.data() + left;
    const int x = left + (dx >> 4);
    const int y = top + (dy >> 4);
    const int fx = dx & (kUnit - 1);
    const int fy = dy & (kUnit - 1);
    if (fx == 0 && fy == 0) {
      copy_block(picture, plane_, x, y, width, rows, to, width_);
      return;
    }
    const int pitch = width + kTaps - 1;
    const auto count = static_cast<std::size_t>(pitch) * static_cast<std::size_t>(rows + kTaps - 1);
    room.copy.resize(count);
    room.middle.resize(count);
    room.filtered.resize(count);
    copy_block(picture, plane_, x - 1, y - 1, pitch, rows + kTaps - 1, room.copy.data(), pitch);
    filter_block(room.copy.data(), pitch, rows, filters()[static_cast<std::size_t>(fx)],
                 filters()[static_cast<std::size_t>(fy)], maximum_, room.middle.data(),
                 room.filtered.data());
    for (int j = 0; j < rows; ++j) {
      std::memcpy(to, room.filtered.data() + static_cast<std::ptrdiff_t>(j) * pitch,
                  static_cast<std::size_t>(width) * sizeof *to);
      to += width_;
    }
  }

  const Planes& now_;
  std::span<const BlendSource> earlier_;
  int plane_;
  Planes& result_;
  Cells across_, down_;
  int width_ = 0, height_ = 0, shift_ = 0, maximum_ = 0;
};

template <class Sample>
void blend_planes(const Planes& now, const std::span<const BlendSource> earlier, const int scale,
                  Planes& result, const Parallel& parallel) {
  const int rows = earlier.front().motion->rows;
  const int pieces = (rows + kRowsAtOnce - 1) / kRowsAtOnce;
  const int planes = now.format().plane_count;
  parallel(pieces * planes, [&](const int piece) {
    const PlaneBlend<Sample> plane(now, earlier, scale, piece / pieces, result);
    Room<Sample> room;
    const int end = std::min(rows, (piece % pieces + 1) * kRowsAtOnce);
    for (int row = piece % pieces * kRowsAtOnce; row < end; ++row) plane.run(row, room);
  });
}

}  // namespace

void blend(const Planes& now, const std::span<const BlendSource> earlier, const int scale,
           Planes& result, const Parallel& parallel) {
  static_assert(kUnit == 16);
  if (now.format().depth > 8) {
    blend_planes<std::uint16_t>(now, earlier, scale, result, parallel);
  } else {
    blend_planes<std::uint8_t>(now, earlier, scale, result, parallel);
  }
}

}  // namespace streamvsr
