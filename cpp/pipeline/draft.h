// A segment's pictures, kept small and nearly as they are, to be encoded from again.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "media/encoder.h"

namespace streamvsr {

// Purpose: pictures as packets in memory, of x264 at its fastest and at a crf that leaves them
// 50 dB and more: beside what the budget's encoder loses that is nothing.
// The packets depend on nothing but settings and pictures. Thread-safety: none.
class Draft {
 public:
  // What a draft of an encoder's pictures is made with; none: x264 takes no such pictures, or this
  // FFmpeg lacks it.
  static std::optional<EncoderSettings> settings_for(const EncoderSettings& encoder);

  explicit Draft(const EncoderSettings& settings);

  // In pts order.
  void add(const AVFrame& picture);
  // Behind the last picture.
  void finish();
  std::span<const PacketPtr> packets() const { return packets_; }
  std::size_t bytes() const { return bytes_; }
  const AVCodecParameters& parameters() const { return *parameters_; }

 private:
  void receive();

  std::optional<Encoder> encoder_;
  ParametersPtr parameters_;
  std::vector<PacketPtr> packets_;
  std::size_t bytes_ = 0;
};

}  // namespace streamvsr
