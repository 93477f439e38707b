// The matrix products of machines without microkernels: plain C++.
#pragma once

#include "model/sample.h"

namespace streamvsr {

// c (m x n, ldc apart) = a (m rows of k, lda apart, which may overlap) * b (packed as brgemm.h
// says, pitch n); n is a multiple of 16, k even for Bf16. Each result is summed in the order of k,
// whatever m is.
void multiply_loops(int m, int n, int k, const float* a, int lda, const float* b, float* c,
                    int ldc);
void multiply_loops(int m, int n, int k, const Bf16* a, int lda, const Bf16* b, float* c, int ldc);

}  // namespace streamvsr
