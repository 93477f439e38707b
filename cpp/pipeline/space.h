// Whether an output fits on its disk: an estimate before work, a watch while running.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "pipeline/checkpoint.h"
#include "pipeline/plan.h"

namespace streamvsr {

// What the size of an output is estimated from.
struct SizeBasis {
  std::string codec;
  double crf = -1.0;  // negative: the codec's default
  std::string preset;
  int source_width = 0, source_height = 0;
  PlaneFormat output;
  std::int64_t frames = 0;
  std::int64_t video_bytes = 0;  // coded, of the enhanced stream in the source
  std::int64_t input_bytes = 0;  // the whole source
};

// Bytes of the finished output. A bound for the lossless codec; else the source's coded size scaled
// by area and quality, see docs/monitor.md.
std::int64_t estimate_output(const SizeBasis& basis);
// The same for a job that is not planned: nothing is looked at but the source.
std::int64_t estimate_output(const JobConfig& config, const Enhancer& enhancer,
                             const PlanningTick& tick);

// What may be written in a directory.
struct Room {
  static constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();
  std::int64_t free = 0;                 // bytes that this user may still take
  std::int64_t largest_file = kNoLimit;  // bytes of one file
  std::string limited_by;                // what sets largest_file
};
Room room_in(const std::string& directory);
// The largest file of a file system, by statfs()'s f_type.
std::int64_t largest_file_of(std::int64_t file_system);

// Throws kIo (ENOSPC, EFBIG) where what is still to be written would take more than the share of
// the free space that a job may use, or make the file larger than it can be. Does nothing for a job
// whose share is 0.
struct SpaceNeed {
  std::int64_t still = 0;  // bytes to write
  std::int64_t whole = 0;  // bytes of the finished file
  std::int64_t freed = 0;  // bytes on the disk that the job gives back first
};
void check_space(const JobConfig& config, const SpaceNeed& need, const Room& room);
// What a planned job needs, behind the segments of an earlier run if there is one.
SpaceNeed space_need(const JobPlan& plan, const std::optional<Checkpoint>& from,
                     std::int64_t part_bytes);

// Purpose: holds what the rest of a film needs, by the segments done, against the room there is.
// Thread-safety: none.
class SpaceWatch {
 public:
  // bytes: of the `.part` where this run begins.
  SpaceWatch(const JobPlan& plan, std::int64_t bytes);
  // After a segment: a warning, once, when the rest would take more than the job's share. Throws
  // kIo with ENOSPC when not even two more segments fit.
  std::optional<std::string> look(std::int64_t frames, std::int64_t bytes, const Room& room);

 private:
  const JobPlan& plan_;
  std::int64_t bytes_;
  std::int64_t largest_segment_ = 0;
  bool warned_ = false;
};

// "3.2 GB", "12 MB", "40 kB"; 1 MB = 1000000 bytes.
std::string size_text(std::int64_t bytes);

}  // namespace streamvsr
