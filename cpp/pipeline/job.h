// A job: one film in, one film out. Plans at construction, runs its three stages, and leaves the
// output or nothing.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/process_memory.h"
#include "pipeline/live_progress.h"
#include "pipeline/plan.h"
#include "pipeline/remains.h"
#include "pipeline/stages.h"

namespace streamvsr {

struct Progress {
  std::int64_t frames_done = 0;     // enhanced, by this run and earlier ones
  std::int64_t frames_written = 0;  // of them, encoded
  std::int64_t frames_total = 0;    // the plan's estimate
  std::int64_t resumed_frames = 0;  // of frames_done, by earlier runs
  bool finishing = false;           // all frames are enhanced; the encoder still has some
  std::int64_t segments_done = 0;
  double seconds = 0.0;               // since the run began
  double fps = 0.0;                   // mean, of the frames this run has enhanced
  double memory_mb = 0.0;             // frames in flight now
  std::vector<std::string> warnings;  // of this run so far
};

// What a job is doing now, in more detail.
struct Figures {
  bool running = false;
  bool finishing = false;           // all frames are enhanced; the encoder still has some
  std::int64_t frames_done = 0;     // enhanced, by this run and earlier ones
  std::int64_t frames_written = 0;  // of them, encoded
  std::int64_t frames_total = 0;
  std::int64_t resumed_frames = 0;  // of those done, by earlier runs
  std::int64_t segments_done = 0;
  double seconds = 0.0;  // since the run began; stands still once it ended
  StageTimes read, compute, write;
  ByteQueue<Item>::Fill read_queue, computed_queue;
  std::int64_t frames_bytes = 0;  // in flight now
  std::int64_t bytes_read = 0;    // of the source, by all demuxers
  std::int64_t bytes_written = 0;
  DeviceUse device;
};

struct Report {
  std::int64_t frames = 0;          // in the output
  std::int64_t resumed_frames = 0;  // of them, done by earlier runs
  std::int64_t damaged_frames = 0;
  std::int64_t segments = 0;
  std::int64_t bytes_read = 0;  // of the source, by all demuxers
  std::int64_t bytes_written = 0;
  std::int64_t output_bytes = 0;
  double seconds = 0.0;
  double read_seconds = 0.0;  // busy, not waiting for a queue
  double compute_seconds = 0.0;
  double write_seconds = 0.0;
  double cpu_seconds = 0.0;     // of the whole process meanwhile
  double peak_frames_mb = 0.0;  // frames in flight
  double peak_rss_mb = 0.0;     // of the process since the run began
  DeviceUse device;
  std::vector<std::string> warnings;
  std::vector<std::string> run_warnings;  // of them, those that came up while running
  std::string enhancer;
  std::string encoder;
  std::int64_t budget_bytes = 0;  // the most the output could have; 0: no limit
  RateFindings rates;             // what the budget did in this run's segments
};

// The plan as a user reads it.
struct PlanSummary {
  std::int64_t frames = 0;          // estimate
  std::int64_t resumed_frames = 0;  // done by an earlier run, which this one resumes
  double duration = 0.0;            // s
  std::int64_t segments = 0;
  std::int64_t segment_frames = 0;
  int width = 0, height = 0, output_width = 0, output_height = 0;
  std::string source_codec;
  std::string color_matrix;              // the source's, as it is computed with: "BT.601", ...
  std::string pixel_format;              // of the output
  double frame_rate = 0.0;               // mean, 1/s
  std::int64_t expected_bytes = 0;       // of the output, estimate
  std::int64_t budget_bytes = 0;         // the most it may have; 0: no limit
  std::int64_t budget_video_bytes = 0;   // of them, for the enhanced video
  std::int64_t unbound_video_bytes = 0;  // that it would take without a budget, estimate
  double budget_crf = -1.0;  // that the budget leaves, estimate; negative: the one asked for
  std::vector<std::string> warnings;
  std::string encoder, enhancer;
  std::vector<std::string> copied_streams;  // "audio aac eng", ...
  MemoryPlan memory;
  int encoder_lookahead = 0;  // frames
  int encoder_threads = 0, decoder_threads = 0;
};

// The numeric type a job computes in. Where the configuration says "auto" and the job resumes an
// interrupted one, it is the type of the interrupted one, because the bytes depend on it.
std::string resumed_precision(const JobConfig& config);

// Purpose: runs a plan. Constructed means planned: every error that can be known before work was
// thrown by then. Thread-safety: stop(), close() and
// what says so from any thread, the rest from one. Ownership:
// owns the enhancer and its threads; none outlives run().
class Job {
 public:
  Job(const JobConfig& config, std::unique_ptr<Enhancer> enhancer,
      const MachineFacts& machine = machine_facts(), const PlanningTick& tick = {});
  ~Job();

  const JobPlan& plan() const { return plan_; }
  PlanSummary summary() const;
  // Runs to the end. tick is called on this thread about every `interval`; when it throws, the job
  // stops and the exception passes on. On any failure the first error is rethrown; the whole
  // segments stay in the `.part`, with the checkpoint, for a later run; where there is none, both
  // are removed.
  Report run(const std::function<void(const Progress&)>& tick, std::chrono::milliseconds interval);
  // Before, while and after it runs, from any thread.
  Figures figures() const;
  // Lets one frame in before and one behind the network from now on, and gives free memory back to
  // the system. The output stays the same; the stages wait more for each other.
  void spare_memory();
  // Asks a run to end: within a second it throws kStopped.
  void stop() noexcept { stop_.request(); }
  // Frees network, threads and buffers; the plan stays readable. A run that is under way is only
  // stopped.
  void close() noexcept;

 private:
  Progress progress() const;
  LiveState live_state() const;
  DeviceUse device_use() const;
  Checkpoint run_stages(const Checkpoint& from, PartFile& part,
                        const std::function<void(const Progress&)>& tick,
                        std::chrono::milliseconds interval, LivePage& page, Report& report);
  void run_under_lock(const std::function<void(const Progress&)>& tick,
                      std::chrono::milliseconds interval, Report& report);
  void commit(Checkpoint checkpoint, PartFile& part);
  void keep(PartFile& part) const noexcept;
  std::string kept_words() const;
  std::string space_needed() const;
  Checkpoint first_checkpoint() const;

  // Locked where it goes and where others than the run look at it.
  mutable Mutex enhancer_mutex_;
  std::unique_ptr<Enhancer> enhancer_;
  DeviceUse last_device_use_;  // once the enhancer is gone
  StopFlag stop_;
  JobPlan plan_;
  std::string enhancer_description_;
  std::optional<Checkpoint> from_;  // of an earlier run, to go on behind
  std::unique_ptr<Shared> shared_;
  std::optional<PeakMemory> peak_memory_;  // since the run began
  enum class State { kNew, kRunning, kDone };
  std::atomic<State> state_{State::kNew};
  std::atomic<std::chrono::steady_clock::time_point> begun_{}, ended_{};
};

}  // namespace streamvsr
