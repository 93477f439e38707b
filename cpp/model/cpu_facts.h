// What decides how fast this processor multiplies each type of number.
#pragma once

#include <string>

namespace streamvsr {

enum class CpuVendor { kIntel, kAmd, kOther };

struct CpuFacts {
  CpuVendor vendor = CpuVendor::kOther;
  std::string name;          // the maker's name of the processor; empty: unknown
  bool avx2 = false;         // AVX2 and FMA
  bool avx512 = false;       // F, BW, DQ and VL
  bool avx512_bf16 = false;  // products of bfloat16 in vector registers
  bool amx_bf16 = false;  // products of bfloat16 in the matrix unit, which the system lets us use

  bool multiplies_bf16() const { return avx512_bf16 || amx_bf16; }
  bool operator==(const CpuFacts&) const = default;
};

// Of the processor this runs on.
const CpuFacts& this_cpu();

// Without the units that oneDNN may not use. limit: the value of ONEDNN_MAX_CPU_ISA, such as
// "AVX512_CORE_BF16"; empty or unknown: no limit.
CpuFacts limited(CpuFacts facts, const std::string& limit);
// The value of ONEDNN_MAX_CPU_ISA or, where that is not set, of its older name DNNL_MAX_CPU_ISA.
std::string onednn_limit();

// The widest unit worth naming in a report: "AMX", "AVX-512", "AVX2" or "baseline".
std::string widest_unit(const CpuFacts& facts);

}  // namespace streamvsr
