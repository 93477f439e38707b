#include "media/telecine.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "media/deinterlacer.h"
#include "media/encoder.h"
#include "media/picture.h"

using namespace streamvsr;

namespace {

std::vector<PacketPtr> encode(const bool pic_struct, const int frames) {
  EncoderSettings settings;
  settings.format = AV_PIX_FMT_YUV420P;
  settings.width = 64;
  settings.height = 48;
  settings.pic_struct = pic_struct;
  Encoder encoder(settings);
  std::vector<PacketPtr> packets;
  const auto receive = [&] {
    for (PacketPtr packet = make_packet(); encoder.receive(*packet); packet = make_packet())
      packets.push_back(std::move(packet));
  };
  for (int n = 0; n < frames; ++n) {
    Planes planes(plane_format(settings.format, settings.width, settings.height).value());
    for (int p = 0; p < 3; ++p)
      std::fill_n(planes.data(p), planes.stride(p) * static_cast<std::size_t>(p == 0 ? 48 : 24),
                  static_cast<std::uint8_t>(16 + 7 * n));
    const FramePtr frame = to_frame(std::move(planes), settings.format);
    frame->pts = n;
    encoder.send(frame.get());
    receive();
  }
  encoder.send(nullptr);
  receive();
  return packets;
}

std::vector<std::uint8_t> bytes_of(const AVPacket& packet) {
  return {packet.data, packet.data + packet.size};
}

PacketPtr packet_of(const std::vector<std::uint8_t>& bytes) {
  PacketPtr packet = make_packet();
  REQUIRE(av_new_packet(packet.get(), static_cast<int>(bytes.size())) >= 0);
  std::copy(bytes.begin(), bytes.end(), packet->data);
  return packet;
}

void mark_interlaced(AVFrame& frame, const bool interlaced) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
  frame.flags = interlaced ? AV_FRAME_FLAG_INTERLACED : 0;
#else
  frame.interlaced_frame = interlaced ? 1 : 0;
#endif
}

}  // namespace

TEST_CASE("every packet of x264's takes a pic_struct, one byte of it and no other") {
  for (const PacketPtr& packet : encode(true, 12)) {
    const std::vector<std::uint8_t> before = bytes_of(*packet);
    for (const int value : {5, 6, 7, 8, 0}) {
      REQUIRE(set_pic_struct(*packet, value));
      const std::vector<std::uint8_t> after = bytes_of(*packet);
      int changed = 0;
      for (std::size_t i = 0; i < before.size(); ++i) changed += before[i] != after[i] ? 1 : 0;
      CHECK(changed == (value == 0 ? 0 : 1));
    }
  }
  for (const PacketPtr& packet : encode(false, 3)) {
    const std::vector<std::uint8_t> before = bytes_of(*packet);
    CHECK_FALSE(set_pic_struct(*packet, 5));
    CHECK(bytes_of(*packet) == before);
  }
}

TEST_CASE("the message is found behind others, and where start codes are escaped") {
  // Within one unit: one of a type and a size above 255, with zeros that are escaped, then ours.
  std::vector<std::uint8_t> bytes = {0, 0, 0, 1, 9, 0xF0, 0, 0, 1, 6, 0xFF, 2, 0xFF, 3};
  for (int n = 0; n < 258; n += 3) bytes.insert(bytes.end(), {0, 0, 3, 1});
  const std::size_t at = bytes.size() + 2;
  bytes.insert(bytes.end(), {1, 1, 0x04, 0x80, 0, 0, 1, 0x65, 1, 1, 0x55});
  const PacketPtr packet = packet_of(bytes);
  REQUIRE(set_pic_struct(*packet, 6));
  bytes[at] = 0x61;
  CHECK(bytes_of(*packet) == bytes);
  const PacketPtr other = packet_of(bytes);
  CHECK(set_pic_struct(*other, 0));
  copy_pic_struct(*packet, *other);
  CHECK(bytes_of(*other) == bytes);
}

TEST_CASE("a longer message, one behind the picture's data, or half of one is none") {
  for (const std::vector<std::uint8_t>& bytes :
       {std::vector<std::uint8_t>{0, 0, 1, 6, 1, 2, 4, 0, 0x80, 0, 0, 1, 0x41, 1},
        std::vector<std::uint8_t>{0, 0, 1, 0x41, 1, 0, 0, 1, 6, 1, 1, 4, 0x80},
        std::vector<std::uint8_t>{0, 0, 1, 6, 1, 1}, std::vector<std::uint8_t>{0, 0, 1, 6, 0xFF},
        std::vector<std::uint8_t>{0, 0, 1}, std::vector<std::uint8_t>{}}) {
    const PacketPtr packet = packet_of(bytes);
    CHECK_FALSE(set_pic_struct(*packet, 5));
    CHECK(bytes_of(*packet) == bytes);
  }
}

TEST_CASE("whatever a packet holds, nothing outside it is touched") {
  const std::vector<std::uint8_t> sound = bytes_of(*encode(true, 1).front());
  std::minstd_rand random(3);
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::uint8_t> bytes = sound;
    for (int n = 0; n < 4; ++n)
      bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    bytes.resize(random() % bytes.size() + 1);
    const PacketPtr packet = packet_of(bytes);
    set_pic_struct(*packet, 5);
    CHECK(packet->size == static_cast<int>(bytes.size()));
  }
}

TEST_CASE("fields shown again are told as H.264 tells them") {
  const FramePtr frame = make_frame();
  for (const auto& [repeat, told] :
       {std::pair{0, 0}, std::pair{1, 6}, std::pair{2, 7}, std::pair{4, 8}, std::pair{3, 0}}) {
    frame->repeat_pict = repeat;
    CHECK(pic_struct(*frame) == told);
  }
}

TEST_CASE("what is deinterlaced repeats nothing, what passes between keeps its mark") {
  std::vector<int> repeats;
  std::unique_ptr<Deinterlacer> deinterlacer;
  for (int n = 0; n <= 6; ++n) {
    FramePtr frame;
    if (n < 6) {
      frame =
          to_frame(Planes(plane_format(AV_PIX_FMT_YUV420P, 64, 48).value()), AV_PIX_FMT_YUV420P);
      frame->repeat_pict = 1;
      mark_interlaced(*frame, n % 2 == 0);
      if (!deinterlacer) deinterlacer = std::make_unique<Deinterlacer>(*frame, 1);
    }
    deinterlacer->push(std::move(frame));
    while (const FramePtr picture = deinterlacer->pull()) repeats.push_back(picture->repeat_pict);
  }
  CHECK(repeats == std::vector<int>{0, 1, 0, 1, 0, 1});
}
