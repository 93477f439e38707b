#include <doctest/doctest.h>

#include <fstream>

#include "clip.h"
#include "media/decoder.h"
#include "media/hash.h"
#include "media/source_index.h"

using namespace streamvsr;
using namespace streamvsr::test;

namespace {

struct Rest {
  std::vector<std::string> pictures;  // times, strength and samples of each
  std::int64_t damaged = 0;
};

std::string words_of(const SourcePicture& picture) {
  return std::to_string(picture.index) + " " + std::to_string(picture.pts) + " " +
         std::to_string(picture.duration) + " " +
         sha256({reinterpret_cast<const char*>(&picture.codec_strength), sizeof(float)}) + " " +
         picture_hash(picture.planes);
}

DecoderSettings settings_for(const std::string& path, const int threads) {
  DecoderSettings settings;
  settings.threads = threads;
  settings.unique_times = index_source(path).unique_times;
  Decoder first(path, settings);
  REQUIRE(first.next().has_value());
  settings.format = first.settings().format;
  settings.width = first.planes().width;
  settings.height = first.planes().height;
  return settings;
}

// Decodes all, noting marks behind each of `places`.
Rest decode(const std::string& path, const int threads, const std::vector<std::int64_t>& places,
            std::vector<SourceMark>& marks) {
  Decoder decoder(path, settings_for(path, threads));
  Rest all;
  while (const auto picture = decoder.next(true)) {
    all.pictures.push_back(words_of(*picture));
    for (const std::int64_t place : places)
      if (picture->index + 1 == place) marks.push_back(decoder.mark());
  }
  all.damaged = decoder.damaged();
  return all;
}

// Goes on behind a mark; checks everything that comes.
std::int64_t check_resumed(const std::string& path, const int threads, const SourceMark& mark,
                           const Rest& whole) {
  Decoder decoder(path, settings_for(path, threads));
  const auto kept = decoder.resume(mark, 3);
  REQUIRE(kept.size() == 3);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    CHECK(kept[i].index == mark.delivered - 3 + static_cast<std::int64_t>(i));
    const std::string& was = whole.pictures[static_cast<std::size_t>(kept[i].index)];
    CHECK(picture_hash(kept[i].planes) == was.substr(was.rfind(' ') + 1));
  }
  const std::int64_t read = decoder.bytes_read();
  std::vector<std::string> rest(whole.pictures.begin() + mark.delivered, whole.pictures.end());
  std::vector<std::string> got;
  while (const auto picture = decoder.next()) got.push_back(words_of(*picture));
  CHECK((got == rest));
  CHECK(decoder.damaged() == whole.damaged);
  return read;
}

}  // namespace

TEST_CASE("a decoder goes on behind any place as if it had delivered all before it") {
  const TemporaryFolder folder;
  struct Kind {
    std::string name, encode;
    bool seeks;  // rather than decoding from the start
  };
  // Without it the files are too small to tell a seek.
  const std::string noise = "-vf noise=alls=60 ";
  const std::vector<Kind> kinds = {
      {"h264.mp4", noise + "-c:v libx264 -preset medium -qp 20 -bf 3 -g 25", true},
      {"h264.mkv", noise + "-c:v libx264 -preset medium -qp 20 -bf 3 -g 25", true},
      {"open.mkv", noise + "-c:v libx264 -preset medium -qp 20 -bf 3 -g 25 -x264-params open-gop=1",
       false},
      {"intra.mkv", noise + "-c:v libx264 -qp 20 -g 25 -intra-refresh 1", false},
      {"hevc.mkv", noise + "-c:v libx265 -preset fast -x265-params log-level=none:keyint=25:qp=20",
       true},
      {"vp9.webm", noise + "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25", true},
      {"mpeg4.avi", noise + "-c:v mpeg4 -bf 2 -g 25 -q 3", false},
      {"mpeg2.mpg", noise + "-c:v mpeg2video -bf 2 -g 25 -q 3", false},
      {"h264.ts", noise + "-c:v libx264 -preset medium -qp 20 -bf 3 -g 25", false},
      {"vfr.mkv",
       "-vf noise=alls=60,select='not(eq(mod(n\\,7)\\,3))' -fps_mode vfr -c:v libx264 -bf 3 -g 25",
       true},
  };
  for (const Kind& kind : kinds) {
    const std::string& name = kind.name;
    CAPTURE(name);
    ClipOptions clip;
    clip.frames = 130;
    clip.width = 256;
    clip.height = 192;
    clip.encode = kind.encode;
    make_clip(folder / name, clip);
    for (const int threads : kind.seeks ? std::vector{1, 3} : std::vector{3}) {
      CAPTURE(threads);
      std::vector<SourceMark> marks;
      const Rest whole = decode(folder / name, threads, {5, 16, 51, 110}, marks);
      for (const SourceMark& mark : marks) {
        CAPTURE(mark.delivered);
        const std::int64_t read = check_resumed(folder / name, 4 - threads, mark, whole);
        if (kind.seeks && mark.delivered == 110)
          CHECK(read <
                static_cast<std::int64_t>(std::filesystem::file_size(folder / name)) * 3 / 4);
      }
    }
  }
}

TEST_CASE("behind damage too, whatever the threads") {
  const TemporaryFolder folder;
  const std::string noise = "-vf noise=alls=60 ";
  ClipOptions clip;
  clip.frames = 130;
  clip.width = 256;
  clip.height = 192;
  for (const std::string& encode :
       {noise + "-c:v libx264 -preset medium -bf 3 -g 25",
        noise + "-c:v libx265 -preset fast -x265-params log-level=none:keyint=25",
        noise + "-c:v mpeg4 -bf 2 -g 25"}) {
    CAPTURE(encode);
    clip.encode = encode;
    make_clip(folder / "in.mkv", clip);
    const auto size = static_cast<std::int64_t>(std::filesystem::file_size(folder / "in.mkv"));
    {
      std::fstream file(folder / "in.mkv", std::ios::in | std::ios::out | std::ios::binary);
      for (const int percent : {35, 60}) {
        file.seekp(size * percent / 100);
        file << std::string(9000, '\x5a');
      }
    }
    std::vector<SourceMark> marks;
    const Rest whole = decode(folder / "in.mkv", 4, {20, 60, 95}, marks);
    std::vector<SourceMark> again;
    const Rest other = decode(folder / "in.mkv", 1, {20, 60, 95}, again);
    CHECK((whole.pictures == other.pictures));
    CHECK(whole.damaged == other.damaged);
    // The HEVC decoder takes garbage inside a slice for pictures, the same on every run.
    if (encode.find("x265") == std::string::npos) CHECK(whole.damaged > 0);
    for (const SourceMark& mark : marks) check_resumed(folder / "in.mkv", 2, mark, whole);
  }
}

TEST_CASE("a passage that comes twice, with its times, is not mistaken for itself") {
  const TemporaryFolder folder;
  ClipOptions clip;
  clip.frames = 60;
  clip.encode = "-c:v libx264 -preset fast -g 12";
  make_clip(folder / "once.ts", clip);
  run_command("cat " + (folder / "once.ts") + " " + (folder / "once.ts") + " > " +
              (folder / "twice.ts"));
  CHECK(index_source(folder / "once.ts").unique_times);
  CHECK(!index_source(folder / "twice.ts").unique_times);
  for (const int threads : {1, 2}) {
    std::vector<SourceMark> marks;
    const Rest whole = decode(folder / "twice.ts", threads, {40, 100}, marks);
    REQUIRE(whole.pictures.size() == 120);
    for (const SourceMark& mark : marks) check_resumed(folder / "twice.ts", threads, mark, whole);
  }
}

TEST_CASE("a mark of another film is refused") {
  const TemporaryFolder folder;
  ClipOptions clip;
  clip.frames = 60;
  make_clip(folder / "a.mp4", clip);
  clip.encode = "-c:v libx264 -preset ultrafast -qp 11";
  make_clip(folder / "b.mp4", clip);
  std::vector<SourceMark> marks;
  decode(folder / "a.mp4", 2, {40}, marks);
  Decoder decoder(folder / "b.mp4", settings_for(folder / "b.mp4", 2));
  CHECK_THROWS_AS(decoder.resume(marks.front(), 0), Error);
}
