// The loader of checkpoints for libFuzzer: text as it comes, and as a checkpoint whose checksum is
// right. Whatever it reads must be whole; what it refuses is kResume.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "pipeline/checkpoint.h"
#include "pipeline/checkpoint_checks.h"
#include "pipeline/plan.h"

namespace {

using namespace streamvsr;

// What flaw_for() reads of a plan.
JobPlan plan() {
  JobPlan plan;
  plan.streams.streams.resize(2);
  plan.segment_frames = 10;
  plan.segment_ends = {10, 20, 30};
  plan.reorder_depth = 2;
  return plan;
}

void load(const std::string& text) {
  try {
    const Checkpoint found = checkpoint_from_json(text, "fuzzed");
    if (!flaw_of(found).empty() || checkpoint_from_json(to_json(found), "again") != found)
      std::abort();
    static const JobPlan kPlan = plan();
    const bool fits = flaw_for(kPlan, found).empty();
    if (fits && found.segments_done > 0 && found.part.ends.size() != 2) std::abort();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kResume) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* const data, const std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  load(text);
  std::string sealed;
  try {
    sealed = seal(Checkpoint::kKind, text);
  } catch (const Error&) {  // NOLINT: no JSON object, or nested too deeply
    return 0;
  }
  load(sealed);
  return 0;
}
