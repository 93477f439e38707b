// What becomes of the side data of the source's pictures.
#pragma once

#include "pipeline/plan.h"

namespace streamvsr {

// Decides how two views in a frame are told, and warns of each kind of side data of the first
// pictures that the output has no place for. After describe_output().
void plan_messages(const Input& input, const Decoder& first, JobPlan& plan);

}  // namespace streamvsr
