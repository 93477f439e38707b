// Sound without loss that discs and studios pack in their own ways, as plain PCM.
#pragma once

#include "media/codec_parameters.h"

namespace streamvsr {

// Whether PcmConverter takes a codec: its decoder loses no bit.
bool is_packed_pcm(AVCodecID codec);

// The parameters of a stream of packed PCM once it is plain, as its first packets say:
// little-endian samples of 8, 16, 24 or 32 bits, 20 bits in 24. Null when none of these packets can
// be decoded. A pure function of the file.
SharedParameters plain_pcm(const Input& input, int index);

// Purpose: unpacks packets without loss. Thread-safety: none. Packets must come in order: a DVD's
// may end within a sample.
class PcmConverter {
 public:
  // plain: what plain_pcm() found of this stream.
  PcmConverter(const AVStream& from, const AVCodecParameters& plain);

  // A packet of plain samples with the times of the packed one, but without a duration. Null for a
  // packet that is damaged or whose rate, channels or depth do not fit the stream's.
  PacketPtr convert(const AVPacket& packet);

 private:
  CodecPtr decoder_;
  AVCodecID codec_;
  int sample_rate_;
  int channels_;
  LogSink quiet_;  // what it says of damaged packets, one by one
  FramePtr frame_ = make_frame();
};

}  // namespace streamvsr
