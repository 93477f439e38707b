// H.264 with one field per packet (PAFF): two packets per picture.
#pragma once

#include "media/av.h"

namespace streamvsr {

// Whether a stream's packets may hold single fields: H.264 whose parameter sets allow fields
// (frame_mbs_only_flag is 0) or are not known. In all other codecs FFmpeg hands out whole pictures;
// HEVC decoders hand out each field as a picture of its own.
bool may_hold_fields(const AVCodecParameters& stream);

// Purpose: says which packets are second fields, by their slice headers, without decoding.
// Thread-safety: none.
class FieldPairs {
 public:
  // stream: a stream for which may_hold_fields() is true.
  explicit FieldPairs(const AVCodecParameters& stream);

  // Takes packets in decoding order. True for a field that completes the picture which the packet
  // before it began. A packet with both fields, or with a frame, is a picture.
  bool is_second(const AVPacket& packet);

 private:
  struct CloseParser {
    void operator()(AVCodecParserContext* parser) const { av_parser_close(parser); }
  };
  std::unique_ptr<LogSink> log_ = std::make_unique<LogSink>();  // outlives the codec that points to
                                                                // it; what is wrong with a packet
                                                                // is the decoder's to report
  CodecPtr codec_;
  std::unique_ptr<AVCodecParserContext, CloseParser> parser_;
  AVPictureStructure open_ = AV_PICTURE_STRUCTURE_UNKNOWN;  // a first field that waits for its pair
};

}  // namespace streamvsr
