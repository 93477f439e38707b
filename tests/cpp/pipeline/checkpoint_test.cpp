#include "pipeline/checkpoint.h"

#include <doctest/doctest.h>

#include "clip.h"

using namespace streamvsr;

TEST_CASE("a checkpoint survives the way through its text, and any altered byte is noticed") {
  Checkpoint c;
  c.plan_hash = std::string(64, 'a');
  c.next_frame = 1234567890123;
  c.segments_done = 12;
  c.part_bytes = 987654321;
  c.recent_pts = {-512, 0, 512};
  const std::string text = to_json(c);
  CHECK(text.size() < 64 * 1024);
  CHECK(checkpoint_from_json(text, "p") == c);
  int unnoticed = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string altered = text;
    altered[i] = altered[i] == '7' ? '8' : '7';
    try {
      if (!(checkpoint_from_json(altered, "p") == c)) ++unnoticed;
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kInput);
    }
  }
  CHECK(unnoticed == 0);
  for (std::size_t length = 0; length + 2 < text.size(); ++length)
    CHECK_THROWS_AS(checkpoint_from_json(text.substr(0, length), "p"), Error);
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
