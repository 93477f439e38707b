#include "media/subtitles.h"

extern "C" {
#include <libavutil/avstring.h>
}

#include <algorithm>
#include <array>
#include <span>
#include <string>

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

bool is_utf8(const std::span<const std::uint8_t> text) {
  const std::uint8_t* at = text.data();
  const std::uint8_t* const end = at + text.size();
  std::int32_t code = 0;
  while (at < end)
    if (av_utf8_decode(&code, &at, end, AV_UTF8_FLAG_ACCEPT_ALL) < 0) return false;
  return true;
}

// The characters 0x80 to 0x9F of Windows-1252; 0xFFFD where it has none. All others are Latin-1.
constexpr std::array<std::uint32_t, 32> kWindows1252 = {
    0x20AC, 0xFFFD, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0xFFFD, 0x017D, 0xFFFD, 0xFFFD, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0xFFFD, 0x017E, 0x0178,
};

std::string utf8_of_windows1252(const std::span<const std::uint8_t> text) {
  std::string utf8;
  for (const std::uint8_t byte : text) {
    const std::uint32_t code = byte >= 0x80 && byte < 0xA0 ? kWindows1252[byte - 0x80U] : byte;
    if (code < 0x80) {
      utf8 += static_cast<char>(code);
    } else if (code < 0x800) {
      utf8 += static_cast<char>(0xC0 | code >> 6);
      utf8 += static_cast<char>(0x80 | (code & 0x3F));
    } else {
      utf8 += static_cast<char>(0xE0 | code >> 12);
      utf8 += static_cast<char>(0x80 | (code >> 6 & 0x3F));
      utf8 += static_cast<char>(0x80 | (code & 0x3F));
    }
  }
  return utf8;
}

// FFmpeg's decoders refuse a text that is not UTF-8; old tools wrote such into tracks that claim to
// be. Nothing where the packet is fine.
PacketPtr recoded(const AVPacket& packet) {
  const std::span<const std::uint8_t> text(packet.data, static_cast<std::size_t>(packet.size));
  if (packet.data == nullptr || is_utf8(text)) return nullptr;
  const std::string utf8 = utf8_of_windows1252(text);
  PacketPtr other = make_packet();
  if (av_new_packet(other.get(), static_cast<int>(utf8.size())) < 0 ||
      av_packet_copy_props(other.get(), &packet) < 0)
    throw std::bad_alloc();
  std::copy(utf8.begin(), utf8.end(), other->data);
  return other;
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
  // MP4's own texts begin with their length.
  const PacketPtr utf8 = decoder_->codec_id == AV_CODEC_ID_MOV_TEXT ? nullptr : recoded(packet);
  // FFmpeg's signature lacks the const.
  const int result = avcodec_decode_subtitle2(decoder_.get(), &subtitle, &got,
                                              utf8 ? utf8.get() : const_cast<AVPacket*>(&packet));
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
