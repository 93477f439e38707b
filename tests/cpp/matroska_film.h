// Films that FFmpeg's muxer lets grow as Matroska, for tests of their finish.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "media/ebml.h"
#include "media/file_io.h"
#include "media/matroska_finish.h"

namespace streamvsr::test {

using ebml::Bytes;

inline Bytes content(const std::string& path) {
  const File file(path, O_RDONLY);
  Bytes bytes(static_cast<std::size_t>(file.size()));
  REQUIRE(file.read_at(bytes, 0) == bytes.size());
  return bytes;
}

// Purpose: a film muxed by FFmpeg, with packets of noise. The oracle: its own trailer completes it.
class Film {
 public:
  // keep_from: the muxer goes on behind these bytes of a film that another one began.
  explicit Film(std::string path, const std::int64_t keep_from = 0)
      : path_(std::move(path)),
        keep_from_(keep_from),
        file_(path_, O_CREAT | O_RDWR),
        io_(file_, 0, keep_from) {
    AVFormatContext* context = nullptr;
    REQUIRE(avformat_alloc_output_context2(&context, nullptr, "matroska", nullptr) >= 0);
    muxer_.reset(context);
    muxer_->pb = io_.context();
    muxer_->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT;
  }

  int add(const AVMediaType type, const AVCodecID codec, const Bytes& extradata = {}) {
    AVStream* const stream = avformat_new_stream(muxer_.get(), nullptr);
    AVCodecParameters& par = *stream->codecpar;
    par.codec_type = type;
    par.codec_id = codec;
    par.width = 64;
    par.height = 48;
    par.sample_rate = 48000;
    if (type == AVMEDIA_TYPE_AUDIO) av_channel_layout_default(&par.ch_layout, 2);
    if (!extradata.empty()) set_extradata(par, extradata);
    ends_.push_back(0);
    return stream->index;
  }
  int video() { return add(AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_MPEG4); }
  int sound() { return add(AVMEDIA_TYPE_AUDIO, AV_CODEC_ID_MP3); }
  int subtitles() { return add(AVMEDIA_TYPE_SUBTITLE, AV_CODEC_ID_SUBRIP); }
  void attachment(const std::size_t size) {
    const int index = add(AVMEDIA_TYPE_ATTACHMENT, AV_CODEC_ID_TTF, Bytes(size, 7));
    tag(index, "filename", "a.ttf");
    tag(index, "mimetype", "font/ttf");
    ends_.back() = 1'000'000'000;  // to be ignored
  }
  void tag(const int index, const char* const key, const char* const value) {
    av_dict_set(index < 0 ? &muxer_->metadata : &muxer_->streams[index]->metadata, key, value, 0);
  }
  void chapters(const unsigned count) {
    muxer_->chapters = static_cast<AVChapter**>(av_calloc(count, sizeof(AVChapter*)));
    for (; muxer_->nb_chapters < count; ++muxer_->nb_chapters) {
      auto* const chapter = static_cast<AVChapter*>(av_mallocz(sizeof(AVChapter)));
      chapter->id = muxer_->nb_chapters + 1;
      chapter->time_base = {1, 1};
      chapter->start = muxer_->nb_chapters;
      chapter->end = chapter->start + 1;
      av_dict_set(&chapter->metadata, "title", "a chapter", 0);
      av_dict_set(&chapter->metadata, "mood", "sombre", 0);
      muxer_->chapters[muxer_->nb_chapters] = chapter;
    }
  }

  void begin() {
    Dictionary options;
    options.set("avoid_negative_ts", "disabled");
    REQUIRE(avformat_write_header(muxer_.get(), options.raw()) >= 0);
    avio_flush(io_.context());
    header_size_ = io_.position();
    if (keep_from_ > 0) avio_seek(io_.context(), keep_from_, SEEK_SET);
  }
  void write(AVPacket& packet) {
    std::int64_t& end = ends_.at(static_cast<std::size_t>(packet.stream_index));
    end = std::max(end, packet.pts + packet.duration);
    REQUIRE(av_write_frame(muxer_.get(), &packet) >= 0);
  }
  PacketPtr noise(const int stream, const std::int64_t ms, const std::int64_t duration,
                  const int size, const bool key = true) {
    PacketPtr packet = make_packet();
    REQUIRE(av_new_packet(packet.get(), size) >= 0);
    for (int i = 0; i < size; ++i) packet->data[i] = static_cast<std::uint8_t>(random_());
    packet->stream_index = stream;
    packet->pts = packet->dts = ms;
    packet->duration = duration;
    if (key) packet->flags |= AV_PKT_FLAG_KEY;
    return packet;
  }
  void put(const int stream, const std::int64_t ms, const std::int64_t duration, const int size,
           const bool key = true) {
    write(*noise(stream, ms, duration, size, key));
  }
  void flush() {
    REQUIRE(av_write_frame(muxer_.get(), nullptr) >= 0);
    avio_flush(io_.context());
  }
  void end() {
    flush();
    flushed_ = io_.position();
    unfinished_ = content(path_);
    REQUIRE(av_write_trailer(muxer_.get()) >= 0);
    avio_flush(io_.context());
    io_.rethrow();
    finished_ = content(path_);
    data_end_ = clusters_end(file_, flushed_);
    CHECK(clusters_end(file_, header_size_) == data_end_);
    // The trailer may have written a packet that the muxer kept back.
    unfinished_.resize(static_cast<std::size_t>(flushed_));
    unfinished_.insert(unfinished_.end(), finished_.begin() + flushed_,
                       finished_.begin() + data_end_);
  }

  AVFormatContext& muxer() { return *muxer_; }
  std::int64_t position() const { return io_.position(); }
  std::int64_t header_size() const { return header_size_; }
  std::int64_t data_end() const { return data_end_; }
  const std::vector<std::int64_t>& ends() const { return ends_; }
  const Bytes& unfinished() const { return unfinished_; }
  const Bytes& finished() const { return finished_; }

  // What the finish makes of these bytes.
  Bytes finish(const Bytes& bytes) const { return finish(bytes, data_end_, ends_); }
  Bytes finish(const Bytes& bytes, const std::int64_t data_end,
               const std::vector<std::int64_t>& ends) const {
    {
      File file(path_ + ".copy", O_CREAT | O_TRUNC | O_RDWR);
      file.write_at(bytes, 0);
      const std::int64_t written = finish_matroska(file, data_end, ends, StopFlag());
      CHECK(written >= file.size() - data_end);
    }
    return content(path_ + ".copy");
  }

 private:
  std::string path_;
  std::int64_t keep_from_;
  File file_;
  FileIo io_;
  MuxerPtr muxer_;
  std::vector<std::int64_t> ends_;
  std::minstd_rand random_{1};
  std::int64_t header_size_ = 0, flushed_ = 0, data_end_ = 0;
  Bytes unfinished_, finished_;
};

// Video of 25 pictures a second, two sounds and subtitles, flushed every second.
inline void fill(Film& film, const int video, const std::vector<int>& sounds, const int text,
                 const int from, const int to, const int gop = 40) {
  for (int n = from; n < to; ++n) {
    for (const int sound : sounds) film.put(sound, n * 40 - 7 * sound, 26, 300 + n);
    if (text >= 0 && n % 30 == 3) {
      // Shown earlier than it is stored, the first before zero; two at once, one of which does not
      // say how long.
      film.put(text, n * 40 - 900, 1500, 20);
      film.put(text, n * 40 - 900, 0, 20);
    }
    film.put(video, n * 40, 40, 900 + n % 7 * 100, n % gop == 0);
    if (n % 25 == 24) film.flush();
  }
}

// Every kind of stream, tags and chapters.
inline void complete(Film& film) {
  const int video = film.video();
  film.attachment(5000);
  const std::vector<int> sounds = {film.sound(),
                                   film.add(AVMEDIA_TYPE_AUDIO, AV_CODEC_ID_AAC, {0x11, 0x90})};
  film.tag(sounds[0], "language", "deu");
  film.tag(sounds[0], "title", "stereo");
  film.attachment(300);
  const int text = film.subtitles();
  film.tag(-1, "title", "a film");
  film.tag(text, "note", "of some length");
  film.chapters(3);
  film.begin();
  fill(film, video, sounds, text, 0, 290);
  film.put(sounds[1], 20'000, 21, 100);
}

}  // namespace streamvsr::test
