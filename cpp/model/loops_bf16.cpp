#include "model/loops_bf16.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define STREAMVSR_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
#endif

namespace streamvsr {

#if defined(__x86_64__)

namespace {

template <Activation kind>
STREAMVSR_BF16 inline __m512 activate(const __m512 v, const __m512 slope) {
  if constexpr (kind == Activation::kRelu) {
    // The masked form, all lanes on: the plain one makes GCC warn of its own header.
    return _mm512_maskz_max_ps(0xffff, v, _mm512_setzero_ps());
  }
  if constexpr (kind == Activation::kSlope) {
    return _mm512_maskz_max_ps(0xffff, v, _mm512_mul_ps(v, slope));
  }
  return v;
}

// 32 channels of every pixel, then the next 32: bias and slope stay in registers.
template <Activation kind>
STREAMVSR_BF16 void finish(const float* c, const int count, const int pitch, const float* bias,
                           const float* slope, Bf16* target, const int stride) {
  const __m512 zero = _mm512_setzero_ps();
  int n = 0;
  for (; n + 32 <= pitch; n += 32) {
    const __m512 bias0 = _mm512_loadu_ps(bias + n);
    const __m512 bias1 = _mm512_loadu_ps(bias + n + 16);
    const __m512 slope0 = kind == Activation::kSlope ? _mm512_loadu_ps(slope + n) : zero;
    const __m512 slope1 = kind == Activation::kSlope ? _mm512_loadu_ps(slope + n + 16) : zero;
    const float* in = c + n;
    Bf16* out = target + n;
    for (int x = 0; x < count; ++x, in += pitch, out += stride) {
      const __m512 low = activate<kind>(_mm512_add_ps(_mm512_loadu_ps(in), bias0), slope0);
      const __m512 high = activate<kind>(_mm512_add_ps(_mm512_loadu_ps(in + 16), bias1), slope1);
      _mm512_storeu_si512(out, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
    }
  }
  if (n == pitch) return;
  const __m512 bias0 = _mm512_loadu_ps(bias + n);
  const __m512 slope0 = kind == Activation::kSlope ? _mm512_loadu_ps(slope + n) : zero;
  for (int x = 0; x < count; ++x) {
    const __m512 v =
        activate<kind>(_mm512_add_ps(_mm512_loadu_ps(c + x * pitch + n), bias0), slope0);
    _mm256_storeu_si256(
        reinterpret_cast<__m256i*>(target + static_cast<std::ptrdiff_t>(x) * stride + n),
        reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v)));
  }
}

}  // namespace

bool converts_bf16() { return __builtin_cpu_supports("avx512bf16") != 0; }

void finish_row_bf16(const float* c, const int count, const int pitch, const float* bias,
                     const Activation activation, const float* slope, Bf16* target,
                     const int stride) {
  if (activation == Activation::kRelu) {
    finish<Activation::kRelu>(c, count, pitch, bias, slope, target, stride);
  } else if (activation == Activation::kSlope) {
    finish<Activation::kSlope>(c, count, pitch, bias, slope, target, stride);
  } else {
    finish<Activation::kNone>(c, count, pitch, bias, slope, target, stride);
  }
}

#else

bool converts_bf16() { return false; }
void finish_row_bf16(const float*, int, int, const float*, Activation, const float*, Bf16*, int) {}

#endif

}  // namespace streamvsr
