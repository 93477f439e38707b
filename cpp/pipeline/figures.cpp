// What a job says of itself while it runs.
#include <algorithm>

#include "base/heap.h"
#include "pipeline/job.h"

namespace streamvsr {

Figures Job::figures() const {
  using Clock = std::chrono::steady_clock;
  Figures f;
  const State state = state_.load();
  f.running = state == State::kRunning;
  f.finishing = shared_->finishing.load();
  f.frames_done = shared_->frames_done.load();
  f.frames_written = shared_->frames_written.load();
  f.frames_total = plan_.frames;
  f.resumed_frames = from_ ? from_->source.delivered : 0;
  f.segments_done = shared_->segments_done.load();
  const Clock::time_point begun = begun_.load();
  if (begun != Clock::time_point{}) {
    const Clock::time_point until = f.running ? Clock::now() : ended_.load();
    f.seconds = std::max(0.0, std::chrono::duration<double>(until - begun).count());
  }
  f.read = shared_->reading.now();
  f.compute = shared_->computing.now();
  f.write = shared_->writing.now();
  f.read_queue = shared_->read.fill();
  f.computed_queue = shared_->computed.fill();
  f.frames_bytes = static_cast<std::int64_t>(shared_->frames.bytes());
  f.bytes_read = shared_->video_bytes_read.load() + shared_->copied_bytes_read.load();
  f.bytes_written = shared_->bytes_written.load();
  f.device = device_use();
  return f;
}

Progress Job::progress() const {
  const Figures f = figures();
  Progress p;
  p.frames_done = f.frames_done;
  p.frames_written = f.frames_written;
  p.frames_total = f.frames_total;
  p.resumed_frames = f.resumed_frames;
  p.finishing = f.finishing;
  p.segments_done = f.segments_done;
  p.seconds = f.seconds;
  if (p.seconds > 0.0)
    p.fps = static_cast<double>(std::max<std::int64_t>(0, p.frames_done - f.resumed_frames)) /
            p.seconds;
  p.memory_mb = static_cast<double>(f.frames_bytes) / (1024.0 * 1024.0);
  p.warnings = shared_->warnings();
  return p;
}

LiveState Job::live_state() const {
  const Figures f = figures();
  return {f.frames_done,   f.frames_written, f.frames_total, f.resumed_frames,
          f.segments_done, f.finishing,      f.seconds};
}

void Job::spare_memory() {
  shared_->source.limit(planes_bytes(plan_.source_format));
  shared_->enhanced.limit(planes_bytes(plan_.enhanced_format));
  trim_heap();
}

}  // namespace streamvsr
