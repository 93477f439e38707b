// What an interrupted job knows of itself: docs/checkpoint.md. Progress and parameters, never
// pixels.
#pragma once

#include <cstdint>
#include <string>

#include "media/decoder.h"
#include "media/part_muxer.h"
#include "pipeline/identity.h"
#include "pipeline/memory_plan.h"
#include "pipeline/sealed_file.h"
#include "pipeline/segment_encoder.h"

namespace streamvsr {

struct Checkpoint {
  static constexpr SealedKind kKind = {"streamvsr checkpoint", 3};

  enum class Stage {
    kRunning,    // segments are being added to the `.part`
    kFinishing,  // all data is in it; it is being finished in place
    kCommitted,  // it is finished, or was renamed already
  };

  Stage stage = Stage::kRunning;
  Identity identity;
  std::string plan_hash;
  std::string input;              // paths as the run was given them, for people
  std::string options;            // of the run, a JSON object, for people
  MemoryChoice memory;            // of the run that began the job
  bool mixed = false;             // runs under different environments added to it
  std::int64_t frames_total = 0;  // estimate
  std::int64_t segments_total = 0;
  std::int64_t segments_done = 0;
  PartState part;         // at the end of the last whole segment
  std::string part_tail;  // SHA-256 of the last kTail bytes before part.bytes
  EncoderMark video;
  SourceMark source;             // source.delivered: the first frame that is not in the `.part`
  std::int64_t final_bytes = 0;  // once committed

  static constexpr std::int64_t kTail = 64 << 10;

  bool operator==(const Checkpoint&) const = default;
};

std::string to_json(const Checkpoint& checkpoint);
// Throws kResume for text that is torn, altered, of another version, or that no run can have
// written.
Checkpoint checkpoint_from_json(const std::string& text, const std::string& path);

// Replaces the file durably. Throws kConfig for one that would pass kMostSealedBytes.
void save_checkpoint(const std::string& path, const Checkpoint& checkpoint);

// Checkpoint::part_tail of a `.part`.
std::string part_tail(const File& part, std::int64_t bytes);

}  // namespace streamvsr
