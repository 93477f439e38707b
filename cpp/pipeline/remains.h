// What an interrupted run leaves beside its output, and what a later one may do with it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "pipeline/checkpoint.h"
#include "pipeline/live_progress.h"

namespace streamvsr {

// The `.part` and the checkpoint as they lie on the disk.
struct Remains {
  std::string output;
  std::optional<Checkpoint> checkpoint;
  std::string unreadable;  // why a checkpoint of ours cannot be read; else empty
  bool has_part = false;
  bool has_temporary = false;      // the checkpoint's `.tmp`
  std::int64_t part_bytes = 0;     // of the `.part`, torn tail included
  std::int64_t output_bytes = -1;  // of a regular file under the output's name; -1: none

  bool any() const { return has_part || has_temporary || checkpoint || !unreadable.empty(); }
  // A run left work to go on with.
  bool unfinished() const {
    if (!checkpoint || finished()) return false;
    return checkpoint->stage == Checkpoint::Stage::kRunning
               ? checkpoint->segments_done > 0
               : checkpoint->stage == Checkpoint::Stage::kFinishing || part_bytes > 0;
  }
  // The output was renamed into place; only the checkpoint is still to be removed.
  bool finished() const {
    return checkpoint && checkpoint->stage == Checkpoint::Stage::kCommitted && part_bytes == 0 &&
           output_bytes == checkpoint->final_bytes;
  }
};

// Refuses when something lies where the `.part` or the checkpoint of an output will go that no run
// of ours left there: browsers and downloaders use the same suffix. Throws kOutputExists.
Remains find_remains(const std::string& output);

// Whether, and from where, a run goes on; nothing: it starts over. Throws kResume, saying what
// differs and what can be done, where the remains are another job's or of no use.
std::optional<Checkpoint> choose_start(const JobPlan& plan, const Remains& remains);

// Purpose: holds the lock on the `.part` while a run lasts, and its end: the output, remains to go
// on with, or nothing. Thread-safety: none.
class PartFile {
 public:
  // Takes over what an interrupted run left, or makes an empty file. Throws kBusy, with the owner's
  // process number, when another process works on the same output.
  explicit PartFile(const std::string& output);
  // Unless committed or kept: removes the `.part` and the checkpoint.
  ~PartFile();
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  File& file() { return file_; }
  // What lies there now that it is locked.
  const Remains& remains() const { return remains_; }
  // Empties it.
  void start_over();
  // Removes it and the checkpoint when this ends.
  void remove() { owned_ = true; }
  // Leaves the first `bytes` of it, all for a negative number, and the checkpoint in place.
  void keep(std::int64_t bytes) noexcept;
  // Gives the finished file its name. Throws kOutputExists when the name is taken and overwrite is
  // not set.
  void commit(bool overwrite);

 private:
  std::string output_;
  File file_;
  Remains remains_;
  bool owned_ = false;      // to be removed at the end
  bool committed_ = false;  // its name is the output's by now
};

// Removes the remains of an interrupted run; returns the paths removed. Throws kBusy while a run is
// under way.
std::vector<std::string> remove_remains(const std::string& output);

// The process that is writing an output; 0: none that the kernel names.
int writer_of(const std::string& output);
// How far that process is; nothing where it does not say.
std::optional<LiveState> live_state_of(const std::string& output, int writer);
// Throws kBusy when one is.
void refuse_busy(const std::string& output);
// Throws kOutputExists when something has the output's name already.
void refuse_existing(const std::string& output);

// Removes a checkpoint whose output is in place, unless another run has put its own there.
void forget_checkpoint(const std::string& output);

}  // namespace streamvsr
