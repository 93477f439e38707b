#include "media/picture_bytes.h"

namespace streamvsr {

namespace {

// Pictures whose size is remembered while they are in the decoder; more would be a decoder that
// never answers.
constexpr std::size_t kRemembered = 512;

}  // namespace

PictureBytes::PictureBytes(const AVCodecParameters& stream, const bool field_packets) {
  if (field_packets) fields_.emplace(stream);
}

void PictureBytes::add(const AVPacket& packet) {
  if (fields_ && fields_->is_second(packet)) {
    if (first_pts_ != AV_NOPTS_VALUE) bytes_[first_pts_] += packet.size;
    return;
  }
  first_pts_ = packet.pts;
  if (packet.pts != AV_NOPTS_VALUE) bytes_[packet.pts] = packet.size;
  while (bytes_.size() > kRemembered) bytes_.erase(bytes_.begin());
}

int PictureBytes::take(const AVFrame& frame) {
  const auto found = bytes_.find(frame.pts);
  if (found == bytes_.end()) return 0;
  const int bytes = found->second;
  bytes_.erase(found);
  return bytes;
}

}  // namespace streamvsr
