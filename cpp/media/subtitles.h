// Text subtitles between the forms that containers demand: SubRip and MP4's timed text.
#pragma once

#include <optional>
#include <vector>

#include "media/av.h"

namespace streamvsr {

// Purpose: decodes text subtitle packets and encodes them in another form. Thread-safety: none.
class SubtitleConverter {
 public:
  // to: AV_CODEC_ID_SUBRIP or AV_CODEC_ID_MOV_TEXT.
  SubtitleConverter(const AVStream& from, AVCodecID to);

  // Parameters of the new form, with its header.
  ParametersPtr parameters() const;
  // The same text in the new form, times in ms; nothing for a packet without text (a gap in MP4) or
  // one that is damaged. Text that is not UTF-8 is read as Windows-1252.
  PacketPtr convert(const AVPacket& packet);

 private:
  AVRational time_base_;
  CodecPtr decoder_;
  CodecPtr encoder_;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace streamvsr
