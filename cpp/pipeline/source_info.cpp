#include "pipeline/source_info.h"

namespace streamvsr {

AVRational mean_rate(const SourceIndex& index, const AVStream& stream) {
  if (index.packets.size() < 2 && stream.avg_frame_rate.num > 0) return stream.avg_frame_rate;
  return index.mean_rate(stream.time_base);
}

SourceInfo source_info(const std::string& path, const PlanningTick& tick) {
  const Input input(path);
  if (input.video_index() < 0)
    throw Error(ErrorKind::kInput, "there is no video in '" + path + "'", path);
  const SourceIndex index = index_source(path, tick);
  const AVStream& stream = input.stream(input.video_index());
  const AVCodecParameters& coded = *stream.codecpar;
  SourceInfo info;
  info.width = coded.width;
  info.height = coded.height;
  info.frame_rate = av_q2d(mean_rate(index, stream));
  info.frames = static_cast<std::int64_t>(index.packets.size());
  info.duration = static_cast<double>(info.frames) / info.frame_rate;
  for (int i = 0; i < input.stream_count(); ++i)
    info.has_audio |= input.stream(i).codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
  info.codec = avcodec_get_name(coded.codec_id);
  if (const char* const name = av_get_pix_fmt_name(static_cast<AVPixelFormat>(coded.format)))
    info.pixel_format = name;
  info.size_bytes = avio_size(input.format().pb);
  return info;
}

}  // namespace streamvsr
