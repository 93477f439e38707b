// Which numeric type "auto" stands for: the rule against recorded measurements of each class of
// processors, and what a measurement of this machine may change.
#include "model/numeric_type.h"

#include <doctest/doctest.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "temporary_folder.h"

namespace streamvsr {
namespace {

using test::TemporaryFolder;

constexpr auto kFp32 = Precision::kFp32;
constexpr auto kBf16 = Precision::kBf16;

CpuFacts facts(const CpuVendor vendor, const bool avx512, const bool avx512_bf16, const bool amx) {
  return {vendor, "a processor", true, avx512, avx512_bf16, amx};
}

// GFLOP/s of the rows engine on one thread, default network where recorded, else 32 channels and 8
// layers, at 480x270.
struct Recorded {
  const char* machine;
  CpuFacts cpu;
  double fp32, bf16;
};

const std::array kRecorded = {
    Recorded{"Xeon with AMX (Sapphire Rapids)", facts(CpuVendor::kIntel, true, true, true), 188,
             1502},
    Recorded{"Xeon with AVX512_BF16 and no AMX", facts(CpuVendor::kIntel, true, true, false), 114,
             73},
    Recorded{"EPYC with AVX512_BF16 (Zen 4)", facts(CpuVendor::kAmd, true, true, false), 107, 223},
    // bf16 has no hardware there: it is fp32's products after a conversion.
    Recorded{"AVX2 alone", facts(CpuVendor::kIntel, false, false, false), 70, 35},
};

TEST_CASE("the rule takes the type that was measured to be faster in each class") {
  for (const Recorded& row : kRecorded) {
    CAPTURE(row.machine);
    CHECK(expected_type(row.cpu) == (row.bf16 > row.fp32 ? kBf16 : kFp32));
  }
}

TEST_CASE("a limit of oneDNN's takes the units away that it names") {
  const CpuFacts all = facts(CpuVendor::kIntel, true, true, true);
  CHECK(limited(all, "") == all);
  CHECK(limited(all, "ALL") == all);
  CHECK(limited(all, "AVX512_CORE_AMX") == all);
  CHECK(limited(all, "AVX512_CORE_AMX_FP16") == all);
  CHECK(limited(all, "AVX512_CORE_BF16") == facts(CpuVendor::kIntel, true, true, false));
  CHECK(limited(all, "AVX512_CORE_FP16") == facts(CpuVendor::kIntel, true, true, false));
  CHECK(limited(all, "AVX512_CORE") == facts(CpuVendor::kIntel, true, false, false));
  CHECK(limited(all, "AVX2_VNNI") == facts(CpuVendor::kIntel, false, false, false));
  CHECK_FALSE(limited(all, "SSE41").avx2);
  const CpuFacts none;
  CHECK(limited(none, "AVX512_CORE_AMX") == none);
}

TEST_CASE("a measurement counts only where every round is 15 % apart") {
  const TypeTimes fp32_wins{1.0, 1.2};
  const TypeTimes fp32_hardly{1.0, 1.14};
  const TypeTimes bf16_wins{1.2, 1.0};
  CHECK(decide_type(kBf16, {fp32_wins, fp32_wins, fp32_wins}) == kFp32);
  CHECK(decide_type(kBf16, {fp32_wins, fp32_hardly, fp32_wins}) == kBf16);
  CHECK(decide_type(kBf16, {fp32_hardly, fp32_hardly}) == kBf16);
  CHECK(decide_type(kFp32, {bf16_wins, bf16_wins}) == kBf16);
  CHECK(decide_type(kFp32, {bf16_wins, fp32_wins}) == kFp32);
  CHECK(decide_type(kFp32, {}) == kFp32);
  CHECK(decide_type(kBf16, {{0.0, 0.0}}) == kBf16);
}

struct Counted {
  int rounds = 0;
  TypeTimes times;
  std::function<TypeTimes()> measure() {
    return [this] {
      ++rounds;
      return times;
    };
  }
};

TEST_CASE("a choice is measured once for a processor and a shape of network") {
  const TemporaryFolder folder;
  TypeChoice choice{facts(CpuVendor::kAmd, true, true, false), true, "1-0.16", folder.path()};
  Counted slow_bf16{0, {1.0, 2.0}};
  CHECK(choose_type(choice, slow_bf16.measure()) == kFp32);
  CHECK(slow_bf16.rounds > 0);
  Counted fast_bf16{0, {2.0, 1.0}};
  CHECK(choose_type(choice, fast_bf16.measure()) == kFp32);
  CHECK(fast_bf16.rounds == 0);
  choice.network = "1-0.32";
  CHECK(choose_type(choice, fast_bf16.measure()) == kBf16);
  choice.cpu.name = "another";
  CHECK(choose_type(choice, slow_bf16.measure()) == kFp32);
}

TEST_CASE("a remembered choice that is no type is measured again") {
  const TemporaryFolder folder;
  const TypeChoice choice{facts(CpuVendor::kAmd, true, true, false), true, "1", folder.path()};
  Counted measured{0, {1.0, 2.0}};
  choose_type(choice, measured.measure());
  const int once = measured.rounds;
  const auto path = std::filesystem::directory_iterator(folder.path())->path();
  std::ofstream(path, std::ios::trunc) << "streamvsr-numeric-type 1\nkey\nfp64\n";
  CHECK(choose_type(choice, measured.measure()) == kFp32);
  CHECK(measured.rounds == 2 * once);
}

TEST_CASE("without hardware or microkernel nothing is measured") {
  Counted never{0, {2.0, 1.0}};
  CHECK(choose_type({facts(CpuVendor::kAmd, true, true, false), false, "1", ""}, never.measure()) ==
        kFp32);
  CHECK(choose_type({facts(CpuVendor::kAmd, true, false, false), true, "1", ""}, never.measure()) ==
        kFp32);
  CHECK(never.rounds == 0);
}

}  // namespace
}  // namespace streamvsr
