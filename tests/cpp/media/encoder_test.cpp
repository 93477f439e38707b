// What opening an encoder does to the process around it.
#include "media/encoder.h"

#include <doctest/doctest.h>
#include <sched.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "base/cpu.h"
#include "media/picture.h"

namespace streamvsr {
namespace {

int real_time_threads() {
  int count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    const int policy = sched_getscheduler(std::stoi(task.path().filename()));
    if (policy == SCHED_FIFO || policy == SCHED_RR) ++count;
  }
  return count;
}

bool may_be_real_time() {
  const sched_param one{1};
  const sched_param none{0};
  if (sched_setscheduler(0, SCHED_FIFO, &one) != 0) return false;
  sched_setscheduler(0, SCHED_OTHER, &none);
  return true;
}

TEST_CASE("no encoder makes real-time threads, and the right to make them is given back") {
  const bool before = may_be_real_time();
  for (const char* const codec : {"h264", "hevc", "av1"}) {
    CAPTURE(codec);
    EncoderSettings settings;
    settings.codec = codec;
    settings.preset = codec == std::string("av1") ? "10" : "ultrafast";
    settings.format = AV_PIX_FMT_YUV420P;
    settings.width = settings.height = 128;
    settings.threads = 2;
    const Encoder encoder(settings);
    CHECK(real_time_threads() == 0);
    CHECK(may_be_real_time() == before);
  }
  const NoRealTime none;
  CHECK(!may_be_real_time());
}

// Bytes of every packet of some noise.
std::vector<int> packet_sizes(const int threads) {
  EncoderSettings settings;
  settings.codec = "hevc";
  settings.preset = "fast";
  settings.format = AV_PIX_FMT_YUV420P;
  settings.width = 320;
  settings.height = 256;
  settings.threads = threads;
  const PlaneFormat format = *plane_format(settings.format, settings.width, settings.height);
  std::minstd_rand noise(1);
  Encoder encoder(settings);
  std::vector<PacketPtr> packets;
  for (int i = 0; i < 24; ++i) {
    Planes planes(format);
    for (int p = 0; p < format.plane_count; ++p)
      for (int y = 0; y < format.plane_height(p); ++y)
        std::generate_n(planes.row<std::uint8_t>(p, y), format.plane_width(p),
                        [&] { return static_cast<std::uint8_t>(noise() >> 8); });
    const FramePtr frame = to_frame(std::move(planes), settings.format);
    frame->pts = i;
    mark_plain_frame(*frame);
    encoder.send(frame.get());
    encoder.receive_all(packets);
  }
  encoder.send(nullptr);
  encoder.receive_all(packets);
  std::vector<int> sizes;
  for (const PacketPtr& packet : packets) sizes.push_back(packet->size);
  return sizes;
}

// x265 with several frames at a time can wait for ever when it is drained; with one, threads share
// its rows, which leaves the packets as they are.
TEST_CASE("hevc works on one frame at a time") {
  const std::vector<int> one = packet_sizes(1);
  CHECK(one.size() == 24);
  CHECK(packet_sizes(4) == one);
}

}  // namespace
}  // namespace streamvsr
