#include "media/packets.h"

#include <doctest/doctest.h>

#include "clip.h"

using namespace streamvsr;
using namespace streamvsr::test;

namespace {

struct Seen {
  double first = 0.0, end = 0.0;  // s
  int packets = 0;
  bool rising = true;
};

// All packets of the first audio stream, pulled a tenth of a second at a time.
Seen pull_audio(const std::string& path, const Container container) {
  Input input(path);
  std::vector<PlannedStream> streams;
  for (int i = 0; i < input.stream_count() && streams.empty(); ++i)
    if (input.stream(i).codecpar->codec_type == AVMEDIA_TYPE_AUDIO)
      streams.push_back({i, 0, StreamAction::kCopy});
  REQUIRE(streams.size() == 1);
  const StopFlag stop;
  Clock clock;
  if (input.format().start_time > 0) clock.origin_us = input.format().start_time / 1000 * 1000;
  PacketSource source(input, streams, container, clock, stop);
  Seen seen;
  std::int64_t last = INT64_MIN;
  for (std::int64_t bound = 0; source.next_time() != AV_NOPTS_VALUE; bound += 100) {
    std::vector<OutPacket> packets;
    source.pull(bound, {1, 1000}, packets);
    for (const OutPacket& out : packets) {
      const double time = static_cast<double>(out.packet->pts) * av_q2d(out.time_base);
      CHECK(time <= static_cast<double>(bound) / 1000.0 + 0.001);
      if (seen.packets++ == 0) seen.first = time;
      seen.rising = seen.rising && out.packet->dts >= last &&
                    (container == Container::kMkv || out.packet->dts > last);
      last = out.packet->dts;
      seen.end = time + static_cast<double>(out.packet->duration) * av_q2d(out.time_base);
    }
  }
  return seen;
}

}  // namespace

TEST_CASE("packets shorter than a tick keep their pace") {
  const TemporaryFolder folder;
  // TrueHD: 1/1200 s a packet, in Matroska's ticks of 1/1000 s.
  run_command(
      "ffmpeg -v error -nostdin -y -f lavfi -i sine=r=48000:d=3 -strict -2 -c:a truehd -ac 2 " +
      (folder / "t.mkv"));
  for (const Container container : {Container::kMkv, Container::kMp4}) {
    const Seen seen = pull_audio(folder / "t.mkv", container);
    CHECK(seen.packets > 3500);
    CHECK(seen.rising);
    CHECK(seen.end == doctest::Approx(3.0).epsilon(0.002));
  }
}

TEST_CASE("times that jump back, as in joined broadcasts, go on instead") {
  const TemporaryFolder folder;
  run_command("ffmpeg -v error -nostdin -y -f lavfi -i sine=r=48000:d=2 -c:a mp2 " +
              (folder / "a.ts"));
  run_command("cat " + (folder / "a.ts") + " " + (folder / "a.ts") + " > " + (folder / "aa.ts"));
  for (const Container container : {Container::kMkv, Container::kMp4}) {
    const Seen seen = pull_audio(folder / "aa.ts", container);
    CHECK(seen.rising);
    CHECK(seen.end == doctest::Approx(4.0).epsilon(0.02));
  }
}

TEST_CASE(
    "sound that comes last in the file is handed out in time order, without gathering the whole "
    "file") {
  const TemporaryFolder folder;
  run_command(
      "ffmpeg -v error -nostdin -y -f lavfi -i testsrc=s=64x48:d=4 -f lavfi -i sine=d=4 -c:v mpeg4 "
      "-c:a aac " +
      (folder / "v.mp4"));
  const Seen seen = pull_audio(folder / "v.mp4", Container::kMp4);
  CHECK(seen.first == doctest::Approx(-1024.0 / 44100.0));
  CHECK(seen.rising);
}
