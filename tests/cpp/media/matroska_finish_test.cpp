#include "media/matroska_finish.h"

#include <functional>

#include "clip.h"
#include "matroska_film.h"

using namespace streamvsr;
using namespace streamvsr::test;

namespace {

struct Case {
  std::string name;
  std::function<void(Film&)> make;
};
const std::vector<Case> kFilms = {
    {"video, sounds, subtitles, attachments, chapters", complete},
    {"video alone, few key frames",
     [](Film& film) {
       film.video();
       film.begin();
       fill(film, 0, {}, -1, 0, 700, 10'000);
     }},
    {"no key frame at all: no index; a header with padding",
     [](Film& film) {
       film.video();
       film.muxer().metadata_header_padding = 100;
       film.begin();
       fill(film, 0, {}, -1, 1, 60, 10'000);
     }},
    {"many clusters in a fragment, key frames that coincide",
     [](Film& film) {
       const int video = film.video(), text = film.subtitles();
       film.begin();
       for (int n = 0; n < 300; ++n) {
         film.put(video, n / 2 * 80, 40, 3000, n % 4 < 2);
         if (n % 10 == 0) film.put(text, n * 40, 3000, 1);
       }
     }},
    {"sound alone, from before zero, with gaps wider than a cluster",
     [](Film& film) {
       const int one = film.sound(), two = film.sound();
       film.begin();
       for (int n = 0; n < 400; ++n) {
         film.put(one, n * 26 - 50 + n / 100 * 70'000, 26, 400, n % 3 != 1);
         film.put(two, n * 26 - 30 + n / 100 * 70'000, 26, 200, n % 5 != 0);
         if (n % 40 == 39) film.flush();
       }
     }},
    {"padding, additions, references",
     [](Film& film) {
       const int video = film.video(), sound = film.sound();
       const int text = film.add(AVMEDIA_TYPE_SUBTITLE, AV_CODEC_ID_WEBVTT);
       film.begin();
       for (int n = 0; n < 100; ++n) {
         const PacketPtr packet = film.noise(sound, n * 40, 40, 100);
         if (n % 3 == 0) {
           std::uint8_t* const skip =
               av_packet_new_side_data(packet.get(), AV_PKT_DATA_SKIP_SAMPLES, 10);
           std::fill_n(skip, 10, static_cast<std::uint8_t>(0));
           skip[4] = static_cast<std::uint8_t>(n);
         }
         film.write(*packet);
         if (n % 20 == 0) film.put(text, n * 40, n, 30);
         const PacketPtr picture = film.noise(video, n * 40, 40, 700, n % 7 == 0);
         if (n % 2 == 0) {
           std::uint8_t* const more =
               av_packet_new_side_data(picture.get(), AV_PKT_DATA_MATROSKA_BLOCKADDITIONAL, 300);
           std::fill_n(more, 300, static_cast<std::uint8_t>(0));
           more[7] = 1;
         }
         film.write(*picture);
         if (n % 30 == 29) film.flush();
       }
     }},
    {"days",
     [](Film& film) {
       const int video = film.video(), sound = film.sound();
       film.add(AVMEDIA_TYPE_AUDIO, AV_CODEC_ID_AC3);  // without a packet
       film.begin();
       std::int64_t ms = 1;
       for (int n = 0; n < 26; ++n, ms = ms * 2 + 77) {
         film.put(video, ms, 33, 100 + 500 * n);
         film.put(sound, ms, 59'999, 100);
         film.flush();
       }
       // More than a thousand hours: the muxer cuts the text.
       film.put(video, 3'900'000'123, 1, 10);
     }},
    {"hundreds of tracks",
     [](Film& film) {
       for (int i = 0; i < 300; ++i) film.subtitles();
       film.begin();
       for (int i = 0; i < 300; ++i) film.put(i, i * 10, i, i + 1);
     }},
    {"nothing",
     [](Film& film) {
       film.video();
       film.begin();
     }},
};

}  // namespace

TEST_CASE("the finish makes of a film's clusters what FFmpeg's trailer does") {
  const TemporaryFolder folder;
  for (const Case& one : kFilms) {
    CAPTURE(one.name);
    Film film(folder / "f.mkv");
    one.make(film);
    film.end();
    REQUIRE(film.unfinished() != film.finished());
    const Bytes once = film.finish(film.unfinished());
    CHECK(once == film.finished());
    CHECK(film.finish(once) == once);
    Bytes torn = film.unfinished();
    torn.insert(torn.end(), 10'000, 0x1F);  // to be cut off
    CHECK(film.finish(torn) == once);
    remove_file(folder / "f.mkv");
  }
}

TEST_CASE("a film of real codecs is finished as FFmpeg does") {
  const TemporaryFolder folder;
  {
    File text(folder / "t.srt", O_CREAT | O_RDWR);
    const std::string lines =
        "1\n00:00:00,500 --> 00:00:02,000\nOne\n\n2\n00:00:03,000 --> 00:00:04,250\nTwo\n";
    text.write_at({reinterpret_cast<const std::uint8_t*>(lines.data()), lines.size()}, 0);
  }
  ClipOptions options;
  options.frames = 150;
  options.more_inputs =
      "-f lavfi -i sine=d=6.1:r=44100 -f lavfi -i sine=d=5:r=48000 -i " + (folder / "t.srt");
  options.encode =
      "-map 0 -map 1 -map 2 -map 3 -c:v libx264 -preset veryfast -bf 3 -g 60 -c:a:0 aac "
      "-c:a:1 libopus -c:s subrip";
  make_clip(folder / "in.mkv", options);
  AVFormatContext* context = nullptr;
  REQUIRE(avformat_open_input(&context, (folder / "in.mkv").c_str(), nullptr, nullptr) >= 0);
  const InputPtr input(context);
  REQUIRE(avformat_find_stream_info(context, nullptr) >= 0);
  REQUIRE(input->nb_streams == 4);
  Film film(folder / "f.mkv");
  for (unsigned i = 0; i < 4; ++i) {
    const AVStream& from = *input->streams[i];
    const int index = film.add(from.codecpar->codec_type, from.codecpar->codec_id);
    AVCodecParameters& to = *film.muxer().streams[index]->codecpar;
    REQUIRE(avcodec_parameters_copy(&to, from.codecpar) >= 0);
    to.codec_tag = 0;
  }
  film.begin();
  const PacketPtr packet = make_packet();
  int pictures = 0;
  while (av_read_frame(input.get(), packet.get()) >= 0) {
    const int stream = packet->stream_index;
    av_packet_rescale_ts(packet.get(), input->streams[stream]->time_base,
                         film.muxer().streams[stream]->time_base);
    film.write(*packet);
    av_packet_unref(packet.get());
    if (stream == 0 && ++pictures % 25 == 0) film.flush();
  }
  film.end();
  CHECK(film.finish(film.unfinished()) == film.finished());
}

TEST_CASE("a film begun by one muxer and continued by another is finished like one of one muxer") {
  const TemporaryFolder folder;
  const auto begin = [](Film& film) {
    film.video();
    film.sound();
    film.subtitles();
    film.chapters(2);
    film.begin();
  };
  Film whole(folder / "whole.mkv");
  begin(whole);
  fill(whole, 0, {1}, 2, 0, 100);
  fill(whole, 0, {1}, 2, 100, 250);
  whole.end();
  Film first(folder / "f.mkv");
  begin(first);
  fill(first, 0, {1}, 2, 0, 100);
  Film second(folder / "f.mkv", first.position());
  begin(second);
  // The noise is drawn from the beginning: drawn again, it is what followed.
  for (int n = 0; n < 100; ++n) {
    second.noise(1, 0, 0, 300 + n);
    if (n % 30 == 3) second.noise(2, 0, 0, 40);
    second.noise(0, 0, 0, 900 + n % 7 * 100);
  }
  fill(second, 0, {1}, 2, 100, 250);
  const Bytes joined = content(folder / "f.mkv");
  CHECK(whole.finish(joined) == whole.finished());
  // Where the second muxer's trailer got through as well, its index and what it put into the header
  // make no difference.
  second.end();
  CHECK(second.data_end() == whole.data_end());
  CHECK(second.finished() != whole.finished());
  CHECK(whole.finish(second.finished()) == whole.finished());
}
