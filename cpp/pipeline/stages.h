// The three stages R (read), C (compute), W (write) and what they share. Buffering happens in the
// two queues only.
#pragma once

#include <atomic>
#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/mutex.h"
#include "base/queue.h"
#include "pipeline/checkpoint.h"
#include "pipeline/plan.h"

namespace streamvsr {

// A picture between two stages.
struct FrameItem {
  SourcePicture picture;           // after C: with the enhanced planes
  bool warm_up = false;            // seen by an earlier run: for the enhancer's look-back alone
  std::optional<SourceMark> mark;  // on the last one of a segment: where the source stands then
};
struct End {};  // the film is over; every stage drains on it
using Item = std::variant<FrameItem, End>;

// Where a stage's time went.
struct StageTimes {
  double busy = 0.0;        // s
  double wait = 0.0;        // s, for a queue
  std::int64_t stalls = 0;  // waits longer than StageClock::kStall
};

// Purpose: adds up the time a stage is busy and the time it waits. Thread-safety: now() from any
// thread, while the stage runs too; the rest from the stage's own.
class StageClock {
 public:
  static constexpr double kStall = 0.5;  // s

  void begin() { change(State::kWaiting); }
  void resume() { change(State::kBusy); }
  void pause() { change(State::kWaiting); }
  void end() { change(State::kEnded); }
  StageTimes now() const;

 private:
  enum class State { kNew, kWaiting, kBusy, kEnded };
  void change(State next);
  StageTimes times() const REQUIRES(mutex_);

  mutable Mutex mutex_;
  State state_ GUARDED_BY(mutex_) = State::kNew;
  std::chrono::steady_clock::time_point since_ GUARDED_BY(mutex_);
  StageTimes done_ GUARDED_BY(mutex_);
};

// What a disk budget did in one run.
struct RateFindings {
  // Passages made coarser than asked for: neighbours of about the same quality are joined, and
  // where there would be more than kMostPassages, the two with the smallest gap.
  static constexpr std::size_t kMostPassages = 64;
  static constexpr double kAlike = 1.0;  // crf
  struct Passage {
    std::int64_t first_frame = 0, frames = 0;
    double crf = 0.0;  // mean
  };
  std::vector<Passage> bound;
  std::int64_t segments = 0, bound_segments = 0, reencoded_segments = 0;
  std::int64_t bytes = 0, share = 0;              // of all segments
  std::int64_t bound_bytes = 0, bound_share = 0;  // of those that were made coarser

  void add(const SegmentRate& rate);
};

// What the stages of one run share. Thread-safety: as each member says.
struct Shared {
  // The most bytes of source and of enhanced pictures between the decoder and the encoder.
  Shared(std::size_t source_bytes, std::size_t enhanced_bytes)
      : source(source_bytes, &frames), enhanced(enhanced_bytes, &frames) {}

  ByteGauge frames;     // in flight between the decoder and the encoder
  MemoryGate source;    // R asks it before it takes a picture, C frees
  MemoryGate enhanced;  // C asks it before it enhances a picture, W frees
  ByteQueue<Item> read{source};
  ByteQueue<Item> computed{enhanced};
  StageClock reading, computing, writing;
  StopFlag abort;  // ends tiles early once a stage has failed
  // By this run or an earlier one: enhanced, and of them encoded.
  std::atomic<std::int64_t> frames_done{0};
  std::atomic<std::int64_t> frames_written{0};
  std::atomic<bool> finishing{false};  // all frames are enhanced
  std::atomic<std::int64_t> segments_done{0};
  std::atomic<std::int64_t> durable_frames{0};  // that a later run need not do again
  std::atomic<std::int64_t> durable_bytes{0};   // of the `.part`, or kUncut
  static constexpr std::int64_t kUncut = -1;    // unknown, or being finished: nothing is cut off
  std::atomic<std::int64_t> damaged{0};
  std::atomic<std::int64_t> video_bytes_read{0};   // of the source, by R
  std::atomic<std::int64_t> copied_bytes_read{0};  // of the source, by W
  std::atomic<std::int64_t> bytes_written{0};

  // Notes a stage's failure: the first one wins, and wakes the others.
  void fail(std::exception_ptr error);
  void rethrow() const;
  // A stage ended, well or not.
  void leave();
  bool all_left() const;
  // Notes what a user should know while the job runs.
  void warn(std::string warning);
  std::vector<std::string> warnings() const;
  // Notes what the disk budget made of a segment.
  void note(const SegmentRate& rate);
  RateFindings rates() const;
  // Waits until all stages left or the time is over.
  void wait_left(std::chrono::milliseconds time);

 private:
  static constexpr int kStages = 3;
  mutable Mutex mutex_;
  Condition left_changed_;
  int left_ GUARDED_BY(mutex_) = 0;
  std::exception_ptr first_ GUARDED_BY(mutex_);
  std::vector<std::string> warnings_ GUARDED_BY(mutex_);
  RateFindings rates_ GUARDED_BY(mutex_);
};

// Runs a stage's work on a frame; an Error on its way out learns which frame it was.
template <class Work>
void on_frame(const char* const doing, const std::int64_t frame, const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kStopped) throw;
    throw Error(
        error.kind(),
        std::string(error.what()) + " (while " + doing + " frame " + std::to_string(frame) + ")",
        error.path(), error.code());
  }
}

// What reading found out about the source. Written by R; read after it ended.
struct ReadFindings {
  std::string damage;        // FFmpeg's last words; empty without any
  std::int64_t resized = 0;  // pictures scaled to the first one's size
};

// Each runs on a thread of its own until the end, or throws. from: the checkpoint to go on behind;
// for a new job one of no segments.
void read_stage(const JobPlan& plan, const Checkpoint& from, int look_back, Shared& shared,
                ReadFindings& findings);
void compute_stage(const JobPlan& plan, Enhancer& enhancer, Shared& shared);
// Leaves a finished, durable file, and in state the last checkpoint; state comes as `from`.
void write_stage(const JobPlan& plan, Checkpoint& state, SourceWatch& watch, File& part,
                 Shared& shared);
// What write_stage does once all data is in the `.part`: for runs that died in the midst of it.
void finish_stage(const JobPlan& plan, const Checkpoint& from, File& part, Shared& shared);

}  // namespace streamvsr
