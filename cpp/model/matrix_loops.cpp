#include "model/matrix_loops.h"

#include <cstring>

namespace streamvsr {

namespace {

constexpr int kLanes = 16;
constexpr int kRows = 4;
using Floats = float __attribute__((vector_size(kLanes * sizeof(float))));
using Words = std::uint32_t __attribute__((vector_size(kLanes * sizeof(float))));

// kRows x 16 sums at once stay in registers: 4 of AVX-512's, 8 of AVX2's.
template <int Rows>
[[gnu::always_inline]] inline void block(const int n, const int k, const float* a, const int lda,
                                         const float* b, float* c, const int ldc) {
  for (int column = 0; column < n; column += kLanes) {
    Floats sum[Rows] = {};
    for (int i = 0; i < k; ++i) {
      Floats w;
      std::memcpy(&w, b + static_cast<std::ptrdiff_t>(i) * n + column, sizeof w);
      for (int r = 0; r < Rows; ++r) sum[r] += a[r * lda + i] * w;
    }
    for (int r = 0; r < Rows; ++r) std::memcpy(c + r * ldc + column, &sum[r], sizeof sum[r]);
  }
}

template <int Rows>
[[gnu::always_inline]] inline void block(const int n, const int k, const Bf16* a, const int lda,
                                         const Bf16* b, float* c, const int ldc) {
  for (int column = 0; column < n; column += kLanes) {
    Floats sum[Rows] = {};
    for (int i = 0; i < k; i += 2) {
      Words pairs;  // lane n: rows i (low half) and i + 1 (high half) of column n
      std::memcpy(&pairs, b + static_cast<std::ptrdiff_t>(i) * n + 2 * column, sizeof pairs);
      const Words low = pairs << 16;
      const Words high = pairs & 0xffff0000U;
      Floats first;
      Floats second;
      std::memcpy(&first, &low, sizeof first);
      std::memcpy(&second, &high, sizeof second);
      for (int r = 0; r < Rows; ++r) {
        sum[r] += a[r * lda + i].widen() * first;
        sum[r] += a[r * lda + i + 1].widen() * second;
      }
    }
    for (int r = 0; r < Rows; ++r) std::memcpy(c + r * ldc + column, &sum[r], sizeof sum[r]);
  }
}

template <class T>
[[gnu::always_inline]] inline void all_rows(const int m, const int n, const int k, const T* a,
                                            const int lda, const T* b, float* c, const int ldc) {
  int row = 0;
  for (; row + kRows <= m; row += kRows) {
    block<kRows>(n, k, a + static_cast<std::ptrdiff_t>(row) * lda, lda, b,
                 c + static_cast<std::ptrdiff_t>(row) * ldc, ldc);
  }
  for (; row < m; ++row) {
    block<1>(n, k, a + static_cast<std::ptrdiff_t>(row) * lda, lda, b,
             c + static_cast<std::ptrdiff_t>(row) * ldc, ldc);
  }
}

}  // namespace

STREAMVSR_CLONES
void multiply_loops(const int m, const int n, const int k, const float* a, const int lda,
                    const float* b, float* c, const int ldc) {
  all_rows(m, n, k, a, lda, b, c, ldc);
}

STREAMVSR_CLONES
void multiply_loops(const int m, const int n, const int k, const Bf16* a, const int lda,
                    const Bf16* b, float* c, const int ldc) {
  all_rows(m, n, k, a, lda, b, c, ldc);
}

}  // namespace streamvsr
