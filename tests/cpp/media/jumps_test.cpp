#include "media/jumps.h"

#include <doctest/doctest.h>

#include <random>

#include "clip.h"

using namespace streamvsr;

namespace {

constexpr std::int64_t kRange = std::int64_t{1} << 33;
constexpr std::int64_t kSecond = 90'000;
constexpr std::int64_t kPicture = 3600, kSound = 2160;  // ticks a packet

// Two streams of a file whose clock has 33 bits.
struct File {
  AVStream video{}, sound{};
  Jumps jumps;

  File() {
    for (AVStream* const stream : {&video, &sound}) {
      stream->time_base = {1, 90'000};
      stream->pts_wrap_bits = 33;
    }
    sound.index = 1;
  }

  // The time that a packet has afterwards.
  std::int64_t moved(const AVStream& stream, const std::int64_t time, const std::int64_t duration) {
    const PacketPtr packet = make_packet();
    packet->stream_index = stream.index;
    packet->dts = time;
    packet->pts = time + 2 * duration;
    packet->duration = duration;
    jumps.move(*packet, stream);
    CHECK(packet->pts - packet->dts == 2 * duration);
    return packet->dts;
  }
};

}  // namespace

TEST_CASE("times without a jump stay, gaps of hours among them") {
  File file;
  for (const std::int64_t time : {0L, 3600L, 10 * 3600 * kSecond, 20 * 3600 * kSecond})
    CHECK(file.moved(file.video, time, kPicture) == time);
  CHECK(!file.jumps.any());
}

TEST_CASE("behind a jump both streams go on, by one step, each when it gets there") {
  File file;
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    const std::int64_t start = static_cast<std::int64_t>(random() % 1'000'000) * kSecond / 10;
    // FFmpeg adds the clock's range to what lies before the start.
    const std::int64_t next = static_cast<std::int64_t>(random() % 1000) * kSecond / 100 + kRange;
    if (next - start <= kRange / 2) continue;
    file.jumps.forget();
    for (int i = 0; i < 10; ++i) {
      CHECK(file.moved(file.video, start + i * kPicture, kPicture) == start + i * kPicture);
      CHECK(file.moved(file.sound, start + i * kSound, kSound) == start + i * kSound);
    }
    const std::int64_t step = start + 10 * kPicture - next;
    CHECK(std::abs(file.moved(file.video, next, kPicture) - next - step) <= 1);
    // A packet of the first recording that comes late, and then the second one's.
    CHECK(file.moved(file.sound, start + 10 * kSound, kSound) == start + 10 * kSound);
    CHECK(std::abs(file.moved(file.sound, next + 100, kSound) - next - 100 - step) <= 1);
    CHECK(std::abs(file.moved(file.video, next + kPicture, kPicture) - next - kPicture - step) <=
          1);
    // A third one, told in times of the first again.
    CHECK(std::abs(file.moved(file.video, start, kPicture) - next - step - 2 * kPicture) <= 1);
  }
}

TEST_CASE("a clock that is not known to wrap is left alone") {
  File file;
  file.video.pts_wrap_bits = 64;
  CHECK(file.moved(file.video, 0, 1) == 0);
  CHECK(file.moved(file.video, INT64_MAX - 9, 1) == INT64_MAX - 9);
}
