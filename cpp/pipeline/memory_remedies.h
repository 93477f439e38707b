// Refusals of jobs that take too much memory, with what can be done about it.
#pragma once

#include <string>

#include "pipeline/memory_plan.h"

namespace streamvsr {

// Whole MiB, rounded up.
std::string mib(std::size_t bytes);

// Bytes that a job takes with everything lowered that may be.
std::size_t least_memory(const MemoryNeeds& needs, EncoderSettings encoder, int decoder_threads);

// Throws kMemory for a job whose least plan does not fit into `most` bytes. Every remedy that it
// names was planned and fits, but the machine may have less than max_memory_mb then allows.
[[noreturn]] void refuse_memory(const MemoryNeeds& needs, std::size_t most, const MemoryPlan& least,
                                const EncoderSettings& encoder, int decoder_threads);
// The same for pictures between the stages that do not fit into max_frames_mb.
[[noreturn]] void refuse_frames(std::size_t most, const MemoryPlan& least);

}  // namespace streamvsr
