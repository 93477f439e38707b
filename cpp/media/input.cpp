#include "media/input.h"

#include <sys/stat.h>

#include <algorithm>
#include <cmath>

namespace streamvsr {

namespace {

void check_file(const std::string& path) {
  if (path.empty()) throw Error(ErrorKind::kNotFound, "the input path is empty", path, ENOENT);
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      const bool pattern = av_filename_number_test(path.c_str()) != 0;
      throw Error(ErrorKind::kNotFound,
                  "the input '" + path + "' does not exist" +
                      (pattern ? "; to read numbered pictures, join them into one file first: "
                                 "ffmpeg -framerate 25 -i '" +
                                     path + "' -c:v ffv1 joined.mkv"
                               : ""),
                  path, ENOENT);
    }
    throw_errno(errno, "look at the input", path);
  }
  if (S_ISDIR(status.st_mode))
    throw Error(ErrorKind::kInput, "the input '" + path + "' is a directory; give a video file",
                path, EISDIR);
  if (!S_ISREG(status.st_mode))
    throw Error(ErrorKind::kInput,
                "the input '" + path +
                    "' is not a regular file (a pipe or a device); save it to a file first, it is "
                    "read twice",
                path);
  if (status.st_size == 0)
    throw Error(ErrorKind::kInput, "the input '" + path + "' is empty (0 bytes)", path);
}

std::string or_empty(const char* const text) { return text != nullptr ? text : ""; }

std::string known(const char* const name) {
  const std::string text = or_empty(name);
  return text == "unknown" || text == "unspecified" ? "" : text;
}

double seconds(const std::int64_t ticks, const AVRational base) {
  return ticks == AV_NOPTS_VALUE ? -1.0 : static_cast<double>(ticks) * av_q2d(base);
}

std::string field_order_name(const AVFieldOrder order) {
  switch (order) {
    case AV_FIELD_PROGRESSIVE:
      return "progressive";
    case AV_FIELD_TT:
      return "tt";
    case AV_FIELD_BB:
      return "bb";
    case AV_FIELD_TB:
      return "tb";
    case AV_FIELD_BT:
      return "bt";
    default:
      return "";
  }
}

StreamInfo describe(const AVStream& stream) {
  const AVCodecParameters& par = *stream.codecpar;
  StreamInfo info;
  info.index = stream.index;
  info.type = or_empty(av_get_media_type_string(par.codec_type));
  info.codec = avcodec_get_name(par.codec_id);
  info.profile = or_empty(avcodec_profile_name(par.codec_id, par.profile));
  info.duration = seconds(stream.duration, stream.time_base);
  info.start_time =
      stream.start_time == AV_NOPTS_VALUE ? 0.0 : seconds(stream.start_time, stream.time_base);
  info.bit_rate = par.bit_rate;
  info.frames = stream.nb_frames > 0 ? stream.nb_frames : -1;
  info.metadata = to_map(stream.metadata);
  if (const auto it = info.metadata.find("language"); it != info.metadata.end())
    info.language = it->second;
  if (const auto it = info.metadata.find("title"); it != info.metadata.end())
    info.title = it->second;
  info.attached_picture = is_cover(stream);
  for (int bit = 0; bit < 31; ++bit) {
    const int flag = 1 << bit;
    if ((stream.disposition & flag) != 0)
      if (const char* const name = av_disposition_to_string(flag))
        info.disposition.emplace_back(name);
  }
  if (par.codec_type == AVMEDIA_TYPE_VIDEO) {
    info.width = par.width;
    info.height = par.height;
    const AVRational sar =
        stream.sample_aspect_ratio.num != 0 ? stream.sample_aspect_ratio : par.sample_aspect_ratio;
    if (sar.num > 0 && sar.den > 0)
      info.sample_aspect_ratio = std::to_string(sar.num) + ":" + std::to_string(sar.den);
    info.pixel_format = or_empty(av_get_pix_fmt_name(static_cast<AVPixelFormat>(par.format)));
    if (stream.avg_frame_rate.num > 0 && stream.avg_frame_rate.den > 0)
      info.frame_rate = av_q2d(stream.avg_frame_rate);
    info.color_range = known(av_color_range_name(par.color_range));
    info.color_space = known(av_color_space_name(par.color_space));
    info.color_transfer = known(av_color_transfer_name(par.color_trc));
    info.color_primaries = known(av_color_primaries_name(par.color_primaries));
    info.chroma_location = known(av_chroma_location_name(par.chroma_location));
    info.field_order = field_order_name(par.field_order);
    info.rotation = stream_rotation(stream);
    if (std::isnan(info.rotation)) info.rotation = 0.0;
  } else if (par.codec_type == AVMEDIA_TYPE_AUDIO) {
    info.sample_rate = par.sample_rate;
    info.channels = channel_count(par);
  }
  return info;
}

}  // namespace

bool is_cover(const AVStream& stream) {
  return (stream.disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
}

Input::Input(const std::string& path) : path_(path), log_(std::make_unique<LogSink>()) {
  install_log_routing();
  check_file(path);
  refuse_playlist(path);
  const LogSink::Scope scope(*log_);
  // "file:" keeps names such as "concat:a.mp4" from being taken for a protocol.
  AVFormatContext* context = avformat_alloc_context();
  if (context == nullptr) throw std::bad_alloc();
  context->opaque = log_.get();
  others_ = std::make_unique<OtherFiles>(*context);
  const int opened = avformat_open_input(&context, ("file:" + path).c_str(), nullptr, nullptr);
  if (opened >= 0) format_.reset(context);  // else the call freed it
  others_->check(path);
  if (opened < 0) {
    const std::string words = log_->last_words();
    throw Error(ErrorKind::kInput,
                "'" + path + "' is no video file that FFmpeg can open: " + av_text(opened) +
                    (words.empty() ? "" : " (FFmpeg: " + words + ")"),
                path);
  }
  check(avformat_find_stream_info(format_.get(), nullptr), "find the streams of", path,
        ErrorKind::kInput, log_.get());
  others_->check(path);
  check_medium();
  for (unsigned i = 0; i < format_->nb_streams && video_index_ < 0; ++i)
    if (format_->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_VIDEO &&
        !is_cover(*format_->streams[i]))
      video_index_ = static_cast<int>(i);
}

// Demuxers look for the next packet behind a failed read, as if the file were damaged.
void Input::check_medium() const {
  if (format_->pb != nullptr && format_->pb->error < 0)
    check(format_->pb->error, "read", path_, ErrorKind::kIo, log_.get());
}

// Whether there is memory for the largest packet that the file can hold, as far as a film has such.
bool Input::room_for_a_packet() const {
  const std::int64_t bytes = std::clamp<std::int64_t>(avio_size(format_->pb), 1, kLargestPacket);
  const std::unique_ptr<void, FreeBy<av_free>> room(av_malloc(static_cast<std::size_t>(bytes)));
  return room != nullptr;
}

// A demuxer that returns EAGAIN has skipped something, so a few calls without a move are usual.
constexpr int kMostCallsWithoutMove = 1000;

bool Input::read(AVPacket& packet) {
  const LogSink::Scope scope(*log_);
  av_packet_unref(&packet);
  const int complaints = log_->errors();
  std::int64_t position = -1;
  for (int stuck = 0;;) {
    const int result = av_read_frame(format_.get(), &packet);
    check_medium();
    if (result >= 0) {
      // Finding the streams buffered packets of all of them, select() or not.
      if (format_->streams[packet.stream_index]->discard != AVDISCARD_ALL) {
        jumps_.move(packet, *format_->streams[packet.stream_index]);
        return true;
      }
      av_packet_unref(&packet);
      continue;
    }
    if (result == AVERROR(EAGAIN)) {
      // The demuxer asks to be called again. One that never moves would not end, nor see a stop.
      const std::int64_t at = format_->pb != nullptr ? avio_tell(format_->pb) : 0;
      stuck = at == position ? stuck + 1 : 0;
      position = at;
      if (stuck < kMostCallsWithoutMove) continue;
    }
    if (result == AVERROR(ENOMEM) && !room_for_a_packet()) throw std::bad_alloc();
    // Some demuxers report a file that was cut off as its end, and only say so.
    if (result == AVERROR(ENOMEM))
      damage_ = "a packet claims to be larger than any of a film";
    else if (result != AVERROR_EOF)
      damage_ = av_text(result);
    else if (log_->errors() > complaints)
      damage_ = log_->last_words();
    return false;
  }
}

void Input::select_only(const int stream) {
  std::vector<bool> keep(static_cast<std::size_t>(stream_count()), false);
  keep[static_cast<std::size_t>(stream)] = true;
  select(keep);
}

void Input::select(const std::vector<bool>& keep) {
  for (unsigned i = 0; i < format_->nb_streams; ++i)
    format_->streams[i]->discard = i < keep.size() && keep[i] ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
}

MediaInfo probe(const std::string& path) {
  const Input input(path);
  const AVFormatContext& format = input.format();
  MediaInfo info;
  info.path = path;
  info.format = format.iformat->name;
  info.duration = format.duration == AV_NOPTS_VALUE
                      ? -1.0
                      : static_cast<double>(format.duration) / AV_TIME_BASE;
  info.start_time = format.start_time == AV_NOPTS_VALUE
                        ? 0.0
                        : static_cast<double>(format.start_time) / AV_TIME_BASE;
  info.bit_rate = format.bit_rate;
  info.size_bytes = avio_size(format.pb);
  info.metadata = to_map(format.metadata);
  info.video_index = input.video_index();
  for (unsigned i = 0; i < format.nb_chapters; ++i) {
    const AVChapter& chapter = *format.chapters[i];
    const auto tags = to_map(chapter.metadata);
    const auto title = tags.find("title");
    info.chapters.push_back({seconds(chapter.start, chapter.time_base),
                             seconds(chapter.end, chapter.time_base),
                             title != tags.end() ? title->second : std::string()});
  }
  for (int i = 0; i < input.stream_count(); ++i) info.streams.push_back(describe(input.stream(i)));
  return info;
}

}  // namespace streamvsr
