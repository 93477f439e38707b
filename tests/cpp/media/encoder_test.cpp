// What opening an encoder does to the process around it.
#include "media/encoder.h"

#include <doctest/doctest.h>
#include <sched.h>

#include <filesystem>
#include <random>
#include <vector>

#include "base/cpu.h"
#include "drawn_frame.h"

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

// Bytes of every packet of noise, which tells frames at a time apart; plain stripes do not.
std::vector<int> packet_sizes(const int threads) {
  const EncoderSettings settings = test::settings_of("hevc", "fast", threads, 320, 256);
  std::minstd_rand noise(1);
  Encoder encoder(settings);
  std::vector<PacketPtr> packets;
  for (int i = 0; i < 24; ++i) {
    const auto any = [&](int, int) { return static_cast<unsigned>(noise() >> 8) & 255U; };
    encoder.send(test::drawn_frame(settings, i, any).get());
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
