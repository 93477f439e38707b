#include "pipeline/identity.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "media/hash.h"
#include "pipeline/plan.h"
#include "pipeline/rate_control.h"

namespace streamvsr {

namespace {

std::string number(const double value) {
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  if (!text.empty() && text.back() == '.') text.pop_back();
  return text;
}

std::string streams_of(const Input& input) {
  std::string text;
  for (int i = 0; i < input.stream_count(); ++i)
    text.append(i > 0 ? ", " : "").append(avcodec_get_name(input.stream(i).codecpar->codec_id));
  constexpr std::size_t kMost = 400;  // characters
  return text.size() <= kMost ? text : text.substr(0, kMost) + "... " + sha256(text);
}

std::string options_of(const std::map<std::string, std::string>& options) {
  std::string text;
  for (const auto& [key, value] : options)
    text.append(text.empty() ? "" : ", ").append(key).append("=").append(value);
  return text.empty() ? "none" : text;
}

// Variables that keep oneDNN and torch from instructions the processor has.
std::string isa_limits() {
  std::string text;
  for (const char* const name : {"ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY"})
    if (const char* const value = std::getenv(name); value != nullptr)
      text.append(text.empty() ? "" : ", ").append(name).append("=").append(value);
  return text.empty() ? "none" : text;
}

// What the output's header says of a copied stream whose parameters were learnt from its packets.
std::string fingerprint(const SharedParameters& parameters) {
  if (!parameters) return "";
  const std::string header(reinterpret_cast<const char*>(parameters->extradata),
                           static_cast<std::size_t>(std::max(0, parameters->extradata_size)));
  return std::string(avcodec_get_name(parameters->codec_id)) + " " +
         std::to_string(parameters->sample_rate) + " " +
         std::to_string(channel_count(*parameters)) + " " + std::to_string(parameters->width) +
         "x" + std::to_string(parameters->height) + " " + sha256(header);
}

}  // namespace

Identity identify(const JobPlan& plan, const Input& input, const Enhancer& enhancer) {
  const JobConfig& config = plan.config;
  const std::string type = enhancer.numeric_type();
  const EncoderSettings& e = plan.encoder;
  Identity identity;
  identity.input = {{"size", std::to_string(avio_size(input.format().pb)) + " bytes"},
                    {"content", sampled_sha256(config.input)},
                    {"streams", streams_of(input)}};
  identity.job = {
      {"container", container_name(plan.container)},
      {"codec", e.codec},
      {"crf", e.crf < 0.0 ? "the codec's default" : number(e.crf)},
      {"encoder_preset", e.preset.empty() ? "the codec's default" : e.preset},
      {"encoder_options", options_of(e.options)},
      {"encoder_threads", std::to_string(e.threads)},
      {"pixel_format", av_get_pix_fmt_name(e.format)},
      {"color_matrix", config.color_matrix},
      {"interlaced", config.interlaced},
      {"rotation", config.apply_rotation ? "apply" : "keep"},
      {"output size", std::to_string(e.width) + "x" + std::to_string(e.height)},
      {"disk_ratio", config.disk_ratio > 0.0 ? number(config.disk_ratio) : "none"},
      {"segment_seconds", number(config.segment_seconds)},
      {"model", config.network_file.empty() ? config.network : sha256_of_file(config.network_file)},
      {"precision", type.empty() ? config.precision : type},
      {"passes", std::to_string(config.passes)}};
  if (!config.steadying.empty()) identity.job["mask and temporal window"] = config.steadying;
  if (plan.budget.limited())
    identity.job["pictures rehearsed"] =
        std::to_string(std::min(RateControl::most_rehearsed(*rate_curve(e.codec)),
                                plan.memory.rehearsal / planes_bytes(plan.output_format)));
  if (plan.draft)
    identity.job["draft"] = std::to_string(plan.memory.draft) + " bytes, " +
                            std::to_string(plan.draft->threads) + " threads";
  if (e.lookahead > 0) identity.job["encoder's look-ahead"] = std::to_string(e.lookahead);
  std::string parameter_sets(reinterpret_cast<const char*>(plan.encoded->extradata),
                             static_cast<std::size_t>(std::max(0, plan.encoded->extradata_size)));
  identity.environment = {{"streamvsr", STREAMVSR_VERSION},
                          {"FFmpeg", ffmpeg_version()},
                          {"processor", processor_features()},
                          {"limits of the processor's use", isa_limits()},
                          {"enhancer", enhancer.describe()},
                          {"encoder's headers", sha256(parameter_sets).substr(0, 16)}};
  return identity;
}

std::vector<std::string> differences(const Identity::Entries& then, const Identity::Entries& now) {
  std::vector<std::string> all;
  const auto value = [](const Identity::Entries& entries, const std::string& key) {
    const auto it = entries.find(key);
    return it == entries.end() ? std::string("unknown") : "'" + it->second + "'";
  };
  Identity::Entries keys = then;
  keys.insert(now.begin(), now.end());
  for (const auto& [key, unused] : keys) {
    const std::string before = value(then, key);
    const std::string after = value(now, key);
    if (before != after) all.push_back(key + " was " + before + " and is " + after);
  }
  return all;
}

std::string plan_hash(const JobPlan& plan) {
  const EncoderSettings& e = plan.encoder;
  const auto ratio = [](AVRational r) { return nlohmann::json::array({r.num, r.den}); };
  nlohmann::json streams = nlohmann::json::array();
  for (const PlannedStream& s : plan.streams.streams)
    streams.push_back({s.input, s.output, static_cast<int>(s.action), fingerprint(s.parameters)});
  const nlohmann::json everything = {{"time_base", ratio(e.time_base)},
                                     {"frame_rate", ratio(e.frame_rate)},
                                     {"source_format", static_cast<int>(plan.decoder.format)},
                                     {"bits_per_pixel", plan.decoder.bits_per_pixel},
                                     {"origin", plan.part.clock.origin_us},
                                     {"shift", plan.part.clock.shift_us},
                                     {"fragment_frames", plan.fragment_frames},
                                     {"segment_frames", plan.segment_frames},
                                     {"segment_ends", plan.segment_ends},
                                     {"disk_shares", plan.budget.shares},
                                     {"reorder_depth", plan.reorder_depth},
                                     {"streams", streams}};
  return sha256(everything.dump());
}

SourceWatch::SourceWatch(std::string path)
    : path_(std::move(path)), seen_(look()), content_(sampled_sha256(path_)) {}

SourceWatch::Seen SourceWatch::look() const {
  struct stat status{};
  check_errno(::stat(path_.c_str(), &status), "look at", path_);
  return {static_cast<std::int64_t>(status.st_dev), static_cast<std::int64_t>(status.st_ino),
          status.st_size,
          std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

void SourceWatch::check() {
  const Seen now = look();
  if (now == seen_) return;
  // A new date alone (touch, a restored copy) changes nothing.
  if (now.size != seen_.size || sampled_sha256(path_) != content_)
    throw Error(ErrorKind::kInput,
                "the input '" + path_ + "' was changed while it was read (" +
                    std::to_string(seen_.size) + " bytes then, " + std::to_string(now.size) +
                    " now)",
                path_);
  seen_ = now;
}

}  // namespace streamvsr
