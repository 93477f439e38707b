#include "pipeline/job.h"

#include <doctest/doctest.h>

#include <atomic>
#include <fstream>
#include <numeric>
#include <sstream>
#include <thread>

#include "clip.h"
#include "media/hash.h"
#include "pipeline/checkpoint.h"
#include "pipeline/segment_encoder.h"

using namespace streamvsr;
using namespace streamvsr::test;

namespace {

JobConfig config_for(const std::string& input, const std::string& output) {
  JobConfig config;
  config.input = input;
  config.output = output;
  config.encoder_preset = "ultrafast";
  config.encoder_threads = 2;
  return config;
}

Report run(const JobConfig& config) {
  Job job(config, make_nearest_enhancer(2));
  return job.run({}, std::chrono::milliseconds(10));
}

std::vector<int> numbers_in(const std::string& path) {
  Decoder decoder(path, {});
  std::vector<int> numbers;
  while (const auto picture = decoder.next()) numbers.push_back(drawn_number(picture->planes));
  return numbers;
}

std::vector<int> up_to(const int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// An enhancer that fails, or that is slow, at a picture.
class Faulty : public Enhancer {
 public:
  Faulty(int fail_at, std::function<void()> each = {})
      : fail_at_(fail_at), each_(std::move(each)) {}
  int scale() const override { return nearest_->scale(); }
  std::size_t workspace_bytes(const PlaneFormat&) const override { return 0; }
  std::string describe() const override { return "faulty"; }
  std::vector<Planes> run(std::span<const EnhanceInput> batch, const StopFlag& stop) override {
    if (each_) each_();
    stop.check();
    if (seen_++ == fail_at_) throw Error(ErrorKind::kMemory, "the picture is too much");
    return nearest_->run(batch, stop);
  }

 private:
  std::unique_ptr<Enhancer> nearest_ = make_nearest_enhancer(2);
  int fail_at_;
  int seen_ = 0;
  std::function<void()> each_;
};

}  // namespace

TEST_CASE("every frame goes through, across many segments, in every container and codec") {
  const TemporaryFolder folder;
  ClipOptions clip;
  clip.frames = 53;
  clip.more_inputs = "-f lavfi -i sine=d=2.1";
  clip.encode = "-c:v libx264 -preset fast -bf 3 -qp 10 -c:a aac";
  make_clip(folder / "in.mp4", clip);
  for (const std::string name : {"out.mp4", "out.mov", "out.mkv"})
    for (const std::string codec : {"h264", "hevc", "ffv1"}) {
      if (codec == "ffv1" && name != "out.mkv") continue;
      CAPTURE(name);
      CAPTURE(codec);
      JobConfig config = config_for(folder / "in.mp4", folder / name);
      config.overwrite = true;
      config.video_codec = codec;
      if (codec == "ffv1") {
        config.encoder_preset.clear();
        config.disk_ratio = 0.0;
      }
      config.segment_seconds = 0.3;
      const Report report = run(config);
      CHECK(report.frames == 53);
      CHECK(report.segments >= 7);
      CHECK(numbers_in(folder / name) == up_to(53));
      const std::string warnings =
          output_of("ffmpeg -v warning -nostdin -i " + (folder / name) + " -f null - 2>&1");
      CHECK(warnings == "");
    }
  CHECK(folder.files() == 4);  // the input and three outputs: nothing else lies beside them
}

TEST_CASE(
    "the same job writes the same bytes; the segment length and the encoder's threads are part of "
    "the job") {
  const TemporaryFolder folder;
  make_clip(folder / "in.mp4", {});
  for (const std::string suffix : {"mp4", "mkv"}) {
    JobConfig config = config_for(folder / "in.mp4", folder / ("a." + suffix));
    config.segment_seconds = 0.5;
    run(config);
    config.output = folder / ("b." + suffix);
    config.decoder_threads = 1;
    run(config);
    CHECK(bytes_of(folder / ("a." + suffix)) == bytes_of(folder / ("b." + suffix)));
  }
}

TEST_CASE("a failing stage ends the job with its own error and leaves nothing") {
  const TemporaryFolder folder;
  make_clip(folder / "in.mp4", {});
  for (const int at : {0, 7, 29}) {
    Job job(config_for(folder / "in.mp4", folder / "out.mp4"), std::make_unique<Faulty>(at));
    try {
      job.run({}, std::chrono::milliseconds(5));
      FAIL("the job passed");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kMemory);
    }
    CHECK(folder.files() == 1);
  }
}

TEST_CASE("stop() from another thread ends the run as stopped and leaves nothing") {
  const TemporaryFolder folder;
  ClipOptions clip;
  clip.frames = 120;
  make_clip(folder / "in.mp4", clip);
  std::atomic<int> pictures{0};
  Job job(config_for(folder / "in.mp4", folder / "out.mkv"), std::make_unique<Faulty>(-1, [&] {
            ++pictures;
            pictures.notify_all();
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
          }));
  std::thread stopper([&] {
    for (int now = pictures; now < 5; now = pictures) pictures.wait(now);
    job.stop();
  });
  try {
    job.run({}, std::chrono::milliseconds(5));
    FAIL("the job passed");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kStopped);
  }
  stopper.join();
  CHECK(folder.files() == 1);
}

TEST_CASE("an exception of the caller's tick stops the job and passes on") {
  const TemporaryFolder folder;
  make_clip(folder / "in.mp4", {});
  struct Interrupt {};
  Job job(config_for(folder / "in.mp4", folder / "out.mp4"), std::make_unique<Faulty>(-1, [] {
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
          }));
  CHECK_THROWS_AS(job.run([](const Progress&) { throw Interrupt{}; }, std::chrono::milliseconds(5)),
                  Interrupt);
  CHECK(folder.files() == 1);
}

TEST_CASE("an output that is there, or appears meanwhile, is never replaced unless asked") {
  const TemporaryFolder folder;
  make_clip(folder / "in.mp4", {});
  std::ofstream(folder / "out.mp4") << "mine";
  const JobConfig config = config_for(folder / "in.mp4", folder / "out.mp4");
  CHECK_THROWS_AS(run(config), Error);
  std::filesystem::remove(folder / "out.mp4");
  Job job(config,
          std::make_unique<Faulty>(-1, [&] { std::ofstream(folder / "out.mp4") << "mine"; }));
  try {
    job.run({}, std::chrono::milliseconds(5));
    FAIL("the job passed");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kOutputExists);
  }
  CHECK(bytes_of(folder / "out.mp4") == "mine");
  // The finished work waits for the name to be free.
  CHECK(folder.files() == 4);
  std::filesystem::remove(folder / "out.mp4");
  const Report report = run(config);
  CHECK(report.resumed_frames == 30);
  CHECK(numbers_in(folder / "out.mp4") == up_to(30));
  CHECK(folder.files() == 2);
}

TEST_CASE("several jobs run side by side; two on one output do not") {
  const TemporaryFolder folder;
  make_clip(folder / "in.mp4", {});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      run(config_for(folder / "in.mp4", folder / ("o" + std::to_string(i) + ".mp4")));
    });
  for (std::thread& t : threads) t.join();
  for (int i = 1; i < 4; ++i)
    CHECK(bytes_of(folder / "o0.mp4") == bytes_of(folder / ("o" + std::to_string(i) + ".mp4")));

  bool refused = false;
  Job outer(config_for(folder / "in.mp4", folder / "same.mp4"), std::make_unique<Faulty>(-1, [&] {
              if (refused) return;
              try {
                run(config_for(folder / "in.mp4", folder / "same.mp4"));
              } catch (const Error& error) {
                refused = error.code() == EBUSY;
              }
            }));
  outer.run({}, std::chrono::milliseconds(5));
  CHECK(refused);
  CHECK(numbers_in(folder / "same.mp4") == up_to(30));
}

TEST_CASE("ten bits stay ten bits") {
  const TemporaryFolder folder;
  ClipOptions clip;
  clip.encode =
      "-vf format=yuv420p10le -c:v libx265 -preset ultrafast -x265-params log-level=none:qp=8";
  make_clip(folder / "in.mkv", clip);
  for (const std::string codec : {"h264", "hevc"}) {
    JobConfig config = config_for(folder / "in.mkv", folder / (codec + ".mkv"));
    config.video_codec = codec;
    run(config);
    Decoder decoder(folder / (codec + ".mkv"), {});
    const auto picture = decoder.next();
    REQUIRE(picture.has_value());
    CHECK(picture->planes.format().depth == 10);
    CHECK(numbers_in(folder / (codec + ".mkv")) == up_to(30));
  }
}

TEST_CASE("a .part or checkpoint that no run of ours left is never touched, nor what it links to") {
  const TemporaryFolder folder;
  make_clip(folder / "in.mp4", {});
  const auto refused = [&] {
    try {
      run(config_for(folder / "in.mp4", folder / "out.mp4"));
    } catch (const Error& error) {
      return error.kind() == ErrorKind::kOutputExists;
    }
    return false;
  };
  for (const std::string name : {"out.mp4.part", "out.mp4.streamvsr.json"}) {
    CAPTURE(name);
    std::ofstream(folder / name) << "mine";
    CHECK(refused());
    CHECK(bytes_of(folder / name) == "mine");
    std::filesystem::remove(folder / name);
    std::ofstream(folder / "precious") << "mine";
    std::filesystem::create_symlink(folder / "precious", folder / name);
    CHECK(refused());
    CHECK(bytes_of(folder / "precious") == "mine");
    std::filesystem::remove(folder / name);
    std::filesystem::remove(folder / "precious");
  }
  std::filesystem::create_symlink(folder / "nowhere", folder / "out.mp4");
  CHECK(refused());
  CHECK(folder.files() == 2);
}

TEST_CASE("a stop reaches an encoder that is being drained") {
  const TemporaryFolder folder;
  make_clip(folder / "in.mp4", {});
  JobConfig config = config_for(folder / "in.mp4", folder / "out.mp4");
  StopFlag stop;
  const std::unique_ptr<Enhancer> enhancer = make_nearest_enhancer(2);
  const JobPlan plan = make_plan(config, *enhancer, machine_facts(), {}, {});
  SegmentEncoder encoder(plan, 0, stop);
  Decoder decoder(config.input, plan.decoder);
  struct Kept final : PacketSink {
    void push_back(OutPacket packet) override { all.push_back(std::move(packet)); }
    std::vector<OutPacket> all;
  } packets;
  for (int n = 0; n < 5; ++n) {
    auto picture = decoder.next();
    const EnhanceInput input{&picture->planes, plan.color, 0.0F};
    picture->planes = std::move(enhancer->run({&input, 1}, stop).front());
    encoder.encode(std::move(*picture), false, packets);
  }
  stop.request();
  CHECK_THROWS_AS(encoder.finish_segment(packets), Error);
}

TEST_CASE("closing or running a job twice is harmless") {
  const TemporaryFolder folder;
  make_clip(folder / "in.mp4", {});
  Job job(config_for(folder / "in.mp4", folder / "out.mp4"), make_nearest_enhancer(2));
  job.run({}, std::chrono::milliseconds(5));
  CHECK_THROWS_AS(job.run({}, std::chrono::milliseconds(5)), Error);
  job.close();
  job.close();
  CHECK(job.summary().frames == 30);
}

TEST_CASE("a job that is closed as it begins to run is run or closed, never both") {
  const TemporaryFolder folder;
  ClipOptions clip;
  clip.frames = 2;
  make_clip(folder / "in.mp4", clip);
  for (int i = 0; i < 25; ++i) {
    JobConfig config;
    config.input = folder / "in.mp4";
    config.output = folder / "out.mp4";
    config.encoder_preset = "ultrafast";
    config.overwrite = true;
    Job job(config, make_nearest_enhancer(1));
    std::atomic<bool> go{false};
    std::thread closer([&] {
      while (!go) std::this_thread::yield();
      job.close();
    });
    go = true;
    try {
      job.run({}, std::chrono::milliseconds(1));
    } catch (const Error& error) {
      CHECK((error.kind() == ErrorKind::kConfig || error.kind() == ErrorKind::kStopped));
    }
    closer.join();
  }
}
