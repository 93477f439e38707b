#include "model/matrix.h"

#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "model/matrix_loops.h"

namespace streamvsr {

namespace {

constexpr int kBlock = 64;

// A product small enough to follow by hand, with overlapping rows, a pitch and an odd shape as in
// real use.
template <class T, class Multiply>
bool try_product(const Multiply multiply) {
  constexpr int m = 19;
  constexpr int n = 16;
  constexpr int k = 18;
  constexpr int lda = 6;
  std::vector<T> a(static_cast<std::size_t>(m) * lda + k);
  std::vector<float> weight(static_cast<std::size_t>(k) * n);
  // Small integers: exact in both types, whatever the order of summation.
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = round_to<T>(static_cast<float>(static_cast<int>(i % 7) - 3));
  }
  for (std::size_t i = 0; i < weight.size(); ++i) {
    weight[i] = static_cast<float>(static_cast<int>(i % 5) - 2);
  }
  const PackedWeights<T> packed = MatrixKernels::pack<T>(weight.data(), k, n);
  std::vector<float> c(static_cast<std::size_t>(m) * n, std::nanf(""));
  if (multiply(m, n, k, lda, n, n, a.data(), packed.values.data(), c.data()) != 0) return false;
  for (int row = 0; row < m; ++row) {
    for (int column = 0; column < n; ++column) {
      float sum = 0;
      for (int i = 0; i < k; ++i) sum += widen(a[row * lda + i]) * weight[i * n + column];
      if (!(c[row * n + column] == sum)) return false;
    }
  }
  return true;
}

}  // namespace

void MatrixKernels::Close::operator()(void* handle) const { dlclose(handle); }

MatrixKernels::MatrixKernels(const std::string& path) {
  if (path.empty()) {
    reason_ = "no microkernel library was given";
    return;
  }
  // NODELETE: libtorch keeps objects per thread and its own threads; unmapping it under them would
  // crash.
  library_.reset(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE));
  if (!library_) {
    const char* text = dlerror();
    reason_ = text != nullptr ? text : "cannot open '" + path + "'";
    return;
  }
  const auto entry =
      reinterpret_cast<streamvsr_brgemm_table_fn>(dlsym(library_.get(), STREAMVSR_BRGEMM_SYMBOL));
  const streamvsr_brgemm* table = entry != nullptr ? entry() : nullptr;
  if (table == nullptr || table->version != STREAMVSR_BRGEMM_VERSION ||
      table->bytes != sizeof(streamvsr_brgemm)) {
    reason_ = "'" + path + "' is not of this version";
    return;
  }
  table_ = table;
  // Tried, not asked: libtorch's own queries deny bf16 on machines where the call works and is
  // fast.
  fast_f32_ = works_f32();
  if (!fast_f32_) reason_ = table_->last_error();
  fast_bf16_ = works_bf16();
  if (!fast_bf16_) reason_ = table_->last_error();
  table_->release();
}

MatrixKernels::~MatrixKernels() = default;

bool MatrixKernels::works_bf16() const {
  return try_product<Bf16>([&](auto m, auto n, auto k, auto lda, auto ldb, auto ldc, const Bf16* a,
                               const Bf16* b, float* c) {
    return table_->multiply_bf16(m, n, k, lda, ldb, ldc, &a->bits, &b->bits, c);
  });
}

bool MatrixKernels::works_f32() const {
  return try_product<float>(
      [&](auto m, auto n, auto k, auto lda, auto ldb, auto ldc, const float* a, const float* b,
          float* c) { return table_->multiply_f32(m, n, k, lda, ldb, ldc, a, b, c); });
}

template <>
bool MatrixKernels::fast<float>() const {
  return fast_f32_;
}
template <>
bool MatrixKernels::fast<Bf16>() const {
  return fast_bf16_;
}

template <class T>
PackedWeights<T> MatrixKernels::pack(const float* weight, const int k, const int columns) {
  constexpr int kPair = sizeof(T) == 2 ? 2 : 1;
  PackedWeights<T> packed;
  packed.k = (k + kPair - 1) / kPair * kPair;
  packed.columns = (columns + 15) / 16 * 16;
  packed.values.resize(static_cast<std::size_t>(packed.k) * packed.columns);
  for (int first = 0; first < packed.columns; first += kBlock) {
    const int width = std::min(kBlock, packed.columns - first);
    const std::size_t offset = static_cast<std::size_t>(packed.k) * first;
    packed.blocks.push_back({first, width, offset});
    for (int row = 0; row < k; ++row) {
      for (int n = 0; n < std::min(width, columns - first); ++n) {
        const std::size_t at = static_cast<std::size_t>(row / kPair) * kPair * width +
                               static_cast<std::size_t>(n) * kPair + row % kPair;
        packed.values[offset + at] =
            round_to<T>(weight[static_cast<std::size_t>(row) * columns + first + n]);
      }
    }
  }
  return packed;
}
template PackedWeights<float> MatrixKernels::pack(const float*, int, int);
template PackedWeights<Bf16> MatrixKernels::pack(const float*, int, int);

template <>
void MatrixKernels::multiply(const int m, const Bf16* a, const int lda,
                             const PackedWeights<Bf16>& w, float* c) const {
  for (const auto& block : w.blocks) {
    const Bf16* b = w.values.data() + block.offset;
    if (!fast_bf16_) {
      multiply_loops(m, block.columns, w.k, a, lda, b, c + block.first, w.columns);
    } else if (table_->multiply_bf16(m, block.columns, w.k, lda, block.columns, w.columns, &a->bits,
                                     &b->bits, c + block.first) != 0) {
      throw Error(ErrorKind::kInternal, std::string("brgemm: ") + table_->last_error());
    }
  }
}

template <>
void MatrixKernels::multiply(const int m, const float* a, const int lda,
                             const PackedWeights<float>& w, float* c) const {
  for (const auto& block : w.blocks) {
    const float* b = w.values.data() + block.offset;
    if (!fast_f32_) {
      multiply_loops(m, block.columns, w.k, a, lda, b, c + block.first, w.columns);
    } else if (table_->multiply_f32(m, block.columns, w.k, lda, block.columns, w.columns, a, b,
                                    c + block.first) != 0) {
      throw Error(ErrorKind::kInternal, std::string("brgemm: ") + table_->last_error());
    }
  }
}

void MatrixKernels::release() const {
  if (table_ != nullptr) table_->release();
}

}  // namespace streamvsr
