// The enhanced video's packets, segment by segment: a fresh encoder each, our own decoding times
// throughout.
#pragma once

#include <deque>
#include <map>
#include <optional>

#include "media/packets.h"
#include "pipeline/plan.h"

namespace streamvsr {

// Purpose: takes finished packets as they come, so that nobody need hold them.
class PacketSink {
 public:
  virtual void push_back(OutPacket packet) = 0;

 protected:
  ~PacketSink() = default;
};

// What the next segment's times need of the earlier ones.
struct EncoderMark {
  std::int64_t packets = 0;                // handed out, of the whole film
  std::optional<std::int64_t> first_pts;   // of the film
  std::vector<std::int64_t> recent_pts;    // that are still due as dts, rising; see Note [dts]
  std::int64_t last_dts = AV_NOPTS_VALUE;  // of the last packet handed out

  bool operator==(const EncoderMark&) const = default;
};

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
  // from: the end of the segment to go on behind.
  SegmentEncoder(const JobPlan& plan, int video_output, const StopFlag& stop,
                 const EncoderMark& from = {});

  // The parameters all segments share.
  const AVCodecParameters& parameters() const { return *parameters_; }
  // Encodes a picture; finished packets are appended. The last of a segment drains the encoder.
  void encode(SourcePicture picture, bool last_in_segment, PacketSink& out);
  // Drains what is left of an open segment.
  void finish_segment(PacketSink& out);
  bool segment_open() const { return fed_; }
  // Between segments: where they stand.
  EncoderMark mark() const { return {packets_, first_pts_, {pts_.begin(), pts_.end()}, last_dts_}; }

 private:
  void receive(PacketSink& out);
  std::int64_t next_dts();
  std::int64_t nominal_duration() const;

  const JobPlan& plan_;
  int video_output_;
  const StopFlag& stop_;
  ParametersPtr parameters_;
  std::optional<Encoder> encoder_;
  bool fed_ = false;              // encoder_ was given a frame
  std::deque<std::int64_t> pts_;  // of frames whose turn as dts has not come, rising
  std::int64_t packets_ = 0;      // handed out, of the whole film
  std::optional<std::int64_t> first_pts_;
  std::int64_t last_dts_;
  std::map<std::int64_t, std::int64_t> durations_;  // of frames in the encoder, by pts
};

}  // namespace streamvsr
