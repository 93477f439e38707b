#include "media/pcm.h"

#include <algorithm>
#include <bit>

namespace streamvsr {

namespace {

static_assert(std::endian::native == std::endian::little, "plain PCM is made of native samples");

constexpr int kTriedPackets = 100;

// Plain PCM for what a decoder gives; AV_CODEC_ID_NONE for other formats.
AVCodecID plain_codec(const AVSampleFormat format, const int bits) {
  switch (av_get_packed_sample_fmt(format)) {
    case AV_SAMPLE_FMT_U8:
      return AV_CODEC_ID_PCM_U8;
    case AV_SAMPLE_FMT_S16:
      return AV_CODEC_ID_PCM_S16LE;
    case AV_SAMPLE_FMT_S32:
      return bits > 0 && bits <= 24 ? AV_CODEC_ID_PCM_S24LE : AV_CODEC_ID_PCM_S32LE;
    case AV_SAMPLE_FMT_FLT:
      return AV_CODEC_ID_PCM_F32LE;
    case AV_SAMPLE_FMT_DBL:
      return AV_CODEC_ID_PCM_F64LE;
    default:
      return AV_CODEC_ID_NONE;
  }
}

std::size_t bytes_per_sample(const AVCodecID codec) {
  return static_cast<std::size_t>(av_get_bits_per_sample(codec)) / 8;
}

CodecPtr open_decoder(const AVStream& stream) {
  const AVCodec* const codec = avcodec_find_decoder(stream.codecpar->codec_id);
  if (codec == nullptr) return nullptr;
  CodecPtr decoder(avcodec_alloc_context3(codec));
  if (!decoder || avcodec_parameters_to_context(decoder.get(), stream.codecpar) < 0)
    throw std::bad_alloc();
  decoder->thread_count = 1;
  Dictionary options;
  // SMPTE 302M may carry coded sound (SMPTE 337M), which is kept as it is.
  if (codec->id == AV_CODEC_ID_S302M) options.set("non_pcm_mode", "copy");
  if (avcodec_open2(decoder.get(), codec, options.raw()) < 0) return nullptr;
  return decoder;
}

// A packed packet's samples into `frame`; false for a damaged packet and for one without samples.
bool decode(AVCodecContext& decoder, const AVPacket& packet, AVFrame& frame) {
  av_frame_unref(&frame);
  return avcodec_send_packet(&decoder, &packet) >= 0 &&
         avcodec_receive_frame(&decoder, &frame) >= 0 && frame.nb_samples > 0;
}

}  // namespace

bool is_packed_pcm(const AVCodecID codec) {
  static constexpr AVCodecID kPacked[] = {
      AV_CODEC_ID_PCM_BLURAY,       AV_CODEC_ID_PCM_DVD,          AV_CODEC_ID_S302M,
      AV_CODEC_ID_PCM_S8,           AV_CODEC_ID_PCM_S8_PLANAR,    AV_CODEC_ID_PCM_U16LE,
      AV_CODEC_ID_PCM_U16BE,        AV_CODEC_ID_PCM_U24LE,        AV_CODEC_ID_PCM_U24BE,
      AV_CODEC_ID_PCM_U32LE,        AV_CODEC_ID_PCM_U32BE,        AV_CODEC_ID_PCM_S16BE,
      AV_CODEC_ID_PCM_S24BE,        AV_CODEC_ID_PCM_S32BE,        AV_CODEC_ID_PCM_F32BE,
      AV_CODEC_ID_PCM_F64BE,        AV_CODEC_ID_PCM_S16LE_PLANAR, AV_CODEC_ID_PCM_S16BE_PLANAR,
      AV_CODEC_ID_PCM_S24LE_PLANAR, AV_CODEC_ID_PCM_S32LE_PLANAR, AV_CODEC_ID_PCM_LXF};
  return std::find(std::begin(kPacked), std::end(kPacked), codec) != std::end(kPacked);
}

SharedParameters plain_pcm(const Input& input, const int index) {
  Input again(input.path());
  again.select_only(index);
  const CodecPtr decoder = open_decoder(again.stream(index));
  if (!decoder) return nullptr;
  LogSink quiet;
  const LogSink::Scope scope(quiet);
  const PacketPtr packet = make_packet();
  const FramePtr frame = make_frame();
  bool decoded = false;
  for (int i = 0; i < kTriedPackets && !decoded && again.read(*packet); ++i)
    decoded = decode(*decoder, *packet, *frame);
  if (!decoded) return nullptr;
  const AVCodecID codec = plain_codec(decoder->sample_fmt, decoder->bits_per_raw_sample);
  if (codec == AV_CODEC_ID_NONE) return nullptr;
  ParametersPtr plain(avcodec_parameters_alloc());
  if (!plain || avcodec_parameters_from_context(plain.get(), decoder.get()) < 0)
    throw std::bad_alloc();
  const auto bytes = static_cast<int>(bytes_per_sample(codec));
  plain->codec_id = codec;
  plain->codec_tag = 0;
  plain->format = av_get_packed_sample_fmt(decoder->sample_fmt);
  plain->bits_per_coded_sample = 8 * bytes;
  plain->bits_per_raw_sample = 8 * bytes;
  plain->block_align = bytes * channel_count(*plain);
  plain->bit_rate = std::int64_t{8} * plain->block_align * plain->sample_rate;
  plain->frame_size = 0;
  set_extradata(*plain, {});
  return SharedParameters(std::move(plain));
}

PcmConverter::PcmConverter(const AVStream& from, const AVCodecParameters& plain)
    : decoder_(open_decoder(from)),
      codec_(plain.codec_id),
      sample_rate_(plain.sample_rate),
      channels_(channel_count(plain)) {
  if (!decoder_)
    throw Error(ErrorKind::kInput, std::string("this FFmpeg cannot decode ") +
                                       avcodec_get_name(from.codecpar->codec_id));
}

PacketPtr PcmConverter::convert(const AVPacket& packet) {
  const LogSink::Scope scope(quiet_);
  if (!decode(*decoder_, packet, *frame_)) return nullptr;
  const auto format = static_cast<AVSampleFormat>(frame_->format);
  // A depth that changes on the way may be larger, but not lose bits.
  const bool widened =
      codec_ == AV_CODEC_ID_PCM_S24LE && av_get_packed_sample_fmt(format) == AV_SAMPLE_FMT_S16;
  if (!widened && plain_codec(format, decoder_->bits_per_raw_sample) != codec_) return nullptr;
  const ParametersPtr now(avcodec_parameters_alloc());
  if (!now || avcodec_parameters_from_context(now.get(), decoder_.get()) < 0)
    throw std::bad_alloc();
  if (now->sample_rate != sample_rate_ || channel_count(*now) != channels_) return nullptr;

  const auto channels = static_cast<std::size_t>(channels_);
  const std::size_t count = static_cast<std::size_t>(frame_->nb_samples) * channels;
  const std::size_t to = bytes_per_sample(codec_);
  const auto from = static_cast<std::size_t>(av_get_bytes_per_sample(format));
  const bool planar = av_sample_fmt_is_planar(format) != 0;
  PacketPtr plain = make_packet();
  if (av_new_packet(plain.get(), static_cast<int>(count * to)) < 0) throw std::bad_alloc();
  // 24 bits are the upper ones of 32, and 16 bits the upper ones of 24.
  const std::size_t skipped = from > to ? from - to : 0;
  const std::size_t zeros = to > from ? to - from : 0;
  std::uint8_t* out = plain->data;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* const plane = frame_->extended_data[planar ? i % channels : 0];
    const std::uint8_t* const sample = plane + (planar ? i / channels : i) * from;
    out = std::fill_n(out, zeros, std::uint8_t{0});
    out = std::copy(sample + skipped, sample + from, out);
  }
  plain->pts = packet.pts;
  plain->dts = packet.dts;
  plain->flags |= AV_PKT_FLAG_KEY;
  return plain;
}

}  // namespace streamvsr
