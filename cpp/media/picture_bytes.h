// The coded size of each picture, for its codec strength.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "media/field_pairs.h"

namespace streamvsr {

// Purpose: remembers how many bytes the pictures in a decoder took, by pts. Thread-safety: none.
class PictureBytes {
 public:
  // field_packets: a picture's fields may come in two packets.
  PictureBytes(const AVCodecParameters& stream, bool field_packets);

  // A packet that the decoder took.
  void add(const AVPacket& packet);
  // Of a decoded frame, once; 0 where they are not known.
  int take(const AVFrame& frame);

 private:
  std::optional<FieldPairs> fields_;
  std::map<std::int64_t, int> bytes_;
  std::int64_t first_pts_ = AV_NOPTS_VALUE;  // of the last packet that began a picture
};

}  // namespace streamvsr
