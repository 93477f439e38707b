#include "media/codec_strength.h"

#include <algorithm>
#include <cmath>

namespace streamvsr {

namespace {

// H.264's step size at quantiser 0, ITU-T H.264 8.5.9 (doubling every six).
constexpr double kStepAtZero = 0.625;

double from_step(const double step) { return 6.0 * std::log2(std::max(step, 1e-3) / kStepAtZero); }

// Bits that a codec needs for the quality H.264 gives with one.
double efficiency(const AVCodecID codec) {
  switch (codec) {
    case AV_CODEC_ID_HEVC:
      return 0.6;
    case AV_CODEC_ID_AV1:
      return 0.5;
    case AV_CODEC_ID_VP9:
      return 0.65;
    default:
      return 1.0;
  }
}

// Two steps for each halving of the bits: docs/network-format.md says where the figures come from.
double from_bits(const double bits_per_pixel, const AVCodecID codec) {
  return 28.0 - 2.0 * std::log2(std::max(bits_per_pixel, 1e-4) / (0.09 * efficiency(codec)));
}

bool only_lossless(const AVCodecID codec) {
  const AVCodecDescriptor* const d = avcodec_descriptor_get(codec);
  return d != nullptr && (d->props & AV_CODEC_PROP_LOSSLESS) != 0 &&
         (d->props & AV_CODEC_PROP_LOSSY) == 0;
}

// The mean over the blocks, weighted by their area.
double mean_quantiser(const AVVideoEncParams& parameters) {
  if (parameters.nb_blocks == 0) return parameters.qp;
  double sum = 0.0;
  double area = 0.0;
  for (unsigned i = 0; i < parameters.nb_blocks; ++i) {
    const AVVideoBlockParams& block =
        *av_video_enc_params_block(const_cast<AVVideoEncParams*>(&parameters), i);
    const double weight = static_cast<double>(block.w) * block.h;
    sum += weight * block.delta_qp;
    area += weight;
  }
  return parameters.qp + (area > 0.0 ? sum / area : 0.0);
}

}  // namespace

bool exports_quantisers(const AVCodecID codec) {
  return codec == AV_CODEC_ID_H264 || codec == AV_CODEC_ID_MPEG2VIDEO ||
         codec == AV_CODEC_ID_MPEG1VIDEO || codec == AV_CODEC_ID_MPEG4 || codec == AV_CODEC_ID_VP9;
}

std::optional<double> StrengthMeter::exported(const AVFrame& frame) {
  const AVFrameSideData* const data =
      av_frame_get_side_data(&frame, AV_FRAME_DATA_VIDEO_ENC_PARAMS);
  if (data == nullptr) return std::nullopt;
  const auto& parameters = *reinterpret_cast<const AVVideoEncParams*>(data->data);
  const double q = mean_quantiser(parameters);
  switch (parameters.type) {
    case AV_VIDEO_ENC_PARAMS_H264: {
      const AVPixFmtDescriptor* const d =
          av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
      return q - 6.0 * (d->comp[0].depth - 8);  // the scale starts lower for deeper samples
    }
    case AV_VIDEO_ENC_PARAMS_MPEG2:
      return from_step(q);  // a flat matrix of 16 makes the step the scale itself
    case AV_VIDEO_ENC_PARAMS_VP9:
      return q / 4.8 - 1.9;  // 0..255 over the same range of steps, near exponential
    default:
      return std::nullopt;
  }
}

float StrengthMeter::next(const AVFrame& frame, const int packet_bytes) {
  if (only_lossless(codec_)) return 0.0F;
  const double pixels = static_cast<double>(frame.width) * frame.height;
  window_[static_cast<std::size_t>(seen_ % kWindow)] = {
      packet_bytes > 0 ? 8.0 * packet_bytes / pixels : mean_bits_per_pixel_, exported(frame)};
  ++seen_;
  const int count = std::min(seen_, kWindow);
  // From the oldest on: sums of doubles depend on their order, which must not depend on how many
  // frames came before the window.
  const auto aged = [&](const int i) -> const Seen& {
    return window_[static_cast<std::size_t>((seen_ - count + i) % kWindow)];
  };
  double bits = 0.0;
  for (int i = 0; i < count; ++i) bits += aged(i).bits_per_pixel;
  const double estimate = from_bits(bits / count, codec_);
  double sum = 0.0;
  for (int i = 0; i < count; ++i) sum += aged(i).quantiser.value_or(estimate);
  return static_cast<float>(std::clamp(sum / count / 51.0, 0.0, 1.0));
}

}  // namespace streamvsr
