// From a grown `.part` to an ordinary file, without a second copy.
#pragma once

#include "base/stop.h"
#include "media/part_muxer.h"

namespace streamvsr {

// Completes the container and makes it durable. A function of the bytes before state.bytes, of
// state and of the context alone, whoever wrote them; where a finish was cut short, another one
// makes the same file. Returns the bytes written.
std::int64_t finish_in_place(const PartContext& context, const PartState& state,
                             const StopFlag& stop);

}  // namespace streamvsr
