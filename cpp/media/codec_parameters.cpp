#include "media/codec_parameters.h"

#include <algorithm>

#include "media/adts.h"

namespace streamvsr {

namespace {

// Packets tried, and bytes of the file read, until the first one that tells.
constexpr int kTriedPackets = 100;
constexpr std::int64_t kTriedBytes = std::int64_t{256} << 20;

bool lacks_format(const AVCodecParameters& par) {
  if (par.codec_type == AVMEDIA_TYPE_AUDIO) return par.sample_rate <= 0 || channel_count(par) <= 0;
  if (par.codec_type == AVMEDIA_TYPE_VIDEO) return par.width <= 0 || par.height <= 0;
  return false;
}

// Whether the codec has a header that containers keep outside of the packets, and the stream lacks
// it.
bool lacks_header(const AVCodecParameters& par) {
  if (par.extradata_size > 0) return false;
  return par.codec_id == AV_CODEC_ID_AAC || par.codec_id == AV_CODEC_ID_H264 ||
         par.codec_id == AV_CODEC_ID_HEVC;
}

BsfPtr open_header_filter(const AVStream& stream) {
  const bool aac = stream.codecpar->codec_id == AV_CODEC_ID_AAC;
  const AVBitStreamFilter* const filter =
      av_bsf_get_by_name(aac ? "aac_adtstoasc" : "extract_extradata");
  AVBSFContext* context = nullptr;
  if (filter == nullptr || av_bsf_alloc(filter, &context) < 0) throw std::bad_alloc();
  BsfPtr owned(context);
  if (avcodec_parameters_copy(context->par_in, stream.codecpar) < 0) throw std::bad_alloc();
  context->time_base_in = stream.time_base;
  check(av_bsf_init(context), "set up the filter of", "a stream's header");
  return owned;
}

// Takes the header from a packet that carries it.
void learn_header(AVBSFContext& filter, const AVPacket& packet, AVCodecParameters& par) {
  const PacketPtr copy = make_packet();
  if (av_packet_ref(copy.get(), &packet) < 0) throw std::bad_alloc();
  if (av_bsf_send_packet(&filter, copy.get()) < 0) return;
  while (av_bsf_receive_packet(&filter, copy.get()) >= 0) {
    std::size_t size = 0;
    const std::uint8_t* const header =
        av_packet_get_side_data(copy.get(), AV_PKT_DATA_NEW_EXTRADATA, &size);
    if (header != nullptr && size > 0) set_extradata(par, {header, size});
    av_packet_unref(copy.get());
  }
}

CodecPtr open_decoder(const AVStream& stream) {
  const AVCodec* const codec = avcodec_find_decoder(stream.codecpar->codec_id);
  if (codec == nullptr) return nullptr;
  CodecPtr decoder(avcodec_alloc_context3(codec));
  if (!decoder || avcodec_parameters_to_context(decoder.get(), stream.codecpar) < 0)
    throw std::bad_alloc();
  decoder->thread_count = 1;
  if (avcodec_open2(decoder.get(), codec, nullptr) < 0) return nullptr;
  return decoder;
}

// Takes the format from what a packet decodes to.
void learn_format(AVCodecContext& decoder, const AVPacket& packet, AVCodecParameters& par) {
  const FramePtr frame = make_frame();
  if (avcodec_send_packet(&decoder, &packet) < 0) return;
  if (avcodec_receive_frame(&decoder, frame.get()) < 0) return;
  const ParametersPtr found(avcodec_parameters_alloc());
  if (!found || avcodec_parameters_from_context(found.get(), &decoder) < 0) throw std::bad_alloc();
  if (found->extradata_size == 0 && par.extradata_size > 0)
    set_extradata(*found, {par.extradata, static_cast<std::size_t>(par.extradata_size)});
  if (avcodec_parameters_copy(&par, found.get()) < 0) throw std::bad_alloc();
}

}  // namespace

bool lacks_parameters(const AVCodecParameters& parameters) {
  return lacks_format(parameters) || lacks_header(parameters);
}

SharedParameters learn_parameters(const Input& input, const int index) {
  Input again(input.path());
  again.select_only(index);
  const AVStream& stream = again.stream(index);
  ParametersPtr par(avcodec_parameters_alloc());
  if (!par || avcodec_parameters_copy(par.get(), stream.codecpar) < 0) throw std::bad_alloc();
  LogSink quiet;  // what damaged packets make it say
  const LogSink::Scope scope(quiet);
  const BsfPtr filter = lacks_header(*par) ? open_header_filter(stream) : nullptr;
  const CodecPtr decoder = lacks_format(*par) ? open_decoder(stream) : nullptr;
  const PacketPtr packet = make_packet();
  for (int i = 0; i < kTriedPackets && lacks_parameters(*par) && again.read(*packet); ++i) {
    if (again.format().pb->bytes_read > kTriedBytes) break;
    if (decoder && lacks_format(*par)) learn_format(*decoder, *packet, *par);
    if (filter && lacks_header(*par)) learn_header(*filter, *packet, *par);
  }
  // Without the others' header some players can still play a stream (AVC-Intra has none).
  const bool useless = lacks_format(*par) || lacks_aac_header(*par);
  return useless ? nullptr : SharedParameters(std::move(par));
}

}  // namespace streamvsr
