#include "model/loops.h"

#include <cstring>

#include "model/loops_bf16.h"

namespace streamvsr {

namespace {

constexpr int kLanes = 16;
using Floats = float __attribute__((vector_size(kLanes * sizeof(float))));
using Words = std::uint32_t __attribute__((vector_size(kLanes * sizeof(float))));
using Four = float __attribute__((vector_size(16)));
using FourWords = std::uint32_t __attribute__((vector_size(16)));
using Halves = std::uint16_t __attribute__((vector_size(kLanes * sizeof(std::uint16_t))));

// memcpy is the portable unaligned load and store; it compiles to one instruction. Vectors go by
// reference: how they would be passed by value differs between the clones.
template <class V>
[[gnu::always_inline]] inline void load(V& v, const void* p) {
  std::memcpy(&v, p, sizeof v);
}
template <class V>
[[gnu::always_inline]] inline void store(void* p, const V& v) {
  std::memcpy(p, &v, sizeof v);
}

template <class T>
struct Rounded;
template <>
struct Rounded<float> {
  using Vector = Floats;
  [[gnu::always_inline]] static void of(const Floats& v, Vector& rounded) { rounded = v; }
};
template <>
struct Rounded<Bf16> {
  using Vector = Halves;
  // As Bf16::round.
  [[gnu::always_inline]] static void of(const Floats& v, Vector& rounded) {
    Words u;
    load(u, &v);
    rounded = __builtin_convertvector((u + (((u >> 16) & 1U) + 0x7fffU)) >> 16, Halves);
  }
};

template <class T, Activation kind>
[[gnu::always_inline]] inline void finish(const float* c, const int count, const int pitch,
                                          const float* bias, const float* slope, T* target,
                                          const int stride) {
  for (int n = 0; n < pitch; n += kLanes) {
    Floats b;
    load(b, bias + n);
    Floats s = {};
    if constexpr (kind == Activation::kSlope) load(s, slope + n);
    const float* in = c + n;
    T* out = target + n;
    for (int x = 0; x < count; ++x, in += pitch, out += stride) {
      Floats v;
      load(v, in);
      v += b;
      if constexpr (kind == Activation::kRelu) v = v > 0.0F ? v : Floats{};
      if constexpr (kind == Activation::kSlope) {
        const Floats sloped = v * s;
        v = v > sloped ? v : sloped;
      }
      typename Rounded<T>::Vector rounded;
      Rounded<T>::of(v, rounded);
      store(out, rounded);
    }
  }
}

template <class T>
[[gnu::always_inline]] inline void finish_any(const float* c, const int count, const int pitch,
                                              const float* bias, const Activation activation,
                                              const float* slope, T* target, const int stride) {
  if (activation == Activation::kRelu) {
    finish<T, Activation::kRelu>(c, count, pitch, bias, slope, target, stride);
  } else if (activation == Activation::kSlope) {
    finish<T, Activation::kSlope>(c, count, pitch, bias, slope, target, stride);
  } else {
    finish<T, Activation::kNone>(c, count, pitch, bias, slope, target, stride);
  }
}

template <class Sample>
[[gnu::always_inline]] inline void read(const Sample* samples, const int count, const float maximum,
                                        float* row) {
  for (int x = 0; x < count; ++x) row[x] = static_cast<float>(samples[x]) / maximum;
}

// Adding 1.5 * 2^23 leaves no bits for a fraction, and the rounding of that addition is to nearest
// even.
constexpr float kRounder = 12582912.0F;

template <class Sample>
struct FourOf;
template <>
struct FourOf<std::uint8_t> {
  using Vector = std::uint8_t __attribute__((vector_size(4)));
};
template <>
struct FourOf<std::uint16_t> {
  using Vector = std::uint16_t __attribute__((vector_size(8)));
};

// Four results to four codes. Taken apart as bits, since the sum's lowest bits are the code.
template <class Sample>
[[gnu::always_inline]] inline void quantise(const float* v, const float base, const float maximum,
                                            Sample* four) {
  Four y;
  load(y, v);
  y += base;
  y = y > 0.0F ? y : Four{};
  y = y < 1.0F ? y : Four{} + 1.0F;
  y = y * maximum + kRounder;
  FourWords bits;
  load(bits, &y);
  store(four, __builtin_convertvector(bits & 0xffffU, typename FourOf<Sample>::Vector));
}

template <class Sample, int scale>
[[gnu::always_inline]] inline void write(const float* v, const int count, const int pitch,
                                         const float* source, const OutputRows<Sample>& out) {
  const float maximum = out.maximum;
  for (int x = 0; x < count; ++x) {
    const float base = source != nullptr ? source[x] : 0.0F;
    const float* pixel = v + static_cast<std::ptrdiff_t>(x) * pitch;
    if constexpr (scale == 4) {
      for (int dy = 0; dy < 4; ++dy) {
        quantise(pixel + 4 * dy, base, maximum, out.row[dy] + static_cast<std::ptrdiff_t>(x) * 4);
      }
    } else if constexpr (scale == 2) {
      Sample four[4];
      quantise(pixel, base, maximum, four);
      std::memcpy(out.row[0] + static_cast<std::ptrdiff_t>(x) * 2, four, 2 * sizeof(Sample));
      std::memcpy(out.row[1] + static_cast<std::ptrdiff_t>(x) * 2, four + 2, 2 * sizeof(Sample));
    } else {
      for (int dy = 0; dy < scale; ++dy) {
        for (int dx = 0; dx < scale; ++dx) {
          float y = pixel[dy * scale + dx] + base;
          y = y > 0.0F ? y : 0.0F;
          y = y < 1.0F ? y : 1.0F;
          y = (y * maximum + kRounder) - kRounder;
          out.row[dy][static_cast<std::ptrdiff_t>(x) * scale + dx] =
              static_cast<Sample>(static_cast<std::int32_t>(y));
        }
      }
    }
  }
}

template <class Sample>
[[gnu::always_inline]] inline void write_any(const float* v, const int count, const int pitch,
                                             const float* source, const OutputRows<Sample>& out) {
  if (out.scale == 1) return write<Sample, 1>(v, count, pitch, source, out);
  if (out.scale == 2) return write<Sample, 2>(v, count, pitch, source, out);
  if (out.scale == 3) return write<Sample, 3>(v, count, pitch, source, out);
  write<Sample, 4>(v, count, pitch, source, out);
}

}  // namespace

STREAMVSR_CLONES
void finish_row(const float* c, const int count, const int pitch, const float* bias,
                const Activation activation, const float* slope, float* target, const int stride) {
  finish_any(c, count, pitch, bias, activation, slope, target, stride);
}

STREAMVSR_CLONES
static void finish_row_any(const float* c, const int count, const int pitch, const float* bias,
                           const Activation activation, const float* slope, Bf16* target,
                           const int stride) {
  finish_any(c, count, pitch, bias, activation, slope, target, stride);
}

void finish_row(const float* c, const int count, const int pitch, const float* bias,
                const Activation activation, const float* slope, Bf16* target, const int stride) {
  static const bool native = converts_bf16();
  (native ? finish_row_bf16 : finish_row_any)(c, count, pitch, bias, activation, slope, target,
                                              stride);
}

STREAMVSR_CLONES
void add_bias(float* c, const int count, const int pitch, const float* bias) {
  for (int x = 0; x < count; ++x) {
    for (int n = 0; n < pitch; ++n) c[x * pitch + n] += bias[n];
  }
}

STREAMVSR_CLONES
void apply_relu(float* c, const int count, const int pitch) {
  for (int i = 0; i < count * pitch; ++i) c[i] = c[i] > 0.0F ? c[i] : 0.0F;
}

STREAMVSR_CLONES
void apply_slope(float* c, const int count, const int pitch, const float* slope) {
  for (int x = 0; x < count; ++x) {
    for (int n = 0; n < pitch; ++n) {
      const float v = c[x * pitch + n];
      c[x * pitch + n] = v > 0.0F ? v : v * slope[n];
    }
  }
}

template <class T>
void add_row(float* c, const int count, const int pitch, const T* kept, const int channels) {
  for (int x = 0; x < count; ++x) {
    for (int n = 0; n < channels; ++n) c[x * pitch + n] += widen(kept[x * channels + n]);
  }
}
template void add_row(float*, int, int, const float*, int);
template void add_row(float*, int, int, const Bf16*, int);

template <class T>
void keep_row(const float* c, const int count, const int pitch, T* kept, const int channels) {
  for (int x = 0; x < count; ++x) {
    for (int n = 0; n < channels; ++n) kept[x * channels + n] = round_to<T>(c[x * pitch + n]);
  }
}
template void keep_row(const float*, int, int, float*, int);
template void keep_row(const float*, int, int, Bf16*, int);

STREAMVSR_CLONES
void unfold(const float* c, const int columns, const int count, const int outs, const float* bias,
            float* v) {
  const int centre = columns + outs;
  const int right = 2 * centre;
  if (outs == 4) {  // the usual network: luma, twice the size
    Four b;
    load(b, bias);
    for (int x = 0; x < count; ++x, c += columns, v += 4) {
      Four first;
      Four second;
      Four third;
      load(first, c);
      load(second, c + centre);
      load(third, c + right);
      store(v, first + second + third + b);
    }
    return;
  }
  for (int x = 0; x < count; ++x, c += columns, v += outs) {
    for (int n = 0; n < outs; ++n) v[n] = c[n] + c[centre + n] + c[right + n] + bias[n];
  }
}

STREAMVSR_CLONES
void read_row(const std::uint8_t* samples, const int count, const float maximum, float* row) {
  read(samples, count, maximum, row);
}

STREAMVSR_CLONES
void read_row(const std::uint16_t* samples, const int count, const float maximum, float* row) {
  read(samples, count, maximum, row);
}

STREAMVSR_CLONES
void round_row(const float* row, const int count, float* out, const int stride) {
  for (int x = 0; x < count; ++x) out[static_cast<std::ptrdiff_t>(x) * stride] = row[x];
}

STREAMVSR_CLONES
void round_row(const float* row, const int count, Bf16* out, const int stride) {
  for (int x = 0; x < count; ++x) {
    out[static_cast<std::ptrdiff_t>(x) * stride] = Bf16::round(row[x]);
  }
}

STREAMVSR_CLONES
void write_rows(const float* v, const int count, const int pitch, const float* source,
                const OutputRows<std::uint8_t>& out) {
  write_any(v, count, pitch, source, out);
}

STREAMVSR_CLONES
void write_rows(const float* v, const int count, const int pitch, const float* source,
                const OutputRows<std::uint16_t>& out) {
  write_any(v, count, pitch, source, out);
}

}  // namespace streamvsr
