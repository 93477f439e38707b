#include "pipeline/checkpoint.h"

#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "media/hash.h"

namespace streamvsr {

namespace {

constexpr const char* kMagic = "streamvsr checkpoint";

nlohmann::json body(const Checkpoint& c) {
  return {{"magic", kMagic},
          {"version", Checkpoint::kVersion},
          {"plan", c.plan_hash},
          {"next_frame", c.next_frame},
          {"segments_done", c.segments_done},
          {"part_bytes", c.part_bytes},
          {"recent_pts", c.recent_pts}};
}

}  // namespace

std::string plan_hash(const JobPlan& plan) {
  struct stat status{};
  ::stat(plan.config.input.c_str(), &status);
  const EncoderSettings& e = plan.encoder;
  const auto ratio = [](AVRational r) { return nlohmann::json::array({r.num, r.den}); };
  const nlohmann::json everything = {
      {"input_bytes", static_cast<std::int64_t>(status.st_size)},
      {"container", container_name(plan.container)},
      {"codec", e.codec},
      {"crf", e.crf},
      {"preset", e.preset},
      {"options", e.options},
      {"threads", e.threads},
      {"format", static_cast<int>(e.format)},
      {"size", {e.width, e.height}},
      {"time_base", ratio(e.time_base)},
      {"frame_rate", ratio(e.frame_rate)},
      {"origin", plan.part.clock.origin_us},
      {"shift", plan.part.clock.shift_us},
      {"fragment_frames", plan.fragment_frames},
      {"segment_frames", plan.segment_frames},
      {"segment_ends", plan.segment_ends},
      {"reorder_depth", plan.reorder_depth},
      {"libraries", {avformat_version(), avcodec_version(), avutil_version()}}};
  return sha256(everything.dump());
}

std::string to_json(const Checkpoint& checkpoint) {
  nlohmann::json json = body(checkpoint);
  json["checksum"] = sha256(json.dump());
  return json.dump(1) + "\n";
}

Checkpoint checkpoint_from_json(const std::string& text, const std::string& path) {
  const auto refuse = [&](const std::string& why) {
    return Error(ErrorKind::kInput, "the checkpoint '" + path + "' " + why, path);
  };
  nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || json.value("magic", "") != kMagic)
    throw refuse("is no checkpoint of streamvsr, or is torn");
  if (json.value("version", 0) != Checkpoint::kVersion)
    throw refuse("has version " + std::to_string(json.value("version", 0)) +
                 "; this program knows " + std::to_string(Checkpoint::kVersion));
  const std::string checksum = json.value("checksum", "");
  json.erase("checksum");
  if (checksum != sha256(json.dump())) throw refuse("was altered: its checksum does not fit");
  Checkpoint c;
  try {
    c.plan_hash = json.at("plan").get<std::string>();
    c.next_frame = json.at("next_frame").get<std::int64_t>();
    c.segments_done = json.at("segments_done").get<std::int64_t>();
    c.part_bytes = json.at("part_bytes").get<std::int64_t>();
    c.recent_pts = json.at("recent_pts").get<std::vector<std::int64_t>>();
  } catch (const nlohmann::json::exception&) {
    throw refuse("lacks an entry");
  }
  return c;
}

void save_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
  replace_file(path, to_json(checkpoint));
}

}  // namespace streamvsr
