// libtorch's own microkernels (oneDNN's brgemm) behind the table of brgemm.h. Nothing else of
// libtorch is used, and nothing of streamvsr, so this object can be rebuilt alone when libtorch
// changes.
#include <ATen/native/CPUBlas.h>
#include <c10/util/BFloat16.h>

#include <exception>
#include <string>

#include "model/brgemm/brgemm.h"

namespace {

thread_local std::string last_failure;  // NOLINT: the C boundary hands out its text

template <class Call>
int guarded(const Call call) noexcept {
  try {
    call();
    return 0;
  } catch (const std::exception& failure) {
    try {
      last_failure = failure.what();
    } catch (...) {
      last_failure.clear();
    }
  } catch (...) {
    last_failure.clear();
  }
  return 1;
}

int multiply_bf16(const int64_t m, const int64_t n, const int64_t k, const int64_t lda,
                  const int64_t ldb, const int64_t ldc, const uint16_t* a, const uint16_t* b,
                  float* c) {
  // BFloat16 is one uint16_t by its own definition.
  static_assert(sizeof(c10::BFloat16) == sizeof(uint16_t));
  return guarded([&] {
    at::native::cpublas::brgemm(m, n, k, lda, ldb, ldc, false,
                                reinterpret_cast<const c10::BFloat16*>(a),
                                reinterpret_cast<const c10::BFloat16*>(b), c, true);
  });
}

int multiply_f32(const int64_t m, const int64_t n, const int64_t k, const int64_t lda,
                 const int64_t ldb, const int64_t ldc, const float* a, const float* b, float* c) {
  return guarded(
      [&] { at::native::cpublas::brgemm(m, n, k, lda, ldb, ldc, false, a, b, c, false); });
}

void release() {
  guarded([] { at::native::cpublas::brgemm_release(true); });
}

const char* last_error() { return last_failure.c_str(); }

}  // namespace

extern "C" __attribute__((visibility("default"))) const streamvsr_brgemm* streamvsr_brgemm_table() {
  static const streamvsr_brgemm table = {STREAMVSR_BRGEMM_VERSION,
                                         sizeof(streamvsr_brgemm),
                                         multiply_bf16,
                                         multiply_f32,
                                         release,
                                         last_error};
  return &table;
}
