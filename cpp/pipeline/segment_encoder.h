// The enhanced video's packets, segment by segment: a fresh encoder each, our own decoding times
// throughout.
#pragma once

#include <deque>
#include <map>
#include <optional>

#include "media/packets.h"
#include "pipeline/plan.h"

namespace streamvsr {

// Purpose: feeds frames to the encoder of their segment and hands out its packets with pts, dts and
// duration on the .part's clock. Thread-safety: none.
//
// Note [dts]: an encoder's own dts start anew with each segment and are not monotonic for variable
// frame rates. Ours are the pts in rising order, delayed by the encoder's reorder depth d: packet n
// gets the pts of frame n - d. The first d packets of the film get times before its first frame,
// one frame duration apart.
class SegmentEncoder {
 public:
  // plan and stop must outlive this; every call throws kStopped once a stop was requested.
  SegmentEncoder(const JobPlan& plan, int video_output, const StopFlag& stop);

  // The parameters all segments share.
  const AVCodecParameters& parameters() const { return *parameters_; }
  // Encodes a picture; finished packets are appended. The last of a segment drains the encoder.
  void encode(SourcePicture picture, bool last_in_segment, std::vector<OutPacket>& out);
  // Drains what is left of an open segment.
  void finish_segment(std::vector<OutPacket>& out);
  bool segment_open() const { return encoder_.has_value(); }
  // The last pts given to a frame, at most reorder depth many: what a resumed run needs for its
  // first dts.
  const std::deque<std::int64_t>& recent_pts() const { return pts_; }

 private:
  void receive(std::vector<OutPacket>& out);
  std::int64_t next_dts();
  std::int64_t nominal_duration() const;

  const JobPlan& plan_;
  int video_output_;
  const StopFlag& stop_;
  ParametersPtr parameters_;
  std::optional<Encoder> encoder_;
  std::deque<std::int64_t> pts_;  // of frames whose turn as dts has not come, rising
  std::int64_t packets_ = 0;      // handed out, of the whole film
  std::optional<std::int64_t> first_pts_;
  std::map<std::int64_t, std::int64_t> durations_;  // of frames in the encoder, by pts
};

}  // namespace streamvsr
