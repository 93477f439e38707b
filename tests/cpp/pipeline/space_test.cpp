#include "pipeline/space.h"

#include <doctest/doctest.h>

using namespace streamvsr;

namespace {

bool refused(const SpaceNeed& need, const Room& room, const int code) {
  JobConfig config;
  config.output = "/somewhere/out.mp4";
  try {
    check_space(config, need, room);
  } catch (const Error& error) {
    return error.kind() == ErrorKind::kIo && error.code() == code;
  }
  return false;
}

}  // namespace

TEST_CASE("FAT holds no file of 4 GiB") {
  constexpr std::int64_t kFat = 0x4d44;
  constexpr std::int64_t kExt = 0xef53;
  constexpr std::int64_t kFourGiB = std::int64_t{4} << 30;
  CHECK(largest_file_of(kExt) == Room::kNoLimit);
  Room room;
  room.free = 100 * kFourGiB;
  room.largest_file = largest_file_of(kFat);
  CHECK(refused({1 << 20, kFourGiB, 0}, room, EFBIG));
  CHECK_FALSE(refused({1 << 20, kFourGiB - 1, 0}, room, EFBIG));
}

TEST_CASE("a job may take its share of the free space and of what it gives back") {
  Room room;
  room.free = 10'000'000;
  CHECK_FALSE(refused({7'800'000, 7'800'000, 0}, room, ENOSPC));
  CHECK(refused({8'000'001, 8'000'001, 0}, room, ENOSPC));
  CHECK_FALSE(refused({8'000'001, 8'000'001, 1'000'000}, room, ENOSPC));
  CHECK_FALSE(refused({0, 8'000'001, 0}, room, ENOSPC));
}

TEST_CASE("a job that goes on needs what its frames so far took") {
  JobPlan plan;
  plan.frames = 200;
  plan.expected_bytes = 1'000'000'000;
  Checkpoint from;
  from.source.delivered = 150;
  from.part.bytes = 30'000'000;
  const SpaceNeed fresh = space_need(plan, std::nullopt, 5'000'000);
  CHECK(fresh.still == 1'000'000'000);
  CHECK(fresh.whole == fresh.still);
  CHECK(fresh.freed == 5'000'000);
  const SpaceNeed rest = space_need(plan, from, 31'000'000);
  CHECK(rest.still >= 10'000'000);
  CHECK(rest.still < 10'200'000);
  CHECK(rest.whole == rest.still + 30'000'000);
  CHECK(rest.freed == 1'000'000);
  from.stage = Checkpoint::Stage::kFinishing;
  CHECK(space_need(plan, from, 40'000'000).still == 0);
}

TEST_CASE("sizes as people read them") {
  CHECK(size_text(0) == "0 B");
  CHECK(size_text(999) == "999 B");
  CHECK(size_text(999'600) == "1 MB");
  CHECK(size_text(1'234'000'000) == "1.23 GB");
}
