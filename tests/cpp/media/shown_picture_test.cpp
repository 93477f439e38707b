#include "media/shown_picture.h"

#include <doctest/doctest.h>

#include <fstream>

#include "clip.h"
#include "media/hash.h"
#include "media/source_index.h"

using namespace streamvsr;
using namespace streamvsr::test;

namespace {

const StopFlag kGoOn;

DecoderSettings settings_for(const std::string& path, const int threads) {
  DecoderSettings asked;
  const SourceIndex index = index_source(path);
  asked.unique_times = index.unique_times;
  asked.interlaced = Interlaced::kDeinterlace;
  Decoder first(path, asked);
  REQUIRE(first.next().has_value());
  DecoderSettings settings = first.settings();
  settings.threads = threads;
  settings.bits_per_pixel = index.bits_per_pixel(settings.width, settings.height);
  return settings;
}

// Time, strength and samples.
std::string words_of(const SourcePicture& picture) {
  return std::to_string(picture.pts) + " " +
         sha256({reinterpret_cast<const char*>(&picture.codec_strength), sizeof(float)}) + " " +
         picture_hash(picture.planes);
}

struct Film {
  std::vector<std::string> words;
  std::vector<std::int64_t> times;  // of the pictures, and the end of the last
};

Film decode(const std::string& path, const DecoderSettings& settings) {
  Film film;
  Decoder decoder(path, settings);
  std::int64_t end = 0;
  while (const auto picture = decoder.next()) {
    film.words.push_back(words_of(*picture));
    film.times.push_back(picture->pts);
    end = picture->pts + picture->duration;
  }
  film.times.push_back(end);
  return film;
}

// Looks for pictures by times in their intervals; returns how many were sought.
int check_found(const std::string& path, const int threads, const int earlier) {
  const DecoderSettings settings = settings_for(path, threads);
  const Film film = decode(path, settings);
  int sought = 0;
  for (const std::size_t i : {0, 1, 9, 39, 40, 45, 50, 59, 60, 61, 78, 98, 99}) {
    if (i >= film.words.size()) continue;
    CAPTURE(i);
    for (const std::int64_t time : {film.times[i], film.times[i + 1] - 1}) {
      const ShownPicture shown = find_shown_picture(path, settings, time, earlier, kGoOn);
      const std::size_t count = std::min<std::size_t>(i + 1, static_cast<std::size_t>(earlier) + 1);
      REQUIRE(shown.pictures.size() == count);
      for (std::size_t n = 0; n < count; ++n)
        CHECK(words_of(shown.pictures[n]) == film.words[i + 1 - count + n]);
      sought += shown.sought ? 1 : 0;
    }
  }
  CHECK(find_shown_picture(path, settings, film.times.back(), earlier, kGoOn).pictures.empty());
  CHECK(
      find_shown_picture(path, settings, film.times.back() * 50, earlier, kGoOn).pictures.empty());
  const ShownPicture first =
      find_shown_picture(path, settings, film.times.front() - 1, earlier, kGoOn);
  REQUIRE(first.pictures.size() == 1);
  CHECK(words_of(first.pictures.front()) == film.words.front());
  return sought;
}

ClipOptions ten_seconds(const std::string& encode) {
  ClipOptions clip;
  clip.width = 128;
  clip.height = 96;
  clip.frames = 100;
  clip.rate = 10;
  clip.encode = "-vf noise=alls=40" + encode;
  return clip;
}

}  // namespace

TEST_CASE("the picture shown at a time is the one of a decoder from the beginning") {
  const TemporaryFolder folder;
  struct Kind {
    std::string name, encode;
    bool seeks;
  };
  const std::vector<Kind> kinds = {
      {"h264.mp4", " -c:v libx264 -preset medium -qp 20 -bf 3 -g 10", true},
      {"h264.ts", " -c:v libx264 -preset medium -qp 20 -bf 3 -g 10", true},
      {"open.mkv", " -c:v libx264 -preset medium -qp 20 -bf 3 -g 10 -x264-params open-gop=1", true},
      {"intra.mkv", " -c:v libx264 -qp 20 -g 10 -intra-refresh 1", false},
      {"one.mkv", " -c:v libx264 -preset fast -g 1000 -sc_threshold 0", false},
      {"hevc.mkv", " -c:v libx265 -preset fast -x265-params log-level=none:keyint=10:qp=20", true},
      {"vp9.webm", " -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 10", true},
      {"mpeg2.mpg", " -r 25 -c:v mpeg2video -bf 2 -g 10 -q 3", false},
      {"fields.mkv", " -c:v libx264 -preset fast -flags +ilme+ildct -x264opts tff=1 -g 10", true},
      {"vfr.mkv", ",select='not(eq(mod(n\\,7)\\,3))' -fps_mode vfr -c:v libx264 -bf 3 -g 10", true},
  };
  for (const Kind& kind : kinds) {
    const std::string& name = kind.name;
    CAPTURE(name);
    make_clip(folder / name, ten_seconds(kind.encode));
    const int sought = check_found(folder / name, 2, 0);
    if (name != "intra.mkv") CHECK((sought > 0) == kind.seeks);
  }
  CHECK(check_found(folder / "hevc.mkv", 1, 3) > 0);
}

TEST_CASE("an index that calls every picture a key frame misleads nobody") {
  // A decoder that takes differences to a picture it never had, and does not complain.
  const TemporaryFolder folder;
  const std::string path = folder / "in.mov";
  ClipOptions clip = ten_seconds("");
  clip.encode = "-c:v qtrle -g 1000";
  make_clip(path, clip);
  std::string bytes(std::filesystem::file_size(path), '\0');
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  // Without the table of key frames every sample is one.
  const std::size_t table = bytes.rfind("stss");
  REQUIRE(table != std::string::npos);
  file.seekp(static_cast<std::streamoff>(table));
  file.write("skip", 4);
  file.close();
  check_found(path, 2, 0);
}

TEST_CASE("a film of few pictures a second is sought in, too") {
  const TemporaryFolder folder;
  ClipOptions clip = ten_seconds(" -c:v libx264 -g 4 -preset fast");
  clip.rate = 4;
  make_clip(folder / "in.mkv", clip);
  CHECK(check_found(folder / "in.mkv", 2, 0) == 20);  // of those behind the first four seconds, all
}

TEST_CASE("behind damage, and where a passage comes twice, it is too") {
  const TemporaryFolder folder;
  make_clip(folder / "in.mkv", ten_seconds(" -c:v libx264 -preset medium -bf 3 -g 10"));
  {
    const auto size = static_cast<std::int64_t>(std::filesystem::file_size(folder / "in.mkv"));
    std::fstream file(folder / "in.mkv", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(size * 35 / 100);
    file << std::string(3000, '\x5a');
  }
  check_found(folder / "in.mkv", 2, 0);
  make_clip(folder / "once.ts", ten_seconds(" -c:v libx264 -preset fast -g 10"));
  run_command("cat " + (folder / "once.ts") + " " + (folder / "once.ts") + " > " +
              (folder / "twice.ts"));
  CHECK(check_found(folder / "twice.ts", 2, 0) == 0);
}
