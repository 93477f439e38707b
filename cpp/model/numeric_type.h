// The type of numbers the CPU engine computes in when the user names none.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/cpu_facts.h"
#include "model/engine.h"

namespace streamvsr {

// The faster of fp32 and bf16 for a class of processors, as measured (docs/rows-engine.md, "The
// numeric type"). A pure function.
Precision expected_type(const CpuFacts& facts);

// Seconds for the same work in both types, measured one right after the other.
struct TypeTimes {
  double fp32 = 0.0;
  double bf16 = 0.0;
};

// The expected type, unless the other one was faster by 15 % or more in every round.
Precision decide_type(Precision expected, const std::vector<TypeTimes>& rounds);

// What a choice may depend on.
struct TypeChoice {
  CpuFacts cpu;              // with the limits that apply
  bool bf16_works = false;   // the bf16 microkernel was tried here
  std::string network;       // tells networks of another shape apart; one line
  std::string cache_folder;  // where a measurement is remembered; empty: it is not
};

// fp32 without measuring where bf16 has no hardware or no microkernel. Else decide_type() over the
// remembered rounds, or over new ones. measure: gives one round.
Precision choose_type(const TypeChoice& choice, const std::function<TypeTimes()>& measure);

}  // namespace streamvsr
