// Loops compiled for several generations of vector units.
#pragma once

// The small loops are compiled once for each generation of vector units and chosen at start. Not
// under the sanitizers: their run time is not up when the choice is made.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(STREAMVSR_SANITIZED)
#define STREAMVSR_CLONES __attribute__((target_clones("default", "avx2", "arch=x86-64-v4")))
#else
#define STREAMVSR_CLONES
#endif
