// Checkpoints and `.part`s that are whole by their checksums and wrong: the loader and whole jobs
// refuse them. STREAMVSR_CHECKPOINTS=1000 draws so many times as many (tests/faults/README.md).
#include <doctest/doctest.h>
#include <fcntl.h>

#include <cstdlib>
#include <functional>
#include <string>

#include "checkpoint_mutant.h"
#include "clip.h"
#include "pipeline/checkpoint_checks.h"
#include "pipeline/job.h"

using namespace streamvsr;
using namespace streamvsr::test;

namespace {

using nlohmann::json;

int times() {
  const char* const text = std::getenv("STREAMVSR_CHECKPOINTS");
  return text == nullptr ? 1 : std::max(1, std::atoi(text));
}

std::uint64_t seed() {
  const char* const text = std::getenv("STREAMVSR_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// Stops at a picture.
class Failing : public Enhancer {
 public:
  explicit Failing(const int fail_at) : fail_at_(fail_at) {}
  int scale() const override { return nearest_->scale(); }
  std::size_t workspace_bytes(const PlaneFormat&) const override { return 0; }
  std::string describe() const override { return "failing"; }
  std::vector<Planes> run(std::span<const EnhanceInput> batch, const StopFlag& stop) override {
    if (seen_++ == fail_at_) throw Error(ErrorKind::kMemory, "enough");
    return nearest_->run(batch, stop);
  }

 private:
  std::unique_ptr<Enhancer> nearest_ = make_nearest_enhancer(1);
  int fail_at_;
  int seen_ = 0;
};

JobConfig config_for(const std::string& input, const std::string& output) {
  JobConfig config;
  config.input = input;
  config.output = output;
  config.encoder_preset = "veryfast";  // with B frames
  config.encoder_threads = 1;
  config.decoder_threads = 1;
  config.segment_seconds = 0.4;
  config.network = "nearest";
  config.overwrite = true;
  return config;
}

// A job that stopped behind its second segment, and what it left.
struct Interrupted {
  TemporaryFolder folder;
  JobConfig config;
  std::string part, checkpoint;

  explicit Interrupted(const std::string& suffix) {
    ClipOptions clip;
    clip.frames = 40;
    clip.more_inputs = "-f lavfi -i sine=d=1.7";
    clip.encode = "-c:v libx264 -preset fast -bf 2 -g 12 -qp 20 -c:a aac";
    make_clip(folder / "in.mp4", clip);
    config = config_for(folder / "in.mp4", folder / ("out." + suffix));
    CHECK_THROWS_AS(run(32), Error);
    part = bytes_of(part_path(config.output));
    checkpoint = bytes_of(checkpoint_path(config.output));
    REQUIRE(checkpoint_from_json(checkpoint, "p").segments_done >= 1);
  }

  Report run(const int fail_at = -1) const {
    Job job(config, std::make_unique<Failing>(fail_at));
    return job.run({}, std::chrono::milliseconds(10));
  }
  void put(const std::string& changed_part, const std::string& changed_checkpoint) const {
    std::filesystem::remove(config.output);
    write_bytes(part_path(config.output), changed_part);
    write_bytes(checkpoint_path(config.output), changed_checkpoint);
  }
  // The kind of a run's error; nothing where it made an output.
  std::optional<ErrorKind> outcome() const {
    try {
      run();
      return std::nullopt;
    } catch (const Error& error) {
      INFO(error.what());
      CHECK(error.kind() != ErrorKind::kInternal);
      return error.kind();
    }
  }
};

std::string changed(const std::string& text, const std::function<void(json&)>& change) {
  json all = json::parse(unseal(Checkpoint::kKind, text, "p"));
  change(all);
  return seal(Checkpoint::kKind, all.dump());
}

// The checkpoint with the tail of another `.part`.
std::string with_tail_of(const std::string& checkpoint, const std::string& part) {
  const TemporaryFolder folder;
  const File file(folder.write("part", part), O_RDONLY);
  return changed(checkpoint, [&](json& all) {
    const json::json_pointer place("/part/bytes");
    if (!all.contains(place) || !all[place].is_number_integer()) return;
    const json& bytes = all[place];
    const auto length = bytes.get<std::int64_t>();
    if (length < 0 || length > static_cast<std::int64_t>(part.size())) return;
    all["part"]["tail"] = part_tail(file, length);
  });
}

}  // namespace

TEST_CASE("a checkpoint with a right checksum and one wrong value is refused") {
  const Interrupted job("mp4");
  REQUIRE_NOTHROW(job.outcome());
  const std::vector<std::pair<std::string, json>> cases = {
      {"/part/ends", json::array()},
      {"/part/ends", {0}},
      {"/part/last_durations", json::array()},
      {"/part/last_durations", {1, 2, 3, 4}},
      {"/part/last_durations", {-1, 512}},
      {"/part/ends", {1.5, 2.5}},
      {"/part/fragments", 0},
      {"/part/fragments", std::int64_t{1} << 40},
      {"/part/bytes", -1},
      {"/part/bytes", true},
      {"/part/tail", "x"},
      {"/video/recent_pts", json::array()},
      {"/video/recent_pts", json::array({0, 0, 0})},
      {"/video/recent_pts", json::array({3, 2})},
      {"/video/packets", 0},
      {"/video/packets", -5},
      {"/video/packets", 1e300},
      {"/video/first_pts", nullptr},
      {"/video/first_pts", std::numeric_limits<std::int64_t>::min()},
      {"/memory/lookahead", 1.5},
      {"/memory/lookahead", std::int64_t{1} << 40},
      {"/video/last_dts", std::numeric_limits<std::int64_t>::min()},
      {"/video/last_dts", 77},
      {"/source/next_frame", 3},
      {"/source/next_frame", -1},
      {"/source/next_frame", std::numeric_limits<std::uint64_t>::max()},
      {"/source/window", -1},
      {"/source/window", 17},
      {"/source/window_pts", std::numeric_limits<std::int64_t>::max()},
      {"/source/last_pts", 1},
      {"/source/last_pts", nullptr},
      {"/source/pts_offset", std::int64_t{1} << 62},
      {"/source/fingerprint", ""},
      {"/source/damaged", -1},
      {"/source/resized", 1000},
      {"/segments_done", 0},
      {"/segments_done", 1'000'000},
      {"/final_bytes", 10},
      {"/frames_total", -1},
      {"/job/options", json::array()},
      {"/job/plan", ""},
      {"/job/identity/encoder_threads", "99999999999999999999"},
      {"/job/identity/encoder_threads", "-1"},
      {"/input/identity", json::object()},
      {"/stage", "committed"},
  };
  for (const auto& one : cases) {
    const std::string& place = one.first;
    const json& value = one.second;
    CAPTURE(place);
    CAPTURE(value.dump());
    job.put(job.part,
            changed(job.checkpoint, [&](json& all) { all[json::json_pointer(place)] = value; }));
    CHECK(job.outcome() == ErrorKind::kResume);
    CHECK((bytes_of(part_path(job.config.output)) == job.part));  // nothing was lost
  }
}

TEST_CASE("vectors that agree with each other and not with the job are refused") {
  for (const std::string suffix : {"mp4", "mkv"}) {
    const Interrupted job(suffix);
    for (const std::size_t streams : {0, 1, 3, 64})
      for (const std::string stage : {"running", "finishing"}) {
        CAPTURE(suffix);
        CAPTURE(streams);
        CAPTURE(stage);
        job.put(job.part, changed(job.checkpoint, [&](json& all) {
                  all["stage"] = stage;
                  all["part"]["ends"] = std::vector<std::int64_t>(streams);
                  all["part"]["last_durations"] = std::vector<std::int64_t>(streams);
                }));
        CHECK(job.outcome() == ErrorKind::kResume);
      }
  }
}

TEST_CASE("JSON nested without end is refused, not followed until the stack ends") {
  for (const std::string open : {"[", "{\"a\":"}) {
    std::string text = R"({"magic":"streamvsr checkpoint","version":2,"a":)";
    while (text.size() + open.size() < kMostSealedBytes) text += open;
    CHECK_THROWS_AS(checkpoint_from_json(text, "p"), Error);
    const std::size_t depth = open == "[" ? kMostSealedBytes / 2 - 100 : 0;
    CHECK_THROWS_AS(
        checkpoint_from_json(R"({"magic":"streamvsr checkpoint","version":2,"a":)" +
                                 std::string(depth, '[') + std::string(depth, ']') + "}",
                             "p"),
        Error);
  }
}

TEST_CASE("of any mutant of a checkpoint the loader refuses it or reads all of it") {
  const Interrupted job("mp4");
  CheckpointMutator mutator(seed());
  int read = 0;
  for (int i = 0; i < 1500 * times(); ++i) {
    CAPTURE(i);
    const std::string text = mutator.mutant(job.checkpoint);
    try {
      const Checkpoint found = checkpoint_from_json(text, "p");
      CHECK(flaw_of(found).empty());
      CHECK(checkpoint_from_json(to_json(found), "p") == found);
      ++read;
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kResume);
    }
  }
  CHECK(read > 0);
}

TEST_CASE("a job refuses any mutant of its checkpoint and its `.part`, or makes an output") {
  for (const std::string suffix : {"mp4", "mkv"}) {
    const Interrupted job(suffix);
    CheckpointMutator mutator(seed() + 1);
    int refused = 0;
    const int count = 15 * times();
    for (int i = 0; i < count; ++i) {
      CAPTURE(suffix);
      CAPTURE(i);
      std::string part = job.part;
      // Wrong bytes, most of them where the tracks are described.
      if (i % 3 == 0)
        for (std::uint64_t flips = 1 + mutator.below(8); flips > 0; --flips)
          part[mutator.below(mutator.below(2) == 0 ? part.size()
                                                   : std::min<std::size_t>(part.size(), 1500))] ^=
              static_cast<char>(1 + mutator.below(255));
      std::string checkpoint = job.checkpoint;
      if (i % 3 != 0 || mutator.below(2) == 0) checkpoint = mutator.mutant(checkpoint);
      if (i % 2 == 0) checkpoint = with_tail_of(checkpoint, part);
      job.put(part, checkpoint);
      if (job.outcome()) ++refused;
    }
    CHECK(refused > count / 4);
  }
}
