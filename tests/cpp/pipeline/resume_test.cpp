#include <doctest/doctest.h>

#include <atomic>
#include <deque>
#include <fstream>
#include <sstream>
#include <thread>

#include "clip.h"
#include "pipeline/job.h"

using namespace streamvsr;
using namespace streamvsr::test;

namespace {

JobConfig config_for(const std::string& input, const std::string& output) {
  JobConfig config;
  config.input = input;
  config.output = output;
  config.encoder_preset = "veryfast";  // with B frames
  config.encoder_threads = 2;
  config.segment_seconds = 0.4;
  config.network = "nearest";
  return config;
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Fails at a picture. Each picture's result is the mean of it and the `look_back` before it, which
// it keeps itself.
class Dying : public Enhancer {
 public:
  explicit Dying(int fail_at = -1, int look_back = 0) : fail_at_(fail_at), look_back_(look_back) {}
  int scale() const override { return nearest_->scale(); }
  int look_back() const override { return look_back_; }
  std::size_t workspace_bytes(const PlaneFormat&) const override { return 0; }
  std::string describe() const override { return "dying"; }
  std::vector<Planes> run(std::span<const EnhanceInput> batch, const StopFlag& stop) override {
    if (seen_++ == fail_at_) throw Error(ErrorKind::kMemory, "the picture is too much");
    std::vector<Planes> results = nearest_->run(batch, stop);
    for (Planes& result : results) {
      earlier_.push_back(result.clone());
      if (earlier_.size() > static_cast<std::size_t>(look_back_) + 1) earlier_.pop_front();
      const PlaneFormat& format = result.format();
      for (int y = 0; y < format.height; ++y)
        for (int x = 0; x < format.width; ++x) {
          int sum = 0;
          for (const Planes& one : earlier_) sum += one.row<std::uint8_t>(0, y)[x];
          result.row<std::uint8_t>(0, y)[x] =
              static_cast<std::uint8_t>(sum / static_cast<int>(earlier_.size()));
        }
    }
    return results;
  }

 private:
  std::unique_ptr<Enhancer> nearest_ = make_nearest_enhancer(2);
  std::deque<Planes> earlier_;
  int fail_at_;
  int look_back_;
  int seen_ = 0;
};

Report run(const JobConfig& config, const int fail_at = -1, const int look_back = 0) {
  Job job(config, std::make_unique<Dying>(fail_at, look_back));
  return job.run({}, std::chrono::milliseconds(10));
}

bool fails(const JobConfig& config, const int at, const int look_back = 0) {
  try {
    run(config, at, look_back);
    return false;
  } catch (const Error& error) {
    return error.kind() == ErrorKind::kMemory;
  }
}

std::string refusal(const JobConfig& config) {
  try {
    run(config);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kResume) return error.what();
    return std::string("another error: ") + error.what();
  }
  return "no error";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void make_film(const std::string& path, const int frames = 64) {
  ClipOptions clip;
  clip.frames = frames;
  clip.more_inputs = "-f lavfi -i sine=d=2.7";
  clip.encode = "-c:v libx264 -preset fast -bf 3 -g 12 -qp 10 -c:a aac";
  make_clip(path, clip);
}

}  // namespace

TEST_CASE("a job that died anywhere goes on to the same bytes, in every container and codec") {
  const TemporaryFolder folder;
  make_film(folder / "in.mp4");
  for (const std::string suffix : {"mp4", "mov", "mkv"})
    for (const std::string codec : {"h264", "hevc", "ffv1"}) {
      if (codec == "ffv1" && suffix != "mkv") continue;
      CAPTURE(suffix);
      CAPTURE(codec);
      JobConfig config = config_for(folder / "in.mp4", folder / ("whole." + suffix));
      config.video_codec = codec;
      if (codec == "ffv1") {
        config.encoder_preset.clear();
        config.disk_ratio = 0.0;
      }
      run(config);
      const std::string whole = bytes_of(config.output);
      config.output = folder / ("out." + suffix);
      for (const int at : {11, 25, 40, 63}) {
        CAPTURE(at);
        CHECK(fails(config, at));
        const Report report = run(config);
        CHECK(report.frames == 64);
        // Between the stages fewer pictures wait than a segment has.
        CHECK(report.resumed_frames >= (at - 15) / 10 * 10);
        CHECK(report.resumed_frames <= at);
        CHECK((bytes_of(config.output) == whole));
        std::filesystem::remove(config.output);
      }
      // Again and again: ten frames of the segment in work are lost each time.
      int runs = 0;
      while (fails(config, 15)) ++runs;
      CHECK(runs >= 3);
      CHECK((bytes_of(config.output) == whole));
      std::filesystem::remove(config.output);
      std::filesystem::remove(folder / ("whole." + suffix));
    }
  CHECK(folder.files() == 1);
}

TEST_CASE("a torn tail is cut off; a part that lost durable bytes is refused") {
  const TemporaryFolder folder;
  make_film(folder / "in.mp4");
  JobConfig config = config_for(folder / "in.mp4", folder / "whole.mkv");
  run(config);
  const std::string whole = bytes_of(config.output);
  config.output = folder / "out.mkv";
  CHECK(fails(config, 30));
  const std::string part = part_path(config.output);
  const std::string durable = bytes_of(part);
  std::ofstream(part, std::ios::app | std::ios::binary) << std::string(12'345, 'x');
  run(config);
  CHECK((bytes_of(config.output) == whole));
  std::filesystem::remove(config.output);

  CHECK(fails(config, 30));
  std::filesystem::resize_file(part, durable.size() - 1);
  CHECK(has(refusal(config), std::to_string(durable.size() - 1) + " bytes"));
  std::string other = durable;
  other[other.size() - 100] ^= 1;
  std::ofstream(part, std::ios::binary) << other;
  CHECK(has(refusal(config), "not the file"));
  std::filesystem::remove(part);
  CHECK(has(refusal(config), "is gone"));
  config.resume = ResumeMode::kNever;
  run(config);
  CHECK((bytes_of(config.output) == whole));
}

TEST_CASE("an enhancer that looks back sees the same pictures again") {
  const TemporaryFolder folder;
  make_film(folder / "in.mp4");
  for (const int look_back : {1, 3, 16}) {
    CAPTURE(look_back);
    JobConfig config = config_for(folder / "in.mp4", folder / "whole.mp4");
    config.overwrite = true;
    run(config, -1, look_back);
    const std::string whole = bytes_of(config.output);
    config.output = folder / "out.mp4";
    for (const int at : {27, 43}) {
      CHECK(fails(config, at, look_back));
      CHECK(run(config, -1, look_back).resumed_frames > 0);
      CHECK((bytes_of(config.output) == whole));
    }
  }
}

TEST_CASE("another job is refused, and says what differs") {
  const TemporaryFolder folder;
  make_film(folder / "in.mp4");
  JobConfig config = config_for(folder / "in.mp4", folder / "out.mp4");
  config.resume = ResumeMode::kDemand;
  CHECK(has(refusal(config), "nothing to go on"));
  config.resume = ResumeMode::kAuto;
  CHECK(fails(config, 30));
  const auto other = [&](auto change) {
    JobConfig changed = config;
    change(changed);
    return refusal(changed);
  };
  CHECK(has(other([](JobConfig& c) { c.crf = 30; }), "crf was 'the codec's default' and is '30'"));
  CHECK(has(other([](JobConfig& c) { c.encoder_threads = 1; }),
            "encoder_threads was '2' and is '1'"));
  CHECK(has(other([](JobConfig& c) { c.segment_seconds = 1; }), "segment_seconds was '0.4'"));
  CHECK(has(other([](JobConfig& c) { c.encoder_options = {{"tune", "film"}}; }), "tune=film"));
  CHECK(has(other([](JobConfig& c) { c.precision = "bf16"; }), "precision was 'auto'"));
  CHECK(has(other([](JobConfig& c) { c.network = "another"; }), "model was 'nearest'"));
  make_film(folder / "other.mp4", 63);
  CHECK(has(other([&](JobConfig& c) { c.input = folder / "other.mp4"; }), "another input"));
  // Threads that are not asked for are those the job began with.
  config.encoder_threads = 0;
  config.resume = ResumeMode::kDemand;
  CHECK(run(config).resumed_frames > 0);
  CHECK(folder.files() == 3);
}

TEST_CASE("another library goes on only when told to, and the file says so") {
  const TemporaryFolder folder;
  make_film(folder / "in.mp4");
  JobConfig config = config_for(folder / "in.mp4", folder / "out.mp4");
  CHECK(fails(config, 30));
  const std::string path = checkpoint_path(config.output);
  Checkpoint c = checkpoint_from_json(bytes_of(path), path);
  c.identity.environment["FFmpeg"] = "4.0";
  save_checkpoint(path, c);
  CHECK(has(refusal(config), "FFmpeg was '4.0'"));
  CHECK(has(refusal(config), "--resume frames"));
  config.resume = ResumeMode::kFrames;
  const Report report = run(config);
  CHECK(report.frames == 64);
  CHECK(report.resumed_frames > 0);
  CHECK(has(report.warnings.back(), "its bytes are not"));
}

TEST_CASE("a source that changes while it is read is an error, and the work before is kept") {
  const TemporaryFolder folder;
  make_film(folder / "in.mp4");
  std::filesystem::copy_file(folder / "in.mp4", folder / "same.mp4");
  JobConfig config = config_for(folder / "in.mp4", folder / "out.mp4");
  int ticks = 0;
  Job job(config, std::make_unique<Dying>());
  CHECK_THROWS_AS(job.run(
                      [&](const Progress& p) {
                        if (p.segments_done >= 1 && ticks++ == 0)
                          std::ofstream(config.input, std::ios::app) << "more";
                      },
                      std::chrono::milliseconds(1)),
                  Error);
  std::filesystem::rename(folder / "same.mp4", config.input);
  CHECK(run(config).resumed_frames > 0);
}

TEST_CASE("remains are removed as a whole, a temporary file alone among them; others stay") {
  const TemporaryFolder folder;
  make_film(folder / "in.mp4");
  const JobConfig config = config_for(folder / "in.mp4", folder / "out.mp4");
  CHECK(remove_remains(config.output).empty());
  CHECK(fails(config, 30));
  const std::string temporary = checkpoint_path(config.output) + ".tmp";
  std::ofstream(temporary) << "{\n \"magic\": \"stre";
  CHECK(remove_remains(config.output).size() == 3);
  std::ofstream(temporary) << std::string(3000, '\0');
  CHECK(remove_remains(config.output).size() == 1);
  std::ofstream(temporary) << "mine";
  CHECK_THROWS_AS(remove_remains(config.output), Error);
  CHECK_THROWS_AS(run(config), Error);
  CHECK(bytes_of(temporary) == "mine");
  JobConfig onto = config;
  onto.input = temporary;
  std::filesystem::copy_file(config.input, temporary,
                             std::filesystem::copy_options::overwrite_existing);
  CHECK_THROWS_AS(run(onto), Error);
  CHECK((bytes_of(temporary) == bytes_of(config.input)));
  std::filesystem::remove(temporary);
  CHECK(folder.files() == 1);
  // A part that was deleted is not made anew.
  CHECK(fails(config, 30));
  std::filesystem::remove(part_path(config.output));
  CHECK(remove_remains(config.output) == std::vector{checkpoint_path(config.output)});
  // A checkpoint that was torn is known as ours, by what it begins with.
  CHECK(fails(config, 30));
  std::filesystem::resize_file(checkpoint_path(config.output), 40);
  CHECK(has(refusal(config), "torn"));
  CHECK(remove_remains(config.output).size() == 2);
  std::ofstream(part_path(config.output)) << "mine";
  CHECK_THROWS_AS(remove_remains(config.output), Error);
  CHECK(folder.files() == 2);
}

TEST_CASE("whoever looks at a job that begins, works and ends sees no strange file") {
  const TemporaryFolder folder;
  make_film(folder / "in.mp4", 12);
  JobConfig config = config_for(folder / "in.mp4", folder / "out.mp4");
  config.overwrite = true;
  std::atomic<bool> over{false};
  std::atomic<int> looks{0};
  std::thread looker([&] {
    while (!over) {
      find_remains(config.output);
      writer_of(config.output);
      ++looks;
    }
  });
  for (int i = 0; i < 20; ++i) run(config);
  over = true;
  looker.join();
  CHECK(looks > 0);
}

TEST_CASE("only a checkpoint that is gone on with decides the encoder's threads") {
  const TemporaryFolder folder;
  make_film(folder / "in.mp4");
  JobConfig config = config_for(folder / "in.mp4", folder / "out.mp4");
  run(config);
  Checkpoint c;
  {
    JobConfig other = config;
    other.output = folder / "other.mp4";
    CHECK(fails(other, 30));
    const std::string path = checkpoint_path(other.output);
    c = checkpoint_from_json(bytes_of(path), path);
    remove_remains(other.output);
  }
  c.segments_done = 0;
  c.source = {};
  c.video = {};
  c.part = {};
  c.identity.job["encoder_threads"] = "7";
  config.output = folder / "again.mp4";
  config.encoder_threads = 0;
  save_checkpoint(checkpoint_path(config.output), c);
  std::ofstream(part_path(config.output)) << "torn";
  const Job job(config, std::make_unique<Dying>());
  CHECK(job.plan().encoder.threads != 7);
}

TEST_CASE("finishing checks the plan, and leaves a whole file whatever the processor") {
  const TemporaryFolder folder;
  make_film(folder / "in.mp4");
  JobConfig config = config_for(folder / "in.mp4", folder / "whole.mkv");
  run(config);
  const std::string whole = bytes_of(config.output);
  config.output = folder / "out.mkv";
  // The name is taken when the file is finished: the finished part and its checkpoint stay.
  {
    Job job(config, std::make_unique<Dying>());
    std::ofstream(config.output) << "mine";
    CHECK_THROWS_AS(job.run({}, std::chrono::milliseconds(5)), Error);
    std::filesystem::remove(config.output);
  }
  // Planning and running look at the name; a file that comes later meets the rename.
  CHECK(!std::filesystem::exists(part_path(config.output)));
  bool there = false;
  Job job(config, std::make_unique<Dying>());
  CHECK_THROWS_AS(job.run(
                      [&](const Progress& p) {
                        if (!there && p.segments_done > 0) {
                          std::ofstream(config.output) << "mine";
                          there = true;
                        }
                      },
                      std::chrono::milliseconds(1)),
                  Error);
  std::filesystem::remove(config.output);
  const std::string path = checkpoint_path(config.output);
  Checkpoint c = checkpoint_from_json(bytes_of(path), path);
  CHECK(c.stage == Checkpoint::Stage::kCommitted);
  c.stage = Checkpoint::Stage::kFinishing;
  c.identity.environment["FFmpeg"] = "4.0";
  const std::string plan = c.plan_hash;
  c.plan_hash = std::string(64, 'a');
  c.final_bytes = 0;
  save_checkpoint(path, c);
  CHECK(has(refusal(config), "FFmpeg was '4.0'"));
  c.plan_hash = plan;
  save_checkpoint(path, c);
  const Report report = run(config);
  CHECK(report.warnings.empty());
  CHECK((bytes_of(config.output) == whole));
}
