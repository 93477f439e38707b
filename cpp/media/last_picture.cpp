#include "media/last_picture.h"

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace streamvsr {

namespace {

bool is_format(const Input& input, const std::string_view name) {
  return std::string_view(input.format().iformat->name).find(name) != std::string_view::npos;
}

// Of a Matroska track, as FFmpeg and mkvmerge write it: "00:00:04.000000000". Us; 0 without one.
std::int64_t duration_tag(const AVStream& stream) {
  const AVDictionaryEntry* const tag =
      av_dict_get(stream.metadata, "DURATION", nullptr, AV_DICT_IGNORE_SUFFIX);
  int hours = 0, minutes = 0;
  double seconds = 0.0;
  if (tag == nullptr || std::sscanf(tag->value, "%d:%d:%lf", &hours, &minutes, &seconds) != 3 ||
      hours < 0 || minutes < 0 || !(seconds >= 0.0 && seconds < 60.0))
    return 0;
  return (std::int64_t{hours} * 3600 + minutes * 60) * AV_TIME_BASE +
         static_cast<std::int64_t>(seconds * AV_TIME_BASE + 0.5);
}

// Where the container says that the enhanced stream ends, in its ticks; AV_NOPTS_VALUE: nowhere.
std::int64_t told_end(const Input& input) {
  const AVStream& stream = input.stream(input.video_index());
  if (stream.start_time == AV_NOPTS_VALUE) return AV_NOPTS_VALUE;
  if (is_format(input, "mov"))
    return stream.duration > 0 ? stream.start_time + stream.duration : AV_NOPTS_VALUE;
  // The tag counts from the film's beginning with FFmpeg, from the track's with mkvmerge.
  if (is_format(input, "matroska") && stream.start_time == 0) {
    std::int64_t end = duration_tag(stream);
    if (end == 0 && input.stream_count() == 1 && input.format().duration > 0)
      end = input.format().duration;
    if (end > 0) return av_rescale_q(end, AV_TIME_BASE_Q, stream.time_base);
  }
  return AV_NOPTS_VALUE;
}

}  // namespace

void LastPictureFinder::add(const AVPacket& packet) {
  added_ = packet.pts;
  if (packet.pts == AV_NOPTS_VALUE) return;
  if (last_ == AV_NOPTS_VALUE || packet.pts > last_) {
    before_ = last_;
    last_ = packet.pts;
    duration_ = packet.duration;
  } else if (packet.pts < last_ && (before_ == AV_NOPTS_VALUE || packet.pts > before_)) {
    before_ = packet.pts;
  }
}

void LastPictureFinder::add_field(const AVPacket& packet) {
  if (added_ != AV_NOPTS_VALUE && added_ == last_ && packet.duration > 0)
    duration_ += packet.duration;
}

std::optional<LastPicture> LastPictureFinder::found(const Input& input) const {
  if (last_ == AV_NOPTS_VALUE) return std::nullopt;
  const AVRational base = input.stream(input.video_index()).time_base;
  const std::int64_t gap = before_ == AV_NOPTS_VALUE ? 0 : last_ - before_;
  const auto rounded_from = [&](const std::int64_t a, const std::int64_t b) {
    // Edit lists and tags are often in ms.
    return av_compare_ts(std::abs(a - b), base, 3, {1, 2000}) <= 0;
  };
  LastPicture last{last_, duration_};
  if (const std::int64_t end = told_end(input); end != AV_NOPTS_VALUE && end > last_) {
    const std::int64_t told = end - last_;
    const bool matroska = !is_format(input, "mov");
    if (gap > 0 && rounded_from(told, gap))
      last.duration = gap;
    else if (!(matroska && last.duration > 0 && rounded_from(told, last.duration)))
      last.duration = told;
  }
  if (last.duration <= 0) last.duration = gap;
  if (last.duration <= 0) return std::nullopt;
  return last;
}

std::optional<LastPicture> read_last_picture(const std::string& path, const std::int64_t from) {
  Input input(path);
  const int index = input.video_index();
  input.select_only(index);
  if (av_seek_frame(&input.format(), index, from, AVSEEK_FLAG_BACKWARD | AVSEEK_FLAG_ANY) < 0)
    return std::nullopt;
  LastPictureFinder finder;
  const PacketPtr packet = make_packet();
  while (input.read(*packet))
    if (packet->stream_index == index && (packet->flags & AV_PKT_FLAG_DISCARD) == 0)
      finder.add(*packet);
  return finder.found(input);
}

}  // namespace streamvsr
