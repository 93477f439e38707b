// The epilogue with the CPU's own conversion to bfloat16. It is here, in intrinsics, because no
// clone of a plain loop can use that instruction, and beside a matrix unit the conversion by
// integer arithmetic takes a third of a network's time.
#pragma once

#include "model/loops.h"

namespace streamvsr {

// Whether this CPU has the instruction (AVX512_BF16).
bool converts_bf16();

// As finish_row, with the same results but for denormals, which become zero. Only where
// converts_bf16().
void finish_row_bf16(const float* c, int count, int pitch, const float* bias, Activation activation,
                     const float* slope, Bf16* target, int stride);

}  // namespace streamvsr
