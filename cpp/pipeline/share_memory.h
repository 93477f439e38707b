// Threads and look-ahead of a job, by the memory that they need.
#pragma once

#include <optional>

#include "pipeline/plan.h"

namespace streamvsr {

// What the memory of a plan depends on beside its input and its configuration.
struct MemoryBasis {
  const MachineFacts& machine;
  const std::optional<MemoryChoice>& kept;  // of the run that began the job
};

// Sets the plan's memory, its encoder's and decoder's threads, the look-ahead and the draft. Throws
// kMemory as plan_memory() does.
void share_memory(const JobConfig& asked, const SourceIndex& index, const Input& input,
                  const Decoder& probe, const Enhancer& enhancer, const MemoryBasis& basis,
                  JobPlan& plan);

}  // namespace streamvsr
