#include "media/reencode.h"

#include <algorithm>
#include <optional>

#include "media/messages.h"
#include "media/picture.h"

namespace streamvsr {

namespace {

CodecPtr open_decoder(const AVCodecParameters& parameters, LogSink& log) {
  const AVCodec* const decoder = avcodec_find_decoder(parameters.codec_id);
  if (decoder == nullptr)
    throw Error(
        ErrorKind::kConfig,
        "this FFmpeg cannot decode what it encodes (" +
            std::string(avcodec_get_name(parameters.codec_id)) +
            "), which a segment above its disk budget needs: use another codec, or lift the "
            "budget with disk_ratio=None (none on the command line)");
  CodecPtr codec(avcodec_alloc_context3(decoder));
  if (!codec) throw std::bad_alloc();
  codec->opaque = &log;
  codec->thread_count = 1;
  check(avcodec_parameters_to_context(codec.get(), &parameters), "read again", decoder->name,
        ErrorKind::kInternal, &log);
  check(avcodec_open2(codec.get(), decoder, nullptr), "read again", decoder->name,
        ErrorKind::kInternal, &log);
  return codec;
}

// Purpose: takes small details from pictures: their size is divided and multiplied again.
// Thread-safety: none.
class Softener {
 public:
  Softener(const EncoderSettings& settings, const int divisor) : pixels_(settings.format) {
    const auto whole = plane_format(settings.format, settings.width, settings.height);
    const auto part = plane_format(settings.format, std::max(2, settings.width / divisor),
                                   std::max(2, settings.height / divisor));
    if (!whole || !part)
      throw Error(ErrorKind::kInternal, "the encoder was given pictures that are not planes");
    whole_ = *whole;
    down_.emplace(*whole, color_, *part, color_, Rounding::kNearest);
    up_.emplace(*part, color_, *whole, color_, Rounding::kNearest);
  }

  FramePtr run(const AVFrame& frame) const {
    FramePtr soft = to_frame(up_->run(down_->run(to_planes(frame, whole_))), pixels_);
    check(av_frame_copy_props(soft.get(), &frame), "copy the description of", "a picture",
          ErrorKind::kInternal);
    return soft;
  }

 private:
  AVPixelFormat pixels_;
  ColorDescription color_;  // of both sizes, so that no code changes its meaning
  PlaneFormat whole_;
  std::optional<PictureConverter> down_, up_;
};

}  // namespace

std::vector<PacketPtr> reencode(const std::span<const PacketPtr> packets,
                                const AVCodecParameters& parameters,
                                const EncoderSettings& settings, const int soften,
                                const StopFlag& stop) {
  LogSink log;
  const LogSink::Scope scope(log);
  const CodecPtr decoder = open_decoder(parameters, log);
  Encoder encoder(settings);
  std::optional<Softener> softener;
  if (soften > 1) softener.emplace(settings, soften);
  std::vector<PacketPtr> out;
  const FramePtr frame = make_frame();
  const auto decoded = [&] {
    for (;;) {
      stop.check();
      const int result = avcodec_receive_frame(decoder.get(), frame.get());
      if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return;
      check(result, "read again", decoder->codec->name, ErrorKind::kInternal, &log);
      mark_plain_frame(*frame);
      drop_messages(*frame);
      encoder.send(softener ? softener->run(*frame).get() : frame.get());
      av_frame_unref(frame.get());
      encoder.receive_all(out);
    }
  };
  for (const PacketPtr& packet : packets) {
    check(avcodec_send_packet(decoder.get(), packet.get()), "read again", decoder->codec->name,
          ErrorKind::kInternal, &log);
    decoded();
  }
  check(avcodec_send_packet(decoder.get(), nullptr), "read again", decoder->codec->name,
        ErrorKind::kInternal, &log);
  decoded();
  encoder.send(nullptr);
  encoder.receive_all(out);
  if (out.size() != packets.size())
    throw Error(ErrorKind::kInternal, "read again, " + std::to_string(packets.size()) +
                                          " packets of ours gave " + std::to_string(out.size()) +
                                          " pictures");
  return out;
}

}  // namespace streamvsr
