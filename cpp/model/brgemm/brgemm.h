/* The matrix microkernels behind a C boundary, so that the shared object that calls libtorch's
 * unstable interface can be missing, or fail, without taking the engine along. */
#ifndef STREAMVSR_MODEL_BRGEMM_H
#define STREAMVSR_MODEL_BRGEMM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised whenever the table below changes in any way. */
#define STREAMVSR_BRGEMM_VERSION 1u
#define STREAMVSR_BRGEMM_SYMBOL "streamvsr_brgemm_table"

/* C (m x n, pitch ldc) = A (m x k, pitch lda) * B (k x n, pitch ldb); rows of A may overlap.
 * Every function may be called from any thread; an object the thread keeps for a shape is made at
 * the first call with it. Return value: 0, or not 0 when the call is not possible on this machine;
 * then last_error() of the same thread says why and C is undefined. No exception leaves a function.
 */
typedef struct streamvsr_brgemm {
  uint32_t version; /* STREAMVSR_BRGEMM_VERSION */
  uint32_t bytes;   /* sizeof(struct streamvsr_brgemm) */
  /* bfloat16 bit patterns in, float out. B in pairs: element (k, n) at (k / 2) * 2 * ldb + 2 * n +
   * k % 2; k is even. */
  int (*multiply_bf16)(int64_t m, int64_t n, int64_t k, int64_t lda, int64_t ldb, int64_t ldc,
                       const uint16_t* a, const uint16_t* b, float* c);
  /* B row-major. */
  int (*multiply_f32)(int64_t m, int64_t n, int64_t k, int64_t lda, int64_t ldb, int64_t ldc,
                      const float* a, const float* b, float* c);
  /* Gives back the matrix unit's state of the calling thread; call when it goes on to other work.
   */
  void (*release)(void);
  const char* (*last_error)(void);
} streamvsr_brgemm;

/* What the shared object exports under STREAMVSR_BRGEMM_SYMBOL; never null. */
typedef const streamvsr_brgemm* (*streamvsr_brgemm_table_fn)(void);

#ifdef __cplusplus
}
#endif

#endif /* STREAMVSR_MODEL_BRGEMM_H */
