// What a picture carries beside its samples and a stream can carry, too: closed captions, the
// active format, and how two views share a frame. FFmpeg's encoders write little of it, so it is
// put into their packets.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/stop.h"
#include "media/input.h"

namespace streamvsr {

// Of one picture.
struct PictureMessages {
  // What a message has room for: its count of triples has five bits.
  static constexpr std::size_t kMostCaptions = std::size_t{31} * 3;

  std::vector<std::uint8_t> captions;  // cc_data of CTA-708, triples, <= kMostCaptions bytes
  int active_format = -1;              // AFD of SMPTE ST 2016-1, 0..15; negative: none

  bool empty() const { return captions.empty() && active_format < 0; }
};
PictureMessages messages_of(const AVFrame& frame);

// How the frames of a film hold two views.
struct FramePacking {
  AVStereo3DType type = AV_STEREO3D_2D;
  bool right_first = false;
};
std::optional<FramePacking> frame_packing(const AVFrame& frame);

// What is written into a codec's stream. AV1 has a place for captions, too, but readers lose those
// of pictures that were coded ahead and are only shown later (dav1d 1.0 does).
bool holds_captions(const std::string& codec);
bool holds_active_format(const std::string& codec);
bool holds_packing(const std::string& codec, const FramePacking& packing);

// Puts messages before the coded picture of a packet, as far as the codec holds them: H.264 and
// HEVC, in Annex B. Returns by how many bytes the packet grew.
std::int64_t insert_messages(AVPacket& packet, const std::string& codec,
                             const PictureMessages& messages,
                             const std::optional<FramePacking>& packing);
// Removes from a frame what an encoder of FFmpeg would write by itself.
void drop_messages(AVFrame& frame);

// The kinds of side data of the first pictures of the enhanced stream. Decodes at most
// kMessageLook of them, fewer of large ones; errors are left to the job.
std::set<AVFrameSideDataType> first_side_data(const Input& described, int threads,
                                              const StopFlag& stop);
inline constexpr int kMessageLook = 30;

}  // namespace streamvsr
