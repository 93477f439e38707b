#include "pipeline/job.h"

#include <sys/resource.h>

#include <algorithm>
#include <thread>

#include "pipeline/checkpoint.h"
#include "pipeline/part_file.h"

namespace streamvsr {

namespace {

using SteadyClock = std::chrono::steady_clock;

double since(const SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

rusage usage() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return used;
}

double cpu_seconds(const rusage& used) {
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

constexpr double kMiB = 1024.0 * 1024.0;

std::string describe_encoder(const EncoderSettings& encoder) {
  return encoder.codec + ", " + std::to_string(encoder.threads) + " thread(s)";
}

std::unique_ptr<Shared> make_shared_state(const JobPlan& plan) {
  // Enough frames to keep the stages busy, within half of the budget; the rest is for pictures in
  // hand.
  constexpr std::size_t kQueued = 4;
  const auto budget = static_cast<std::size_t>(plan.config.max_memory_mb) << 20;
  const std::size_t in = Planes(plan.source_format).bytes();
  const std::size_t out = Planes(plan.output_format).bytes();
  return std::make_unique<Shared>(std::min(kQueued * in, budget / 8),
                                  std::min(kQueued * out, budget * 3 / 8));
}

}  // namespace

Job::Job(const JobConfig& config, std::unique_ptr<Enhancer> enhancer, const PlanningTick& tick)
    : enhancer_(std::move(enhancer)),
      enhancer_description_(enhancer_->describe()),
      plan_(make_plan(config, *enhancer_, tick)),
      shared_(make_shared_state(plan_)) {}

Job::~Job() = default;

void Job::close() noexcept {
  if (state_.load() == State::kRunning) {
    stop_.request();
    return;
  }
  state_ = State::kDone;
  enhancer_.reset();
  shared_.reset();
}

PlanSummary Job::summary() const {
  PlanSummary s;
  s.frames = plan_.frames;
  s.duration = plan_.duration;
  s.segments = plan_.segments();
  s.segment_frames = plan_.segment_frames;
  s.width = plan_.source_format.width;
  s.height = plan_.source_format.height;
  s.output_width = plan_.output_format.width;
  s.output_height = plan_.output_format.height;
  s.source_codec = plan_.source_codec;
  s.pixel_format = av_get_pix_fmt_name(plan_.encoder.format);
  s.frame_rate = av_q2d(plan_.frame_rate);
  s.warnings = plan_.warnings;
  s.encoder = describe_encoder(plan_.encoder);
  s.enhancer = enhancer_description_;
  s.copied_streams = plan_.copied_streams;
  return s;
}

Progress Job::progress(const SteadyClock::time_point begin) const {
  Progress p;
  p.frames_done = shared_->frames_written.load();
  p.frames_total = plan_.frames;
  p.segments_done = shared_->segments_done.load();
  p.seconds = since(begin);
  p.fps = p.seconds > 0.0 ? static_cast<double>(p.frames_done) / p.seconds : 0.0;
  if (p.fps > 0.0)
    p.eta_seconds =
        static_cast<double>(std::max<std::int64_t>(0, p.frames_total - p.frames_done)) / p.fps;
  p.memory_mb = static_cast<double>(shared_->gauge.bytes()) / kMiB;
  return p;
}

Report Job::run(const std::function<void(const Progress&)>& tick,
                const std::chrono::milliseconds interval) {
  State expected = State::kNew;
  if (!state_.compare_exchange_strong(expected, State::kRunning))
    throw Error(ErrorKind::kConfig, "this job has run already or was closed; make a new one");
  struct Done {
    std::atomic<State>& state;
    ~Done() { state = State::kDone; }
  };
  const Done done{state_};
  const auto begin = SteadyClock::now();
  const double cpu_before = cpu_seconds(usage());
  PartFile part(plan_.config.output);
  // From here on the remains are known as ours (check_remains).
  Checkpoint start;
  start.plan_hash = plan_hash(plan_);
  save_checkpoint(checkpoint_path(plan_.config.output), start);
  BusyTimer reading;
  BusyTimer computing;
  BusyTimer writing;
  ReadFindings findings;
  {
    const auto stage = [this](auto body) {
      return std::jthread([this, body = std::move(body)] {
        try {
          body();
        } catch (...) {
          shared_->fail(std::current_exception());
        }
        shared_->leave();
      });
    };
    std::vector<std::jthread> stages;
    try {
      stages.push_back(stage([&] { read_stage(plan_, *shared_, reading, findings); }));
      stages.push_back(stage([&] { compute_stage(plan_, *enhancer_, *shared_, computing); }));
      stages.push_back(stage([&] { write_stage(plan_, part.file(), *shared_, writing); }));
      while (!shared_->all_left()) {
        shared_->wait_left(std::max(interval, std::chrono::milliseconds(1)));
        if (stop_.requested())
          shared_->fail(std::make_exception_ptr(
              Error(ErrorKind::kStopped,
                    "stopped after " + std::to_string(shared_->frames_written.load()) +
                        " of about " + std::to_string(plan_.frames) + " frames; the unfinished '" +
                        part_path(plan_.config.output) + "' was removed",
                    plan_.config.output)));
        if (tick) tick(progress(begin));
      }
    } catch (...) {
      shared_->fail(std::current_exception());
    }
  }  // the stages are joined here
  shared_->rethrow();
  Report report;
  report.output_bytes = part.file().size();
  part.commit(plan_.config.overwrite);

  report.frames = shared_->frames_written.load();
  report.damaged_frames = shared_->damaged.load();
  report.segments = shared_->segments_done.load();
  report.bytes_read = shared_->bytes_read.load();
  report.bytes_written = shared_->bytes_written.load();
  report.seconds = since(begin);
  report.read_seconds = reading.seconds();
  report.compute_seconds = computing.seconds();
  report.write_seconds = writing.seconds();
  const rusage used = usage();
  report.cpu_seconds = cpu_seconds(used) - cpu_before;
  report.peak_frames_mb = static_cast<double>(shared_->gauge.peak()) / kMiB;
  report.peak_rss_mb = static_cast<double>(used.ru_maxrss) / 1024.0;
  report.warnings = plan_.warnings;
  if (report.damaged_frames > 0)
    report.warnings.push_back(
        "the source is damaged: " + std::to_string(report.damaged_frames) +
        " picture(s) or packet(s) with errors" +
        (findings.damage.empty() ? "" : " (FFmpeg: " + findings.damage + ")"));
  if (findings.resized > 0)
    report.warnings.push_back(std::to_string(findings.resized) +
                              " pictures came in another size and were scaled to the first one's");
  if (report.frames < plan_.frames)
    report.warnings.push_back("the source gave " + std::to_string(report.frames) +
                              " pictures of the " + std::to_string(plan_.frames) +
                              " its packets promised");
  report.enhancer = enhancer_description_;
  report.encoder = describe_encoder(plan_.encoder);
  return report;
}

}  // namespace streamvsr
