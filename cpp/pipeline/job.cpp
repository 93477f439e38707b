#include "pipeline/job.h"

#include <sys/resource.h>

#include <algorithm>
#include <thread>

#include "base/numbers.h"
#include "color/description.h"
#include "media/encoder_memory.h"
#include "pipeline/space.h"

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
  return std::make_unique<Shared>(plan.memory.source, plan.memory.enhanced);
}

// What a job that is resumed had chosen by the memory that was free when it began.
std::optional<MemoryChoice> kept_choice(const JobConfig& config) {
  if (config.resume == ResumeMode::kNever) return std::nullopt;
  const Remains remains = find_remains(config.output);
  if (!remains.unfinished()) return std::nullopt;
  return remains.checkpoint->memory;
}

void take_counts(const Checkpoint& from, Report& report) {
  report.frames = from.source.delivered;
  report.resumed_frames = from.source.delivered;
  report.segments = from.segments_done;
  report.damaged_frames = from.source.damaged;
}

bool is_full(const Error& error) {
  return error.code() == ENOSPC || error.code() == EDQUOT || error.code() == EFBIG;
}

}  // namespace

std::string resumed_precision(const JobConfig& config) {
  if (config.precision != "auto" || config.resume == ResumeMode::kNever) return config.precision;
  try {
    const Remains remains = find_remains(config.output);
    if (!remains.unfinished()) return config.precision;
    const Identity::Entries& job = remains.checkpoint->identity.job;
    const auto it = job.find("precision");
    const bool known =
        it != job.end() && (it->second == "bf16" || it->second == "fp16" || it->second == "fp32");
    return known ? it->second : config.precision;
  } catch (const Error&) {
    return config.precision;  // planning meets the same error, in its place
  }
}

Job::Job(const JobConfig& config, std::unique_ptr<Enhancer> enhancer, const MachineFacts& machine,
         const PlanningTick& tick)
    : enhancer_(std::move(enhancer)),
      plan_(make_plan(config, *enhancer_, machine, kept_choice(config), tick)),
      enhancer_description_(enhancer_->describe()),
      from_(choose_start(plan_, find_remains(plan_.config.output))),
      shared_(make_shared_state(plan_)) {
  const std::int64_t there = find_remains(plan_.config.output).part_bytes;
  check_space(plan_.config, space_need(plan_, from_, there),
              room_in(directory_of(plan_.config.output)));
}

Job::~Job() = default;

void Job::close() noexcept {
  // One exchange, as in run(): of the two, only one takes a new job.
  State expected = State::kNew;
  if (!state_.compare_exchange_strong(expected, State::kDone) && expected == State::kRunning) {
    stop_.request();
    return;
  }
  const Lock lock(enhancer_mutex_);
  if (enhancer_) last_device_use_ = enhancer_->device_use();
  enhancer_.reset();
}

DeviceUse Job::device_use() const {
  const Lock lock(enhancer_mutex_);
  return enhancer_ ? enhancer_->device_use() : last_device_use_;
}

PlanSummary Job::summary() const {
  PlanSummary s;
  s.frames = plan_.frames;
  s.resumed_frames = from_ ? from_->source.delivered : 0;
  s.duration = plan_.duration;
  s.segments = plan_.segments();
  s.segment_frames = plan_.segment_frames;
  s.width = plan_.source_format.width;
  s.height = plan_.source_format.height;
  s.output_width = plan_.output_format.width;
  s.output_height = plan_.output_format.height;
  s.source_codec = plan_.source_codec;
  s.color_matrix = matrix_name(plan_.color.matrix);
  s.pixel_format = av_get_pix_fmt_name(plan_.encoder.format);
  s.frame_rate = av_q2d(plan_.frame_rate);
  s.expected_bytes = plan_.expected_bytes;
  s.budget_bytes = plan_.budget.output_bytes;
  s.budget_video_bytes = plan_.budget.video_bytes;
  s.unbound_video_bytes = plan_.budget.expected_bytes;
  s.budget_crf = plan_.budget.expected_crf;
  s.warnings = plan_.warnings;
  s.encoder = describe_encoder(plan_.encoder);
  s.enhancer = enhancer_description_;
  s.copied_streams = plan_.copied_streams;
  s.memory = plan_.memory;
  s.encoder_lookahead = encoder_load(plan_.encoder).lookahead;
  s.encoder_threads = plan_.encoder.threads;
  s.decoder_threads = plan_.decoder.threads;
  return s;
}

Checkpoint Job::first_checkpoint() const {
  Checkpoint c;
  c.identity = plan_.identity;
  c.plan_hash = plan_hash(plan_);
  c.input = plan_.config.input;
  c.options = plan_.config.options;
  c.memory = memory_choice(plan_.memory, plan_.encoder);
  c.frames_total = plan_.frames;
  c.segments_total = plan_.segments();
  return c;
}

// For a disk, quota or file system that is full.
std::string Job::space_needed() const {
  const std::int64_t frames = shared_->durable_frames.load();
  if (frames <= 0 || frames >= plan_.frames) return "; more space is needed";
  const double rest = static_cast<double>(std::max<std::int64_t>(0, shared_->durable_bytes)) /
                      static_cast<double>(frames) * static_cast<double>(plan_.frames - frames);
  return "; the frames still to come need about " +
         std::to_string(static_cast<std::int64_t>(rest / kMiB) + 1) + " MiB more";
}

// What a failed run leaves. Needs no memory: there may be none left.
void Job::keep(PartFile& part) const noexcept {
  if (shared_->durable_frames.load() != 0) part.keep(shared_->durable_bytes.load());
}

// What its error says of it.
std::string Job::kept_words() const {
  const std::int64_t frames = shared_->durable_frames.load();
  if (frames == 0) return "; nothing is kept: the first segment was not complete";
  return "; the first " + std::to_string(frames) + " of about " + std::to_string(plan_.frames) +
         " frames are safe in '" + part_path(plan_.config.output) +
         "': the same call or command goes on with them";
}

Checkpoint Job::run_stages(const Checkpoint& from, PartFile& part,
                           const std::function<void(const Progress&)>& tick,
                           const std::chrono::milliseconds interval, LivePage& page,
                           Report& report) {
  ReadFindings findings;
  Checkpoint state = from;
  {
    const auto stage = [this](StageClock& clock, auto body) {
      return std::jthread([this, &clock, body = std::move(body)] {
        const PlainNumbers plain;
        clock.begin();
        try {
          body();
        } catch (...) {
          shared_->fail(std::current_exception());
        }
        clock.end();
        shared_->leave();
      });
    };
    std::vector<std::jthread> stages;
    try {
      const int look_back = std::clamp(enhancer_->look_back(), 0, Decoder::kWindow);
      stages.push_back(stage(shared_->reading, [&, look_back] {
        read_stage(plan_, from, look_back, *shared_, findings);
      }));
      stages.push_back(
          stage(shared_->computing, [&] { compute_stage(plan_, *enhancer_, *shared_); }));
      stages.push_back(stage(shared_->writing, [&] {
        write_stage(plan_, state, *plan_.watch, part.file(), *shared_);
      }));
      while (!shared_->all_left()) {
        shared_->wait_left(std::max(interval, std::chrono::milliseconds(1)));
        if (stop_.requested())
          shared_->fail(std::make_exception_ptr(
              Error(ErrorKind::kStopped,
                    "stopped after " + std::to_string(shared_->frames_done.load()) + " of about " +
                        std::to_string(plan_.frames) + " frames",
                    plan_.config.output)));
        peak_memory_->sample();
        page.publish(live_state());
        if (tick) tick(progress());
      }
    } catch (...) {
      shared_->fail(std::current_exception());
    }
  }  // the stages are joined here
  shared_->rethrow();
  report.frames = shared_->frames_written.load();
  report.damaged_frames = shared_->damaged.load();
  report.run_warnings = shared_->warnings();
  report.warnings.insert(report.warnings.end(), report.run_warnings.begin(),
                         report.run_warnings.end());
  report.segments = shared_->segments_done.load();
  report.rates = shared_->rates();
  report.read_seconds = shared_->reading.now().busy;
  report.compute_seconds = shared_->computing.now().busy;
  report.write_seconds = shared_->writing.now().busy;
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
  return state;
}

void Job::commit(Checkpoint checkpoint, PartFile& part) {
  checkpoint.stage = Checkpoint::Stage::kCommitted;
  checkpoint.final_bytes = part.file().size();
  save_checkpoint(checkpoint_path(plan_.config.output), checkpoint);
  shared_->durable_bytes = Shared::kUncut;
  part.commit(plan_.config.overwrite);
}

Report Job::run(const std::function<void(const Progress&)>& tick,
                const std::chrono::milliseconds interval) {
  State expected = State::kNew;
  if (!state_.compare_exchange_strong(expected, State::kRunning))
    throw Error(ErrorKind::kConfig, "this job has run already or was closed; make a new one");
  struct Done {
    std::atomic<State>& state;
    std::atomic<SteadyClock::time_point>& ended;
    ~Done() {
      ended = SteadyClock::now();
      state = State::kDone;
    }
  };
  const Done done{state_, ended_};
  const auto begin = SteadyClock::now();
  begun_ = begin;
  peak_memory_.emplace();
  const double cpu_before = cpu_seconds(usage());
  Report report;
  report.warnings = plan_.warnings;
  report.enhancer = enhancer_description_;
  report.encoder = describe_encoder(plan_.encoder);
  report.budget_bytes = plan_.budget.output_bytes;
  run_under_lock(tick, interval, report);
  report.bytes_read = shared_->video_bytes_read.load() + shared_->copied_bytes_read.load();
  report.bytes_written = shared_->bytes_written.load();
  report.seconds = since(begin);
  const rusage used = usage();
  report.cpu_seconds = cpu_seconds(used) - cpu_before;
  report.peak_frames_mb = static_cast<double>(shared_->frames.peak()) / kMiB;
  report.peak_rss_mb = static_cast<double>(peak_memory_->bytes()) / kMiB;
  report.device = device_use();
  return report;
}

void Job::run_under_lock(const std::function<void(const Progress&)>& tick,
                         const std::chrono::milliseconds interval, Report& report) {
  using Stage = Checkpoint::Stage;
  const std::string& output = plan_.config.output;
  if (from_ && find_remains(output).finished()) {  // killed behind the rename
    take_counts(*from_, report);
    report.output_bytes = from_->final_bytes;
    if (find_remains(output).has_part) const PartFile empty(output);  // it goes with this
    forget_checkpoint(output);
    return;
  }
  PartFile part(output);
  // Planning looked without the lock.
  if (choose_start(plan_, part.remains()) != from_)
    throw Error(ErrorKind::kBusy,
                "another process has worked on '" + output + "' meanwhile; run this again", output,
                EBUSY);
  if (!plan_.config.overwrite) refuse_existing(output);
  Checkpoint from = from_ ? *from_ : first_checkpoint();
  if (from_) {
    if (from.stage == Stage::kRunning) {
      from.mixed = from.mixed || from.identity.environment != plan_.identity.environment;
      from.identity.environment = plan_.identity.environment;
    }
    shared_->frames_done = shared_->frames_written = shared_->durable_frames =
        from.source.delivered;
    shared_->finishing = from.stage != Stage::kRunning;
    shared_->segments_done = from.segments_done;
    shared_->durable_bytes = from.stage == Stage::kRunning ? from.part.bytes : Shared::kUncut;
  }
  LivePage page(part.file());
  page.publish(live_state());
  try {
    if (!from_) part.start_over();
    if (from.stage == Stage::kRunning) {
      part.file().truncate(from.part.bytes);
      save_checkpoint(checkpoint_path(output), from);
      from = run_stages(from, part, tick, interval, page, report);
    } else {
      take_counts(from, report);
      if (from.stage == Stage::kFinishing) {
        const PlainNumbers plain;
        finish_stage(plan_, from, part.file(), *shared_);
      }
      if (from.stage == Stage::kCommitted) part.file().truncate(from.final_bytes);
    }
    report.resumed_frames = from_ ? from_->source.delivered : 0;
    report.output_bytes = part.file().size();
    if (from.mixed)
      report.warnings.push_back(
          "runs under different libraries or processors added to this file: its frames have the "
          "number and the times of one uninterrupted run's, its bytes are not the same");
    commit(from, part);
  } catch (const Error& error) {
    keep(part);
    throw Error(error.kind(), error.what() + (is_full(error) ? space_needed() : "") + kept_words(),
                error.path(), error.code());
  } catch (...) {
    keep(part);
    throw;
  }
}

}  // namespace streamvsr
