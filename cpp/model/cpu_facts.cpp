#include "model/cpu_facts.h"

#include <array>
#include <cstdlib>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace streamvsr {

namespace {

#if defined(__x86_64__)

struct Leaf {
  unsigned a = 0, b = 0, c = 0, d = 0;
};

Leaf leaf_of(const unsigned number, const unsigned sub = 0) {
  Leaf leaf;
  if (__get_cpuid_count(number, sub, &leaf.a, &leaf.b, &leaf.c, &leaf.d) == 0) return {};
  return leaf;
}

std::string letters(const std::initializer_list<unsigned> words) {
  std::string text;
  for (const unsigned word : words) {
    std::array<char, 4> bytes{};
    std::memcpy(bytes.data(), &word, bytes.size());
    text.append(bytes.data(), bytes.size());
  }
  return text;
}

std::string brand() {
  if (leaf_of(0x80000000U).a < 0x80000004U) return "";
  std::string text;
  for (unsigned number = 0x80000002U; number <= 0x80000004U; ++number) {
    const Leaf part = leaf_of(number);
    text += letters({part.a, part.b, part.c, part.d});
  }
  text.resize(std::strlen(text.c_str()));
  const auto first = text.find_first_not_of(' ');
  return first == std::string::npos ? "" : text.substr(first);
}

// Whether the system saves the matrix unit's state (XCR0 bits 17 and 18): without that no program
// may use it, whatever the processor has.
bool system_saves_tiles() {
  constexpr unsigned kOsxsave = 1U << 27;
  if ((leaf_of(1).c & kOsxsave) == 0) return false;
  unsigned low = 0;
  unsigned high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  constexpr unsigned kTiles = (1U << 17) | (1U << 18);
  return (low & kTiles) == kTiles;
}

CpuFacts read_cpu() {
  CpuFacts facts;
  const Leaf first = leaf_of(0);
  const std::string vendor = letters({first.b, first.d, first.c});
  // Hygon's processors are AMD's design.
  if (vendor == "GenuineIntel") facts.vendor = CpuVendor::kIntel;
  if (vendor == "AuthenticAMD" || vendor == "HygonGenuine") facts.vendor = CpuVendor::kAmd;
  facts.name = brand();
  facts.avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  facts.avx512 = __builtin_cpu_supports("avx512f") != 0 &&
                 __builtin_cpu_supports("avx512bw") != 0 &&
                 __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
  const Leaf seventh = leaf_of(7);
  if (seventh.a >= 1) facts.avx512_bf16 = facts.avx512 && (leaf_of(7, 1).a & (1U << 5)) != 0;
  constexpr unsigned kAmxBf16 = 1U << 22;
  constexpr unsigned kAmxTile = 1U << 24;
  facts.amx_bf16 =
      (seventh.d & kAmxBf16) != 0 && (seventh.d & kAmxTile) != 0 && system_saves_tiles();
  return facts;
}

#else

CpuFacts read_cpu() { return {}; }

#endif

}  // namespace

const CpuFacts& this_cpu() {
  static const CpuFacts facts = read_cpu();
  return facts;
}

// oneDNN's documentation, "CPU Dispatcher Control", lists the values.
CpuFacts limited(CpuFacts facts, const std::string& limit) {
  const bool named = limit.starts_with("SSE") || limit.starts_with("AVX");
  if (!named) return facts;
  const bool amx = limit.find("AMX") != std::string::npos;
  const bool avx10 = limit.starts_with("AVX10");
  const bool avx512 = avx10 || limit.starts_with("AVX512");
  const bool bf16 = amx || avx10 || limit == "AVX512_CORE_BF16" || limit == "AVX512_CORE_FP16";
  facts.amx_bf16 = facts.amx_bf16 && amx;
  facts.avx512_bf16 = facts.avx512_bf16 && bf16;
  facts.avx512 = facts.avx512 && avx512;
  facts.avx2 = facts.avx2 && (avx512 || limit.starts_with("AVX2"));
  return facts;
}

std::string onednn_limit() {
  for (const char* const name : {"ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"})
    if (const char* const value = std::getenv(name); value != nullptr) return value;
  return "";
}

std::string widest_unit(const CpuFacts& facts) {
  if (facts.amx_bf16) return "AMX";
  if (facts.avx512) return "AVX-512";
  return facts.avx2 ? "AVX2" : "baseline";
}

}  // namespace streamvsr
