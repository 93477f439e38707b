#include "pipeline/plan.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/cpu.h"
#include "base/file.h"
#include "base/numbers.h"
#include "color/convert.h"
#include "media/kept.h"
#include "pipeline/plan_messages.h"
#include "pipeline/plan_picture.h"
#include "pipeline/remains.h"
#include "pipeline/share_memory.h"
#include "pipeline/space.h"
#include "pipeline/work.h"

namespace streamvsr {

namespace {

// A segment ends early when it spans this many times its planned time, or this many bytes of
// source.
constexpr double kLongestSegment = 3.0;
constexpr std::int64_t kLargestSegment = std::int64_t{512} << 20;
// A start this late (broadcast clocks, cuts of longer files) is moved to zero; an earlier one is
// kept.
constexpr std::int64_t kKeptStart = AV_TIME_BASE;  // us
constexpr int kMostThreads = MemoryChoice::kMostThreads;

bool same_file(const std::string& a, const std::string& b) {
  struct stat sa{};
  struct stat sb{};
  return ::stat(a.c_str(), &sa) == 0 && ::stat(b.c_str(), &sb) == 0 && sa.st_dev == sb.st_dev &&
         sa.st_ino == sb.st_ino;
}

void check_config(const JobConfig& config) {
  const auto refuse = [](const std::string& what) { throw Error(ErrorKind::kConfig, what); };
  if (!(config.segment_seconds > 0.0) || !std::isfinite(config.segment_seconds))
    refuse("segment_seconds must be above 0, not " + std::to_string(config.segment_seconds));
  for (const auto& [name, limit] : {std::pair{"max_memory_mb", config.max_memory_mb},
                                    std::pair{"max_frames_mb", config.max_frames_mb}})
    if (limit != 0 && limit < 64)
      refuse(std::string(name) + " must be at least 64, not " + std::to_string(limit));
  if (!(config.max_disk_fraction >= 0.0 && config.max_disk_fraction <= 1.0))
    refuse("max_disk_fraction must lie in 0..1, not " + std::to_string(config.max_disk_fraction));
  if (!(config.disk_ratio == 0.0 || (config.disk_ratio > 1.0 && std::isfinite(config.disk_ratio))))
    refuse("disk_ratio must be above 1, not " + std::to_string(config.disk_ratio));
  if (const std::string other = other_rate_control(config.encoder_options);
      config.disk_ratio > 0.0 && !other.empty())
    refuse("the encoder option '" + other +
           "' sets a rate control that the disk budget cannot steer; leave it out, or lift the "
           "budget with disk_ratio=None (--disk-ratio none)");
  for (const auto& [name, threads] : {std::pair{"encoder_threads", config.encoder_threads},
                                      std::pair{"decoder_threads", config.decoder_threads}})
    if (threads < 0 || threads > kMostThreads)
      refuse(std::string(name) + " must lie in 0.." + std::to_string(kMostThreads) + ", not " +
             std::to_string(threads));
}

void check_output(const JobConfig& config) {
  const std::string& output = config.output;
  if (output.empty()) throw Error(ErrorKind::kConfig, "the output path is empty");
  const std::string directory = directory_of(output);
  struct stat status{};
  if (::stat(directory.c_str(), &status) != 0 && errno != ENOENT && errno != ENOTDIR)
    throw_errno(errno, "look at", directory);
  if (::stat(directory.c_str(), &status) != 0)
    throw Error(ErrorKind::kIo,
                "the output's directory '" + directory + "' does not exist; create it first",
                directory, ENOENT);
  if (!S_ISDIR(status.st_mode))
    throw Error(ErrorKind::kIo,
                "'" + directory + "', where the output should go, is not a directory", directory,
                ENOTDIR);
  if (::access(directory.c_str(), W_OK | X_OK) != 0)
    throw Error(ErrorKind::kIo, "the output's directory '" + directory + "' is not writable",
                directory, errno);
  for (const std::string& path :
       {output, part_path(output), checkpoint_path(output), checkpoint_path(output) + ".tmp"})
    if (same_file(config.input, path))
      throw Error(ErrorKind::kConfig,
                  "the output '" + output + "' would overwrite the input '" + config.input +
                      "'; give another name",
                  output);
  const std::string longest = checkpoint_path(output) + ".tmp";
  if (longest.size() - longest.rfind('/') - 1 > NAME_MAX)
    throw Error(ErrorKind::kConfig,
                "the output's name is too long: leave " +
                    std::to_string(longest.size() - output.size()) + " of the " +
                    std::to_string(NAME_MAX) + " bytes a name may have for the checkpoint's",
                output, ENAMETOOLONG);
  const Remains remains = find_remains(output);
  refuse_busy(output);
  if (::lstat(output.c_str(), &status) == 0 && S_ISDIR(status.st_mode))
    throw Error(ErrorKind::kOutputExists, "the output '" + output + "' is a directory", output,
                EISDIR);
  if (!config.overwrite && !remains.finished()) refuse_existing(output);
}

// Ends of segments by frame count, in presentation order: see JobConfig::segment_seconds.
std::vector<std::int64_t> cut_segments(const SourceIndex& index, const AVRational base,
                                       const double seconds, const std::int64_t segment_frames) {
  std::vector<std::int64_t> ends;
  std::int64_t begin = 0;
  std::int64_t bytes = 0;
  const auto count = static_cast<std::int64_t>(index.packets.size());
  for (std::int64_t i = 0; i < count; ++i) {
    const auto& packet = index.packets[static_cast<std::size_t>(i)];
    const double span =
        static_cast<double>(packet.time - index.packets[static_cast<std::size_t>(begin)].time) *
        av_q2d(base);
    if (i > begin && (i - begin >= segment_frames || span >= kLongestSegment * seconds ||
                      bytes + packet.bytes > kLargestSegment)) {
      ends.push_back(i);
      begin = i;
      bytes = 0;
    }
    bytes += packet.bytes;
  }
  ends.push_back(std::max<std::int64_t>(count, 1));
  return ends;
}

// The shortest time, in us, that is both whole milliseconds and whole ticks (where ticks are 1/n
// s): a shift by multiples of it moves no rounding, so that Matroska's times stay within their own
// half millisecond.
std::int64_t exact_step(const AVRational base) { return AV_TIME_BASE / std::gcd(base.den, 1000); }

std::int64_t floor_to(const std::int64_t value, const std::int64_t step) {
  return (value >= 0 ? value : value - (step - 1)) / step * step;
}

// Times: see Clock. Matroska has no finish that takes a shift back, so there it is as small as can
// be.
Clock make_clock(const Input& input, const SourceIndex& index, const Container container,
                 const int reorder_depth, const AVRational rate) {
  Clock clock;
  const std::int64_t start = input.format().start_time;
  const AVStream& video = input.stream(input.video_index());
  const bool broadcast = (input.format().iformat->flags & AVFMT_TS_DISCONT) != 0;
  if (start != AV_NOPTS_VALUE && (broadcast || start >= kKeptStart)) clock.origin_us = start;
  // Pictures before zero would be cut off by an edit list; sound before zero is a codec's priming,
  // which should be.
  if (video.start_time != AV_NOPTS_VALUE && video.start_time < 0)
    clock.origin_us = av_rescale_q(video.start_time, video.time_base, AV_TIME_BASE_Q);
  const std::int64_t step = exact_step(video.time_base);
  clock.origin_us = floor_to(clock.origin_us, step);
  std::int64_t earliest = 0;
  for (int i = 0; i < input.stream_count(); ++i) {
    std::int64_t first = index.first_dts[static_cast<std::size_t>(i)];
    if (first == AV_NOPTS_VALUE || (i == input.video_index() && container == Container::kMkv))
      continue;
    if (container == Container::kMkv)
      first +=
          av_rescale_q(matroska_delay(input.stream(i)), input.stream(i).time_base, AV_TIME_BASE_Q);
    earliest = std::min(earliest, first - clock.origin_us);
  }
  if (container == Container::kMkv) earliest = std::max(earliest, -kMostPriming);
  if (container == Container::kMkv) {
    clock.shift_us = -floor_to(earliest, step);
  } else {
    const std::int64_t delay =
        av_rescale_q_rnd(reorder_depth, av_inv_q(rate), AV_TIME_BASE_Q, AV_ROUND_UP);
    clock.shift_us = ((delay - earliest) / AV_TIME_BASE + 2) * AV_TIME_BASE;
  }
  return clock;
}

// MP4 tells how long a sample lasts as a number of 31 bits, and FFmpeg's muxer loses the time of
// every picture behind a longer one.
void check_gaps(const SourceIndex& index, const AVRational base, const std::string& path) {
  constexpr std::int64_t kMost = std::int64_t{1} << 30;  // ticks; reordering may double a gap
  for (std::size_t i = 1; i < index.packets.size(); ++i) {
    const std::int64_t gap = std::abs(index.packets[i].time - index.packets[i - 1].time) * base.num;
    if (gap > kMost)
      throw Error(ErrorKind::kConfig,
                  "a picture of '" + path + "' lasts " + std::to_string(gap / base.den) +
                      " s, which mp4 and mov cannot tell in ticks of 1/" +
                      std::to_string(base.den) + " s; choose mkv",
                  path);
  }
}

// Of a copied stream, at most about.
double packets_per_second(const AVCodecParameters& stream) {
  if (stream.codec_type != AVMEDIA_TYPE_AUDIO) return 2.0;
  constexpr double kUsual = 50.0;
  if (stream.frame_size <= 0 || stream.sample_rate <= 0) return kUsual;
  return std::max(kUsual, static_cast<double>(stream.sample_rate) / stream.frame_size);
}

BudgetBasis budget_basis(const JobPlan& plan, const Input& input) {
  BudgetBasis basis;
  basis.ratio = plan.config.disk_ratio;
  basis.codec = plan.encoder.codec;
  basis.crf = plan.encoder.crf;
  basis.width = plan.output_format.width;
  basis.height = plan.output_format.height;
  basis.depth = plan.output_format.depth;
  basis.source_width = plan.source_format.width;
  basis.source_height = plan.source_format.height;
  basis.input_bytes = avio_size(input.format().pb);
  basis.duration = plan.duration;
  basis.streams = static_cast<int>(plan.streams.streams.size());
  for (const PlannedStream& planned : plan.streams.streams)
    if (planned.action != StreamAction::kEnhance)
      basis.audio_packets += packets_per_second(parameters_of(input, planned));
  return basis;
}

}  // namespace

std::int64_t JobPlan::segment_end(const std::int64_t frame) const {
  const std::int64_t last = segment_ends.back();
  if (frame < last) return *std::upper_bound(segment_ends.begin(), segment_ends.end(), frame);
  return last + ((frame - last) / segment_frames + 1) * segment_frames;
}

std::int64_t JobPlan::segments_before(const std::int64_t frame) const {
  const std::int64_t last = segment_ends.back();
  const auto planned = std::upper_bound(segment_ends.begin(), segment_ends.end(), frame);
  return planned - segment_ends.begin() + std::max<std::int64_t>(0, frame - last) / segment_frames;
}

ResumeMode parse_resume_mode(const std::string& name) {
  if (name == "auto") return ResumeMode::kAuto;
  if (name == "yes") return ResumeMode::kDemand;
  if (name == "no") return ResumeMode::kNever;
  if (name == "frames") return ResumeMode::kFrames;
  throw Error(ErrorKind::kConfig,
              "unknown way to resume '" + name + "'; choose auto, yes, no or frames");
}

std::string part_path(const std::string& output) { return output + ".part"; }
std::string checkpoint_path(const std::string& output) { return output + ".streamvsr.json"; }

JobPlan make_plan(const JobConfig& config, const Enhancer& enhancer, const MachineFacts& machine,
                  const std::optional<MemoryChoice>& kept, const PlanningTick& tick) {
  const PlainNumbers plain;
  JobPlan plan;
  plan.config = config;
  check_config(config);
  plan.container = choose_container(config.container, config.output);
  find_encoder(config.video_codec);
  const Input input(config.input);
  check_output(config);
  if (input.video_index() < 0)
    throw Error(ErrorKind::kInput,
                "'" + config.input + "' has no video stream (found " +
                    std::to_string(input.stream_count()) +
                    " stream(s), none of them moving pictures)",
                config.input);
  const int cores = std::min(usable_cores(), kMostThreads);
  if (plan.config.encoder_threads == 0) plan.config.encoder_threads = cores;
  if (plan.config.decoder_threads == 0) plan.config.decoder_threads = cores;

  plan.watch.emplace(config.input);
  const StopFlag never;
  const Reading reading = plan_reading(input, tick, never, plan);
  const SourceIndex& index = reading.index;
  const AVStream& stream = input.stream(input.video_index());
  plan.source_codec = avcodec_get_name(stream.codecpar->codec_id);
  plan.frames = static_cast<std::int64_t>(index.packets.size());
  plan.duration = static_cast<double>(plan.frames) / av_q2d(plan.frame_rate);

  enhancer.check(plan.source_format, plan.color);
  describe_output(enhancer.output_format(plan.source_format), plan);
  for (std::string& warning : enhancer.warnings()) plan.warnings.push_back(std::move(warning));
  const double rate = av_q2d(plan.frame_rate);
  plan.fragment_frames = static_cast<int>(std::clamp(std::round(rate), 1.0, 1000.0));
  plan.segment_frames =
      segment_frames(rate, config.segment_seconds,
                     {enhancer.work(plan.source_format), plan.source_format, plan.output_format,
                      plan.encoder.codec, plan.encoder.preset, config.disk_ratio > 0.0});
  share_memory(config, index, input, reading.first, enhancer, {machine, kept}, plan);
  plan_telecine(input, plan);
  plan_messages(input, reading.first, plan);
  const Encoder trial(plan.encoder);
  plan.reorder_depth = trial.reorder_depth();
  plan.encoded = trial.parameters();

  plan.streams = plan_streams(input, plan.container, *plan.encoded, config.streams);
  for (PlannedStream& planned : plan.streams.streams) {
    if (planned.action != StreamAction::kEnhance) continue;
    planned.light = plan.encoder.light;
    planned.stereo = plan.stereo;
    planned.upright = !plan.decoder.orientation.upright();
    KeptDescription kept = find_kept(input, planned, plan.container);
    plan.part.tags = kept.tags;
    plan.streams.warnings.insert(plan.streams.warnings.end(), kept.warnings.begin(),
                                 kept.warnings.end());
  }
  if (const std::int64_t merged = index.merged_by({1, 1000}, stream.time_base);
      plan.container == Container::kMkv && index.unique_times && merged > 0)
    plan.warnings.push_back("mkv keeps times in whole milliseconds: " + std::to_string(merged) +
                            " of the " + std::to_string(plan.frames) +
                            " pictures get the time of the picture before; choose mp4 or mov to "
                            "keep their times");
  plan.warnings.insert(plan.warnings.end(), plan.streams.warnings.begin(),
                       plan.streams.warnings.end());
  for (const PlannedStream& planned : plan.streams.streams)
    if (planned.action != StreamAction::kEnhance)
      plan.copied_streams.push_back(stream_name(input.stream(planned.input)));
  if (plan.container != Container::kMkv) check_gaps(index, stream.time_base, config.input);
  plan.part.container = plan.container;
  plan.part.video_time_base = {1, stream.time_base.den};
  plan.part.video_rate = plan.frame_rate;
  plan.part.nominal_rate = index.nominal_rate(stream);
  plan.part.clock = make_clock(input, index, plan.container, plan.reorder_depth, plan.frame_rate);

  plan.segment_ends =
      cut_segments(index, stream.time_base, config.segment_seconds, plan.segment_frames);
  plan.budget = plan_budget(budget_basis(plan, input), index, plan.segment_ends);
  plan.expected_bytes = estimate_output({config.video_codec, config.crf, config.encoder_preset,
                                         plan.source_format.width, plan.source_format.height,
                                         plan.output_format, plan.frames, index.total_bytes,
                                         static_cast<std::int64_t>(avio_size(input.format().pb))});
  if (plan.budget.limited())
    plan.expected_bytes = std::min(plan.expected_bytes, plan.budget.output_bytes);
  if (std::string cost = plan.budget.cost(config.disk_ratio, config.video_codec, config.crf);
      !cost.empty())
    plan.warnings.push_back(std::move(cost));
  plan.identity = identify(plan, input, enhancer);
  plan.watch->check();
  return plan;
}

}  // namespace streamvsr
