#include "pipeline/checkpoint.h"

#include <doctest/doctest.h>

#include "clip.h"
#include "media/hash.h"

using namespace streamvsr;

namespace {

// One that a run can have written.
Checkpoint example() {
  Checkpoint c;
  c.stage = Checkpoint::Stage::kFinishing;
  c.identity = {{{"size", "1 bytes"}}, {{"crf", "18"}}, {{"FFmpeg", "5.1"}}};
  c.plan_hash = std::string(64, 'a');
  c.input = "a film.mkv";
  c.options = R"({"crf":18,"scale":2})";
  c.memory = {3, 12, 4'000'000'000, 160 << 20};
  c.frames_total = 5'000'000'000;
  c.segments_total = 20'000;
  c.segments_done = 12;
  c.part = {987654321, 42, {512, 1024, 0}, {1'000'000, 999'424, 0}};
  c.part_tail = std::string(64, 'b');
  c.video = {1234567890123, -512, {1024, 1536, 2048}, 512};
  c.source = {1234567890123, 77, -3, 1, 16, std::string(64, 'c'), 2, 1};
  return c;
}

}  // namespace

TEST_CASE("a checkpoint survives the way through its text, and any altered byte is noticed") {
  const Checkpoint c = example();
  const std::string text = to_json(c);
  CHECK(text.size() < kMostSealedBytes / 16);
  CHECK(checkpoint_from_json(text, "p") == c);
  int unnoticed = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string altered = text;
    altered[i] = altered[i] == '7' ? '8' : '7';
    try {
      if (!(checkpoint_from_json(altered, "p") == c)) ++unnoticed;
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kResume);
    }
  }
  CHECK(unnoticed == 0);
  for (std::size_t length = 0; length + 2 < text.size(); ++length)
    CHECK_THROWS_AS(checkpoint_from_json(text.substr(0, length), "p"), Error);
}

TEST_CASE("the text of version 3 is, to the byte, what earlier programs wrote") {
  Checkpoint c = example();
  c.video.recent_pts = {-512, 0, 512};
  c.video.last_dts = 99;
  c.final_bytes = 4711;
  CHECK(sha256(to_json(c)) == "227449144973c5339cea505990cba51f261147c07cbe908cb87bbf3eb353877e");
}

TEST_CASE("a checkpoint of another version is refused by its number") {
  std::string text = to_json(example());
  const std::string here = "\"version\": 3";
  text.replace(text.find(here), here.size(), "\"version\": 7");
  try {
    checkpoint_from_json(text, "p");
    FAIL("it was read");
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("version 7") != std::string::npos);
  }
}

TEST_CASE("a choice by memory that no plan can have made is refused") {
  for (const auto& spoil : std::initializer_list<void (*)(MemoryChoice&)>{
           [](MemoryChoice& m) { m.encoder_threads = 0; },
           [](MemoryChoice& m) { m.encoder_threads = 129; },
           [](MemoryChoice& m) { m.lookahead = -1; }, [](MemoryChoice& m) { m.lookahead = 1001; },
           [](MemoryChoice& m) { m.rehearsal = std::size_t{1} << 41; },
           [](MemoryChoice& m) { m.draft = ~std::size_t{0}; }}) {
    Checkpoint c = example();
    spoil(c.memory);
    try {
      checkpoint_from_json(to_json(c), "p");
      FAIL("it was read");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kResume);
    }
  }
}

TEST_CASE("the size does not depend on the film's length, and has a limit") {
  Checkpoint c = example();
  const std::size_t size = to_json(c).size();
  c.segments_done = 19'999;
  CHECK(to_json(c).size() < size + 16);
  const streamvsr::test::TemporaryFolder folder;
  c.options = "{\"x\":\"" + std::string(kMostSealedBytes, 'x') + "\"}";
  CHECK_THROWS_AS(save_checkpoint(folder / "c.json", c), Error);
  CHECK(folder.files() == 0);
}

TEST_CASE("segments end where the plan says, and every segment_frames beyond it") {
  JobPlan plan;
  plan.segment_frames = 10;
  plan.segment_ends = {4, 14, 20};
  std::vector<int> ends;
  for (int frame = 0; frame < 45; ++frame)
    if (plan.ends_segment(frame)) ends.push_back(frame + 1);
  CHECK(ends == std::vector<int>{4, 14, 20, 30, 40});
}
