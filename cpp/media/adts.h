// AAC from broadcast, whose header is in every packet (ADTS, ISO/IEC 14496-3).
#pragma once

#include "media/av.h"

namespace streamvsr {

// Whether a stream's packets must tell what its container does not.
inline bool lacks_aac_header(const AVCodecParameters& parameters) {
  return parameters.codec_id == AV_CODEC_ID_AAC && parameters.extradata_size == 0;
}

// Purpose: takes the headers off packets. The stream's own header comes from learn_parameters().
// Thread-safety: none.
class AdtsFilter {
 public:
  // stream: one that lacks_aac_header().
  explicit AdtsFilter(const AVStream& stream);

  // One packet in, one out. False for one that has no such header or a damaged one; what is left of
  // it is of no use then.
  bool run(AVPacket& packet);

 private:
  BsfPtr filter_;
  LogSink quiet_;  // what it says of damaged packets, one by one, is nobody's
};

}  // namespace streamvsr
