// The models of memory against the kernel's figures, and against the encoders' options.
#include "media/encoder_memory.h"

#include <doctest/doctest.h>

#include <random>

#include "drawn_frame.h"
#include "resident_memory.h"

namespace streamvsr {
namespace {

using test::settings_of;

// Moving stripes with some noise: nothing is skipped, nothing is huge.
FramePtr striped_frame(const EncoderSettings& settings, const int number) {
  std::minstd_rand noise(static_cast<unsigned>(number) + 1);
  return test::drawn_frame(settings, number, [&](const int x, const int y) {
    return (((x + 3 * number) ^ (y + number)) & 127) + noise() % 16 + 40;
  });
}

// What an encoder takes until it has been full for a while, and what is drained of it.
std::size_t measured(const EncoderSettings& settings) {
  const test::ResidentPeak peak;
  Encoder encoder(settings);
  const PacketPtr packet = make_packet();
  int behind_first_packet = 0;
  for (int i = 0; behind_first_packet < 24; ++i) {
    encoder.send(striped_frame(settings, i).get());
    bool any = behind_first_packet > 0;
    while (encoder.receive(*packet)) any = true;
    if (any) ++behind_first_packet;
  }
  encoder.send(nullptr);
  while (encoder.receive(*packet)) continue;
  return peak.bytes();
}

void warm_up(const std::string& codec) {
  const Encoder small(settings_of(codec, codec == "ffv1" ? "" : "medium", 1, 128, 128));
}

// Below this, what does not depend on the picture weighs more than what does.
constexpr std::size_t kSmall = std::size_t{4} << 20;

TEST_CASE("no encoder takes more than its model says, nor much less") {
#if defined(STREAMVSR_SANITIZED)
  return;  // a sanitizer's own memory would be measured
#endif
  std::minstd_rand random(20261121);
  const auto one_of = [&](const auto& from) { return from[random() % std::size(from)]; };
  const char* const codecs[] = {"h264", "h264", "hevc"};
  const char* const presets[] = {"ultrafast", "superfast", "veryfast", "fast", "medium", "slow"};
  const int threads[] = {1, 2, 4, 8};
  const std::pair<int, int> sizes[] = {{640, 352}, {480, 640}, {854, 480}};
  const AVPixelFormat formats[] = {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV420P10LE};
  for (int i = 0; i < 6; ++i) {
    const std::string codec = one_of(codecs);
    const auto [width, height] = one_of(sizes);
    EncoderSettings s =
        settings_of(codec, one_of(presets), one_of(threads), width, height, one_of(formats));
    s.lookahead = static_cast<int>(random() % 3) * 8;
    if (s.lookahead > 0) s.lookahead = std::max(s.lookahead, encoder_load(s).least_lookahead);
    warm_up(codec);
    const std::size_t real = measured(s);
    const std::size_t model = encoder_bytes(s);
    CAPTURE(codec);
    CAPTURE(s.preset);
    CAPTURE(s.threads);
    CAPTURE(s.lookahead);
    CAPTURE(s.width);
    CAPTURE(std::string(av_get_pix_fmt_name(s.format)));
    CAPTURE(real);
    CAPTURE(model);
    CHECK(real <= model);
    CHECK(2 * model <= 3 * (real + kSmall));
  }
}

TEST_CASE("ffv1 takes no more than its model says") {
#if !defined(STREAMVSR_SANITIZED)
  warm_up("ffv1");
  const EncoderSettings s = settings_of("ffv1", "", 2, 1280, 720, AV_PIX_FMT_YUV420P10LE);
  const std::size_t real = measured(s);
  CHECK(real <= encoder_bytes(s));
  CHECK(2 * encoder_bytes(s) <= 3 * real);
#endif
}

TEST_CASE("a user's options are read as the encoder reads them") {
  const auto load = [](const std::string& codec, const std::string& preset,
                       const std::map<std::string, std::string>& options) {
    EncoderSettings s = settings_of(codec, preset, 2, 640, 352);
    s.options = options;
    return encoder_load(s);
  };
  CHECK(load("h264", "", {}).lookahead == 40);
  CHECK(load("h264", "slow", {}).references == 5);
  CHECK_FALSE(load("h264", "", {}).lookahead_given);
  CHECK(load("h264", "", {}).least_lookahead == 5);
  CHECK(load("h264", "ultrafast", {}).least_lookahead == 0);
  const EncoderLoad given = load("h264", "", {{"rc-lookahead", "25"}, {"refs", "7"}, {"bf", "2"}});
  CHECK(given.lookahead == 25);
  CHECK(given.lookahead_given);
  CHECK(given.references == 7);
  CHECK(given.b_frames == 2);
  CHECK(load("h264", "", {{"x264-params", "ref=4:rc-lookahead=33:threads=6"}}).lookahead == 33);
  CHECK(load("h264", "", {{"x264-params", "ref=4:threads=6"}}).threads == 6);
  CHECK(load("h264", "", {{"x264-params", "ref=4:threads=6"}}).threads_given);
  CHECK(load("h264", "", {{"tune", "zerolatency"}}).lookahead == 0);
  CHECK(load("h264", "", {{"x264-params", "mbtree=0"}}).lookahead == 0);
  CHECK(load("h264", "", {{"x264-params", "mbtree=0:vbv-bufsize=500"}}).lookahead == 40);
  CHECK(load("hevc", "", {}).lookahead == 20);
  CHECK(load("hevc", "slower", {}).least_lookahead == 9);
  CHECK(load("hevc", "", {{"x265-params", "rc-lookahead=30:pools=3"}}).lookahead == 30);
  CHECK(load("hevc", "", {{"x265-params", "rc-lookahead=30:pools=3"}}).lookahead_given);
  CHECK(load("hevc", "", {{"x265-params", "pools=3"}}).threads == 3);
  CHECK(load("hevc", "", {{"x265-params", "pools=3"}}).frame_threads == 1);
  CHECK(load("hevc", "", {{"x265-params", "pools=3:frame-threads=2"}}).frame_threads == 2);
  CHECK(load("hevc", "", {{"x265-params", "pools=3:frame-threads=0"}}).frame_threads == 3);
}

// As many frames go in before the first packet comes out as the model thinks are waiting.
int delay(const EncoderSettings& settings) {
  Encoder encoder(settings);
  const PacketPtr packet = make_packet();
  for (int i = 1;; ++i) {
    encoder.send(striped_frame(settings, i).get());
    if (encoder.receive(*packet)) return i - 1;
  }
}

TEST_CASE("a look-ahead of ours is the encoder's, and a user's option wins over it") {
  for (const char* const codec : {"h264", "hevc"}) {
    CAPTURE(codec);
    EncoderSettings s = settings_of(codec, "medium", 1, 128, 128);
    const int own = delay(s);
    const int preset = encoder_load(s).lookahead;
    s.lookahead = 11;
    CHECK(delay(s) == own - preset + 11);
    CHECK(encoder_load(s).lookahead == 11);
    s.options[*codec == 'h' && codec[1] == '2' ? "x264-params" : "x265-params"] = "rc-lookahead=14";
    CHECK(delay(s) == own - preset + 14);
    CHECK(encoder_load(s).lookahead == 14);
  }
}

}  // namespace
}  // namespace streamvsr
