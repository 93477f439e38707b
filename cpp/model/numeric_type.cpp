#include "model/numeric_type.h"

#include <algorithm>

#include "base/cache_file.h"

namespace streamvsr {

namespace {

constexpr const char* kMagic = "streamvsr-numeric-type 1";
// Below this a measurement says less than the rule: clocks of virtual machines move by 10 %.
constexpr double kClearlyFaster = 1.15;
constexpr int kRounds = 3;

// A cache file that was written by hand or by a broken program must not decide the output.
std::optional<Precision> from_cache(const TypeChoice& choice, const std::string& key) {
  const auto body = read_cache_file(choice.cache_folder, kMagic, key);
  if (!body) return std::nullopt;
  if (*body == "bf16") return Precision::kBf16;
  if (*body == "fp32") return Precision::kFp32;
  return std::nullopt;
}

std::string key_of(const TypeChoice& choice) {
  return choice.cpu.name + "; " + widest_unit(choice.cpu) +
         (choice.cpu.avx512_bf16 ? " with AVX512_BF16" : "") + "; " + choice.network;
}

}  // namespace

Precision expected_type(const CpuFacts& facts) {
  // The matrix unit: 3 to 9 times fp32.
  if (facts.amx_bf16) return Precision::kBf16;
  // AMD's vector units give bf16 twice the rate of fp32; Intel's give it half.
  if (facts.avx512_bf16 && facts.vendor == CpuVendor::kAmd) return Precision::kBf16;
  return Precision::kFp32;
}

Precision decide_type(const Precision expected, const std::vector<TypeTimes>& rounds) {
  const bool fp32 = expected == Precision::kFp32;
  const auto other_wins = [&](const TypeTimes& t) {
    const double mine = fp32 ? t.fp32 : t.bf16;
    const double other = fp32 ? t.bf16 : t.fp32;
    return other > 0.0 && mine >= other * kClearlyFaster;
  };
  if (rounds.empty() || !std::ranges::all_of(rounds, other_wins)) return expected;
  return fp32 ? Precision::kBf16 : Precision::kFp32;
}

Precision choose_type(const TypeChoice& choice, const std::function<TypeTimes()>& measure) {
  if (!choice.bf16_works || !choice.cpu.multiplies_bf16()) return Precision::kFp32;
  const std::string key = key_of(choice);
  if (const auto known = from_cache(choice, key)) return *known;
  std::vector<TypeTimes> rounds;
  for (int i = 0; i < kRounds; ++i) rounds.push_back(measure());
  const Precision chosen = decide_type(expected_type(choice.cpu), rounds);
  write_cache_file(choice.cache_folder, kMagic, key, precision_name(chosen));
  return chosen;
}

}  // namespace streamvsr
