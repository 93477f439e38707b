#include "pipeline/identity.h"

#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "media/hash.h"
#include "pipeline/identity_table.h"
#include "pipeline/plan.h"

namespace streamvsr {

namespace {

std::string streams_of(const Input& input) {
  std::string text;
  for (int i = 0; i < input.stream_count(); ++i)
    text.append(i > 0 ? ", " : "").append(avcodec_get_name(input.stream(i).codecpar->codec_id));
  constexpr std::size_t kMost = 400;  // characters
  return text.size() <= kMost ? text : text.substr(0, kMost) + "... " + sha256(text);
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
  Identity identity;
  identity.input = {{"size", std::to_string(avio_size(input.format().pb)) + " bytes"},
                    {"content", sampled_sha256(plan.config.input)},
                    {"streams", streams_of(input)}};
  const IdentitySources sources{plan, enhancer};
  for (const IdentityOption& option : identity_options()) {
    if (option.part == nullptr) continue;
    Identity::Entries& entries = identity.*option.part;
    if (entries.contains(option.entry)) continue;
    if (std::string value = option.value(sources); !value.empty())
      entries[option.entry] = std::move(value);
  }
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
  nlohmann::json last_picture;
  if (const auto& last = plan.decoder.last) last_picture = {last->time, last->duration};
  const nlohmann::json everything = {{"time_base", ratio(e.time_base)},
                                     {"frame_rate", ratio(e.frame_rate)},
                                     {"source_format", static_cast<int>(plan.decoder.format)},
                                     {"bits_per_pixel", plan.decoder.bits_per_pixel},
                                     {"nominal_rate", ratio(plan.part.nominal_rate)},
                                     {"last_picture", last_picture},
                                     {"field_packets", plan.decoder.field_packets},
                                     {"origin", plan.part.clock.origin_us},
                                     {"shift", plan.part.clock.shift_us},
                                     {"tags", static_cast<int>(plan.part.tags)},
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
