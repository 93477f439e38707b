// Whether a checkpoint can be used. Its checksum proves that it is whole, not that a run wrote it.
#pragma once

#include <string>

#include "pipeline/checkpoint.h"

namespace streamvsr {

struct JobPlan;

// Both return what is wrong, "video.packets is -3", or an empty text.

// Checks every value against its range and against the other values, as far as that is possible
// without a plan.
std::string flaw_of(const Checkpoint& checkpoint);

// Checks what a run that resumes will index and compute with, against its plan: the number of
// streams, the encoder's reorder depth, the segment table, the clock. checkpoint has no flaw_of().
std::string flaw_for(const JobPlan& plan, const Checkpoint& checkpoint);

}  // namespace streamvsr
