#include "media/decoder.h"

#include <doctest/doctest.h>

#include <fstream>
#include <vector>

#include "clip.h"
#include "media/hash.h"

using namespace streamvsr;
using namespace streamvsr::test;

namespace {

struct Decoded {
  std::vector<int> numbers;
  std::vector<std::int64_t> pts;
  std::vector<float> strength;
  std::string hash;
  std::int64_t damaged = 0;
};

Decoded decode_all(const std::string& path, const int threads) {
  DecoderSettings settings;
  settings.threads = threads;
  Decoder decoder(path, settings);
  Decoded all;
  std::string samples;
  while (const auto picture = decoder.next()) {
    CHECK(picture->index == static_cast<std::int64_t>(all.numbers.size()));
    CHECK(picture->duration > 0);
    if (!all.pts.empty()) CHECK(picture->pts > all.pts.back());
    all.numbers.push_back(drawn_number(picture->planes));
    all.pts.push_back(picture->pts);
    all.strength.push_back(picture->codec_strength);
    const PlaneFormat& f = picture->planes.format();
    for (int p = 0; p < f.plane_count; ++p)
      for (int y = 0; y < f.plane_height(p); ++y)
        samples.append(picture->planes.row<char>(p, y),
                       static_cast<std::size_t>(f.plane_width(p)) * f.bytes_per_sample());
    samples = sha256(samples);
  }
  all.hash = samples;
  all.damaged = decoder.damaged();
  return all;
}

void overwrite(const std::string& path, const std::int64_t from, const std::int64_t count) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(from);
  for (std::int64_t i = 0; i < count; ++i) file.put(static_cast<char>(i * 37 + 11));
}

}  // namespace

TEST_CASE("every codec is drained: each frame comes once, in order, with any thread count") {
  const TemporaryFolder folder;
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {"h264.mp4", "-c:v libx264 -preset medium -qp 12 -bf 3"},
      {"hevc.mkv", "-c:v libx265 -preset ultrafast -x265-params log-level=none:qp=12:bframes=3"},
      {"mpeg2.mpg", "-c:v mpeg2video -q:v 2 -bf 2"},
      {"mpeg4.avi", "-c:v mpeg4 -q:v 2"},
      {"vp8.webm", "-c:v libvpx -b:v 2M"},
      {"vp9.webm", "-c:v libvpx-vp9 -b:v 2M -deadline realtime -cpu-used 8"},
      {"ffv1.mkv", "-c:v ffv1"},
      {"mjpeg.mov", "-c:v mjpeg -q:v 2"},
  };
  for (const auto& kind : kinds) {
    const std::string& name = kind.first;
    CAPTURE(name);
    const std::string path = folder / name;
    ClipOptions options;
    options.width = 160;
    options.height = 96;
    options.encode = kind.second;
    make_clip(path, options);
    const Decoded one = decode_all(path, 1);
    const Decoded three = decode_all(path, 3);
    REQUIRE(one.numbers.size() == 30);
    for (int n = 0; n < 30; ++n) CHECK(one.numbers[static_cast<std::size_t>(n)] == n);
    CHECK(one.hash == three.hash);
    CHECK(one.pts == three.pts);
    CHECK(one.strength == three.strength);
    CHECK(one.damaged == 0);
    CHECK(three.damaged == 0);
  }
}

TEST_CASE("damage is counted, and repeats to the sample whatever the threads") {
  const TemporaryFolder folder;
  for (const std::string codec : {"libx264", "libx265 -x265-params log-level=none"}) {
    CAPTURE(codec);
    const std::string path = folder / "damaged.mp4";
    ClipOptions options;
    options.width = 320;
    options.height = 240;
    options.frames = 60;
    options.encode = "-c:v " + codec + " -preset fast -g 20";
    make_clip(path, options);
    const auto size = static_cast<std::int64_t>(std::filesystem::file_size(path));
    overwrite(path, size / 2, 1500);
    overwrite(path, size * 3 / 4, 600);
    const Decoded first = decode_all(path, 1);
    CHECK(first.damaged > 0);
    for (const int threads : {2, 4, 4, 2}) {
      const Decoded again = decode_all(path, threads);
      CHECK(again.hash == first.hash);
      CHECK(again.pts == first.pts);
    }
  }
}

TEST_CASE("a stream whose size changes keeps the first size") {
  const TemporaryFolder folder;
  ClipOptions options;
  options.encode = "-c:v libx264 -preset fast -qp 10 -f mpegts";
  make_clip(folder / "a.ts", options);
  options.width = 96;
  options.height = 80;
  make_clip(folder / "b.ts", options);
  run_command("cat " + (folder / "a.ts") + " " + (folder / "b.ts") + " > " + (folder / "ab.ts"));
  DecoderSettings settings;
  Decoder decoder(folder / "ab.ts", settings);
  int count = 0;
  while (const auto picture = decoder.next()) {
    CHECK(picture->planes.format().width == 64);
    CHECK(picture->planes.format().height == 48);
    CHECK(drawn_number(picture->planes) == count % 30);
    ++count;
  }
  CHECK(count == 60);
  CHECK(decoder.resized() == 30);
}

TEST_CASE("codec strength follows the quantiser and is 0 for lossless codecs") {
  const TemporaryFolder folder;
  for (const int qp : {10, 20, 35}) {
    ClipOptions options;
    options.encode = "-c:v libx264 -preset fast -bf 0 -qp " + std::to_string(qp) +
                     " -x264-params ipratio=1:aq-mode=0";
    make_clip(folder / "q.mp4", options);
    const Decoded all = decode_all(folder / "q.mp4", 2);
    CHECK(all.strength.back() == doctest::Approx(qp / 51.0).epsilon(0.02));
  }
  ClipOptions lossless;
  lossless.encode = "-c:v ffv1";
  make_clip(folder / "l.mkv", lossless);
  CHECK(decode_all(folder / "l.mkv", 1).strength.back() == 0.0F);
}

TEST_CASE("what is no usable video is refused with the reason") {
  const TemporaryFolder folder;
  const auto kind_of = [](const std::string& path) {
    try {
      const Input input(path);
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::kInternal;
  };
  CHECK(kind_of(folder / "missing.mp4") == ErrorKind::kNotFound);
  CHECK(kind_of(std::filesystem::temp_directory_path().string()) == ErrorKind::kInput);
  std::ofstream(folder / "empty.mp4").flush();
  CHECK(kind_of(folder / "empty.mp4") == ErrorKind::kInput);
  std::ofstream(folder / "text.mp4") << "no film, only words\n";
  CHECK(kind_of(folder / "text.mp4") == ErrorKind::kInput);
}
