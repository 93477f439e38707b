#include "pipeline/checkpoint.h"

#include <algorithm>
#include <concepts>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "media/hash.h"
#include "pipeline/checkpoint_checks.h"

namespace streamvsr {

namespace {

using nlohmann::json;

constexpr const char* kStages[] = {"running", "finishing", "committed"};

json body(const Checkpoint& c) {
  return {
      {"stage", kStages[static_cast<int>(c.stage)]},
      {"input", {{"path", c.input}, {"identity", c.identity.input}}},
      {"job",
       {{"identity", c.identity.job}, {"plan", c.plan_hash}, {"options", json::parse(c.options)}}},
      {"memory",
       {{"encoder_threads", c.memory.encoder_threads},
        {"lookahead", c.memory.lookahead},
        {"rehearsal", c.memory.rehearsal},
        {"draft", c.memory.draft}}},
      {"environment", c.identity.environment},
      {"mixed", c.mixed},
      {"frames_total", c.frames_total},
      {"segments_total", c.segments_total},
      {"segments_done", c.segments_done},
      {"part",
       {{"bytes", c.part.bytes},
        {"fragments", c.part.fragments},
        {"last_durations", c.part.last_durations},
        {"ends", c.part.ends},
        {"tail", c.part_tail}}},
      {"video",
       {{"packets", c.video.packets},
        {"first_pts", c.video.first_pts ? json(*c.video.first_pts) : json()},
        {"recent_pts", c.video.recent_pts},
        {"last_dts", c.video.last_dts}}},
      {"source",
       {{"next_frame", c.source.delivered},
        {"last_pts", c.source.last_pts},
        {"pts_offset", c.source.pts_offset},
        {"window", c.source.window},
        {"window_pts", c.source.window_pts},
        {"fingerprint", c.source.fingerprint},
        {"damaged", c.source.damaged},
        {"resized", c.source.resized}}},
      {"final_bytes", c.final_bytes}};
}

[[noreturn]] void refuse_entry(const char* const key) {
  throw json::other_error::create(501, key, nullptr);
}

// The library would turn a fraction, a truth value or a number beyond 63 bits into some integer.
std::int64_t integer(const json& value, const char* const key) {
  if (!value.is_number_integer()) refuse_entry(key);
  if (value.is_number_unsigned() &&
      value.get<std::uint64_t>() >
          static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    refuse_entry(key);
  return value.get<std::int64_t>();
}

// Integers; of a type that need not hold every one.
template <std::integral T>
  requires(!std::same_as<T, bool>)
void take(const json& from, const char* const key, T& to) {
  const std::int64_t value = integer(from.at(key), key);
  if (!std::in_range<T>(value)) refuse_entry(key);
  to = static_cast<T>(value);
}

void take(const json& from, const char* const key, std::vector<std::int64_t>& to) {
  const json& list = from.at(key);
  if (!list.is_array()) refuse_entry(key);
  to.clear();
  for (const json& value : list) to.push_back(integer(value, key));
}

template <class T>
void take(const json& from, const char* const key, T& to) {
  to = from.at(key).get<T>();
}

void fill(const json& all, Checkpoint& c) {
  const auto name = all.at("stage").get<std::string>();
  const auto* const stage = std::find(std::begin(kStages), std::end(kStages), name);
  if (stage == std::end(kStages)) refuse_entry("stage");
  c.stage = static_cast<Checkpoint::Stage>(stage - std::begin(kStages));
  take(all.at("input"), "path", c.input);
  take(all.at("input"), "identity", c.identity.input);
  take(all.at("job"), "identity", c.identity.job);
  take(all.at("job"), "plan", c.plan_hash);
  const json& options = all.at("job").at("options");
  if (!options.is_object()) refuse_entry("options");
  c.options = options.dump();
  const auto& memory = all.at("memory");
  take(memory, "encoder_threads", c.memory.encoder_threads);
  take(memory, "lookahead", c.memory.lookahead);
  take(memory, "rehearsal", c.memory.rehearsal);
  take(memory, "draft", c.memory.draft);
  if (!c.memory.valid()) refuse_entry("memory");
  take(all, "environment", c.identity.environment);
  take(all, "mixed", c.mixed);
  take(all, "frames_total", c.frames_total);
  take(all, "segments_total", c.segments_total);
  take(all, "segments_done", c.segments_done);
  const auto& part = all.at("part");
  take(part, "bytes", c.part.bytes);
  take(part, "fragments", c.part.fragments);
  take(part, "last_durations", c.part.last_durations);
  take(part, "ends", c.part.ends);
  take(part, "tail", c.part_tail);
  const auto& video = all.at("video");
  take(video, "packets", c.video.packets);
  if (!video.at("first_pts").is_null())
    c.video.first_pts = integer(video.at("first_pts"), "first_pts");
  take(video, "recent_pts", c.video.recent_pts);
  take(video, "last_dts", c.video.last_dts);
  const auto& source = all.at("source");
  take(source, "next_frame", c.source.delivered);
  take(source, "last_pts", c.source.last_pts);
  take(source, "pts_offset", c.source.pts_offset);
  take(source, "window", c.source.window);
  take(source, "window_pts", c.source.window_pts);
  take(source, "fingerprint", c.source.fingerprint);
  take(source, "damaged", c.source.damaged);
  take(source, "resized", c.source.resized);
  take(all, "final_bytes", c.final_bytes);
}

}  // namespace

std::string to_json(const Checkpoint& checkpoint) {
  // Names of files need not be UTF-8.
  return seal(Checkpoint::kKind,
              body(checkpoint).dump(-1, ' ', false, json::error_handler_t::replace));
}

Checkpoint checkpoint_from_json(const std::string& text, const std::string& path) {
  const json all = json::parse(unseal(Checkpoint::kKind, text, path));
  Checkpoint c;
  try {
    fill(all, c);
  } catch (const json::exception& error) {
    throw Error(ErrorKind::kResume,
                "the checkpoint '" + path + "' lacks an entry, or one is wrong: " + error.what(),
                path);
  }
  if (const std::string flaw = flaw_of(c); !flaw.empty())
    throw Error(ErrorKind::kResume, "the checkpoint '" + path + "' contradicts itself: " + flaw,
                path);
  return c;
}

void save_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
  replace_sealed(path, to_json(checkpoint), "the job's parameters",
                 "shorten the encoder's options");
}

std::string part_tail(const File& part, const std::int64_t bytes) {
  std::vector<std::uint8_t> tail(
      static_cast<std::size_t>(std::min(std::max<std::int64_t>(bytes, 0), Checkpoint::kTail)));
  const std::size_t got = part.read_at(tail, bytes - static_cast<std::int64_t>(tail.size()));
  Sha256 hash;
  hash.add(std::span(tail).first(got));
  return hash.finish();
}

}  // namespace streamvsr
