#include "pipeline/work.h"

#include <doctest/doctest.h>

#include "clip.h"
#include "pipeline/job.h"

using namespace streamvsr;
using namespace streamvsr::test;

namespace {

PlaneFormat yuv420(const int width, const int height) {
  PlaneFormat format;
  format.width = width;
  format.height = height;
  format.log2_sub_x = format.log2_sub_y = 1;
  format.plane_count = 3;
  return format;
}

// A frame of the default network, twice as wide and high.
FrameWork default_work(const int width, const int height) {
  FrameWork work;
  work.source = yuv420(width, height);
  work.output = yuv420(2 * width, 2 * height);
  work.enhancer.flop = 77'184.0 * width * height;
  work.enhancer.resampled = 2.0 * width * height;
  work.codec = "h264";
  work.budgeted = true;
  return work;
}

// Repeats samples, and says it takes this many operations a pixel; fails at a picture.
class Laborious : public Enhancer {
 public:
  explicit Laborious(const double flop, const int fail_at = -1) : flop_(flop), fail_at_(fail_at) {}
  int scale() const override { return nearest_->scale(); }
  std::size_t workspace_bytes(const PlaneFormat&) const override { return 0; }
  EnhancerWork work(const PlaneFormat& source) const override {
    EnhancerWork work;
    work.flop = flop_ * source.width * source.height;
    return work;
  }
  std::string describe() const override { return "laborious"; }
  std::vector<Planes> run(std::span<const EnhanceInput> batch, const StopFlag& stop) override {
    if (seen_++ == fail_at_) throw Error(ErrorKind::kMemory, "the picture is too much");
    return nearest_->run(batch, stop);
  }

 private:
  std::unique_ptr<Enhancer> nearest_ = make_nearest_enhancer(2);
  double flop_;
  int fail_at_;
  int seen_ = 0;
};

}  // namespace

TEST_CASE("a segment has the seconds asked for while they are cheap") {
  CHECK(segment_frames(25.0, 10.0, default_work(480, 270)) == 250);
  CHECK(segment_frames(25.0, 10.0, default_work(640, 360)) == 250);
  // About two minutes by the table.
  const std::int64_t full_hd = segment_frames(25.0, 10.0, default_work(960, 540));
  CHECK(full_hd > 200);
  CHECK(full_hd <= 250);
}

TEST_CASE("a costly segment is shorter, never below a second, never above what was asked for") {
  const std::int64_t large = segment_frames(25.0, 10.0, default_work(1920, 1080));
  CHECK(large >= 25);
  CHECK(large < 100);
  CHECK(static_cast<double>(large) * core_seconds(default_work(1920, 1080)) <= kSegmentCoreSeconds);
  FrameWork huge = default_work(1920, 1080);
  huge.enhancer.flop *= 1000.0;
  CHECK(segment_frames(25.0, 10.0, huge) == 25);
  CHECK(segment_frames(25.0, 0.5, huge) == 13);
  CHECK(segment_frames(0.5, 10.0, huge) == 1);
  CHECK(segment_frames(25.0, 1e12, huge) == 25);
}

TEST_CASE("all parts of a frame's work count") {
  FrameWork base = default_work(640, 360);
  base.budgeted = false;
  const double cost = core_seconds(base);
  const auto dearer = [&](const auto& change) {
    FrameWork work = base;
    change(work);
    CHECK(core_seconds(work) > cost);
  };
  dearer([](FrameWork& w) { w.enhancer.flop *= 2.0; });
  dearer([](FrameWork& w) { w.enhancer.resampled += 1e6; });
  dearer([](FrameWork& w) { w.enhancer.searched += 1e6; });
  dearer([](FrameWork& w) { w.enhancer.blended += 1e6; });
  dearer([](FrameWork& w) { w.preset = "slower"; });
  dearer([](FrameWork& w) { w.codec = "hevc"; });
  dearer([](FrameWork& w) { w.codec = "av1"; });
  dearer([](FrameWork& w) { w.output.depth = 10; });
  dearer([](FrameWork& w) { w.output.log2_sub_x = w.output.log2_sub_y = 0; });
  dearer([](FrameWork& w) { w.budgeted = true; });
}

TEST_CASE("presets cost more the slower they are, by name and by number") {
  for (const std::string codec : {"h264", "hevc", "av1"}) {
    FrameWork work = default_work(320, 180);
    work.codec = codec;
    double before = 0.0;
    for (const char* const preset : {"ultrafast", "superfast", "veryfast", "faster", "fast",
                                     "medium", "slow", "slower", "veryslow", "placebo"}) {
      work.preset = preset;
      CHECK(core_seconds(work) >= before);
      before = core_seconds(work);
    }
    work.preset = "medium";
    const double medium = core_seconds(work);
    work.preset = "";
    CHECK(core_seconds(work) == medium);
  }
  FrameWork work = default_work(320, 180);
  work.codec = "av1";
  double before = 0.0;
  for (int number = 13; number >= 0; --number) {
    work.preset = std::to_string(number);
    CHECK(core_seconds(work) > before);
    before = core_seconds(work);
  }
}

TEST_CASE("what fails before 10 s of a laborious film keeps whole segments, and resumes the same") {
  const TemporaryFolder folder;
  ClipOptions clip;
  clip.frames = 90;
  make_clip(folder / "in.mp4", clip);
  // So much a pixel that a second of film passes two minutes of two cores.
  constexpr double kFlop = 1e11;
  for (const std::string suffix : {"mp4", "mkv"}) {
    CAPTURE(suffix);
    JobConfig config;
    config.input = folder / "in.mp4";
    config.encoder_preset = "ultrafast";
    config.encoder_threads = 1;
    config.output = folder / ("whole." + suffix);
    Job(config, std::make_unique<Laborious>(kFlop)).run({}, std::chrono::milliseconds(10));
    config.output = folder / ("out." + suffix);
    // Only a few pictures wait between network and encoder: the first two segments are whole.
    Job broken(config, std::make_unique<Laborious>(kFlop, 70));
    CHECK(broken.plan().segment_ends == std::vector<std::int64_t>{25, 50, 75, 90});
    CHECK_THROWS_AS(broken.run({}, std::chrono::milliseconds(10)), Error);
    REQUIRE(find_remains(config.output).unfinished());
    CHECK(find_remains(config.output).checkpoint->source.delivered == 50);
    // Another amount of work is another plan: the two are never mixed.
    config.resume = ResumeMode::kDemand;
    CHECK_THROWS_AS(Job(config, std::make_unique<Laborious>(0.0)), Error);
    Job rest(config, std::make_unique<Laborious>(kFlop));
    CHECK(rest.run({}, std::chrono::milliseconds(10)).resumed_frames == 50);
    CHECK(output_of("cmp " + (folder / ("whole." + suffix)) + " " + config.output) == "");
  }
}
