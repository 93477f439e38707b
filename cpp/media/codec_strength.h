// How strongly a frame was quantised, on one scale for all codecs (docs/network-format.md).
#pragma once

#include <array>
#include <optional>

#include "media/av.h"

namespace streamvsr {

// Whether the quantisers of this codec can be had from its decoder.
bool exports_quantisers(AVCodecID codec);

// Purpose: turns each decoded frame into a codec strength in [0, 1], averaged over the last frames,
// so that the quantisers of I, P and B frames do not make the picture pulse. A finite window: the
// value depends on the last kWindow frames alone. Thread-safety: none.
class StrengthMeter {
 public:
  static constexpr int kWindow = 8;  // frames

  // bits_per_pixel: the stream's mean, used for frames that neither carry quantisers nor a packet
  // size.
  StrengthMeter(AVCodecID codec, double bits_per_pixel)
      : codec_(codec), mean_bits_per_pixel_(bits_per_pixel) {}

  // packet_bytes: size of the frame's packet; 0 unknown.
  float next(const AVFrame& frame, int packet_bytes);

 private:
  struct Seen {
    double bits_per_pixel = 0.0;
    std::optional<double> quantiser;  // where the decoder exports one
  };
  static std::optional<double> exported(const AVFrame& frame);

  AVCodecID codec_;
  double mean_bits_per_pixel_;
  std::array<Seen, kWindow> window_{};
  int seen_ = 0;
};

}  // namespace streamvsr
