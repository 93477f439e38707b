// What an interrupted job knows of itself: docs/checkpoint.md. Progress and parameters, never
// pixels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipeline/plan.h"

namespace streamvsr {

struct Checkpoint {
  static constexpr int kVersion = 1;

  std::string plan_hash;        // of everything that decides the bytes
  std::int64_t next_frame = 0;  // the first frame that is not in the `.part`
  std::int64_t segments_done = 0;
  std::int64_t part_bytes = 0;           // durable length of the `.part`
  std::vector<std::int64_t> recent_pts;  // ticks: pts that are still due as dts (Note [dts])

  bool operator==(const Checkpoint&) const = default;
};

// SHA-256 over the plan and the identity of the input, in hexadecimal.
std::string plan_hash(const JobPlan& plan);

std::string to_json(const Checkpoint& checkpoint);
// Throws kInput for text that is torn, altered, or of another version.
Checkpoint checkpoint_from_json(const std::string& text, const std::string& path);

// Replaces the file durably.
void save_checkpoint(const std::string& path, const Checkpoint& checkpoint);

}  // namespace streamvsr
