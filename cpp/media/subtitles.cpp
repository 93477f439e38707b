#include "media/subtitles.h"

#include <algorithm>

namespace streamvsr {

namespace {
constexpr std::size_t kLargestText = 1 << 20;  // bytes of one subtitle

CodecPtr open_codec(const AVCodec* const codec, AVCodecContext* const context,
                    const char* const doing) {
  CodecPtr owned(context);
  if (!owned) throw std::bad_alloc();
  check(avcodec_open2(context, codec, nullptr), doing, "subtitles");
  return owned;
}
}  // namespace

SubtitleConverter::SubtitleConverter(const AVStream& from, const AVCodecID to)
    : time_base_(from.time_base), buffer_(kLargestText) {
  const AVCodec* const decoder = avcodec_find_decoder(from.codecpar->codec_id);
  const AVCodec* const encoder = avcodec_find_encoder(to);
  if (decoder == nullptr || encoder == nullptr)
    throw Error(ErrorKind::kInput, std::string("this FFmpeg cannot turn ") +
                                       avcodec_get_name(from.codecpar->codec_id) +
                                       " subtitles into " + avcodec_get_name(to));
  AVCodecContext* const in = avcodec_alloc_context3(decoder);
  if (in == nullptr || avcodec_parameters_to_context(in, from.codecpar) < 0) throw std::bad_alloc();
  in->pkt_timebase = from.time_base;
  decoder_ = open_codec(decoder, in, "open the decoder of");
  AVCodecContext* const out = avcodec_alloc_context3(encoder);
  if (out == nullptr) throw std::bad_alloc();
  out->time_base = {1, 1000};
  if (in->subtitle_header != nullptr) {  // the styles, which the encoder frees
    out->subtitle_header = static_cast<std::uint8_t*>(
        av_mallocz(static_cast<std::size_t>(in->subtitle_header_size) + 1));
    if (out->subtitle_header == nullptr) throw std::bad_alloc();
    std::copy_n(in->subtitle_header, in->subtitle_header_size, out->subtitle_header);
    out->subtitle_header_size = in->subtitle_header_size;
  }
  encoder_ = open_codec(encoder, out, "open the encoder of");
}

ParametersPtr SubtitleConverter::parameters() const {
  ParametersPtr parameters(avcodec_parameters_alloc());
  if (!parameters || avcodec_parameters_from_context(parameters.get(), encoder_.get()) < 0)
    throw std::bad_alloc();
  return parameters;
}

PacketPtr SubtitleConverter::convert(const AVPacket& packet) {
  AVSubtitle subtitle{};
  int got = 0;
  // FFmpeg's signature lacks the const.
  const int result =
      avcodec_decode_subtitle2(decoder_.get(), &subtitle, &got, const_cast<AVPacket*>(&packet));
  if (result < 0 || got == 0) return nullptr;
  const SubtitlePtr owned(&subtitle);
  if (subtitle.num_rects == 0) return nullptr;
  const std::int64_t start = av_rescale_q(packet.pts, time_base_, {1, 1000}) +
                             static_cast<std::int64_t>(subtitle.start_display_time);
  std::int64_t duration = av_rescale_q(packet.duration, time_base_, {1, 1000});
  if (duration <= 0 && subtitle.end_display_time != UINT32_MAX)
    duration = static_cast<std::int64_t>(subtitle.end_display_time) - subtitle.start_display_time;
  subtitle.pts = av_rescale_q(start, {1, 1000}, AV_TIME_BASE_Q);
  subtitle.end_display_time = static_cast<std::uint32_t>(std::max<std::int64_t>(duration, 0));
  subtitle.start_display_time = 0;
  const int bytes = avcodec_encode_subtitle(encoder_.get(), buffer_.data(),
                                            static_cast<int>(buffer_.size()), &subtitle);
  if (bytes <= 0) return nullptr;
  PacketPtr converted = make_packet();
  if (av_new_packet(converted.get(), bytes) < 0) throw std::bad_alloc();
  std::copy_n(buffer_.data(), bytes, converted->data);
  converted->pts = converted->dts = start;
  converted->duration = duration;
  converted->flags |= AV_PKT_FLAG_KEY;
  return converted;
}

}  // namespace streamvsr
