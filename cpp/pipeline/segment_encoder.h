// The enhanced video's packets, segment by segment: a fresh encoder each, our own decoding times
// throughout.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "color/convert.h"
#include "media/packets.h"
#include "pipeline/draft.h"
#include "pipeline/plan.h"
#include "pipeline/rate_control.h"
#include "pipeline/size_search.h"

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

// What a disk budget made of a segment.
struct SegmentRate {
  std::int64_t first_frame = 0, frames = 0;
  std::int64_t share = 0;  // bytes it might take
  std::int64_t bytes = 0;  // that it took
  double crf = 0.0;        // mean
  bool bound = false;      // coarser than asked for
  bool reencoded = false;  // see Note [draft] and Note [too large]
};

// Purpose: feeds frames to the encoder of their segment and hands out its packets with pts, dts and
// duration on the .part's clock. Thread-safety: none.
//
// Note [budget]: under a disk budget a segment's packets are handed out when all of them are
// there. Until then RateControl chooses the quality of what is still to be encoded, of encoders
// that can change it as they run. Where the packets become too many to hold, the segment's budget
// ends there and one for its rest begins.
//
// Note [draft]: where a budget may bind, a draft of the segment's pictures is made beside. If the
// first encoding passes the share, was made coarser and leaves too much of it, or had a crf that
// wandered, the pictures are encoded again from there, with one crf.
//
// Note [rehearsal]: where a budget may bind, a segment's first pictures are kept, in the place of
// the packets that come later, and encoded for their sizes alone before the segment's encoder is
// opened. Where these are all its pictures and the encoder has one crf for them, that is searched
// for at once, and no draft is needed.
//
// Note [too large]: where the packets of a segment pass its share and there is no draft, they are
// decoded and encoded again, coarser. Where the largest crf is too little, draft or not, in the end
// without their small details. Their number and pts stay, hence all dts too.
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
  bool segment_open() const { return fed_ || !held_.empty() || !waiting_.empty(); }
  // Pictures encoded so far, of the whole film.
  std::int64_t frames_done() const { return packets_; }
  // The segment that ended last, under a disk budget; once.
  std::optional<SegmentRate> take_rate() { return std::exchange(ended_, std::nullopt); }
  // Between segments: where they stand.
  EncoderMark mark() const { return {packets_, first_pts_, {pts_.begin(), pts_.end()}, last_dts_}; }

 private:
  struct Waiting {
    FramePtr frame;
    std::int64_t duration = 0;
    int pic_struct = 0;
    bool last = false;
    PictureMessages messages;
  };
  // What a packet is told of its picture.
  struct Told {
    std::int64_t duration = 0;
    int pic_struct = 0;
    PictureMessages messages;
  };

  Waiting prepared(SourcePicture picture);
  void feed_waiting(bool last_in_segment, PacketSink& out);
  void feed(Waiting picture, bool last_in_segment, PacketSink& out);
  std::pair<std::int64_t, std::int64_t> rehearse(double crf, std::size_t pictures);
  SizeSearch::Begin rehearse_some(std::size_t pictures);
  bool rehearse_all(const SizeSearch::Begin& begin);
  void open();
  void drain(PacketSink& out);
  void receive(PacketSink& out);
  void hold(PacketPtr packet);
  void hand_out(PacketPtr packet, PacketSink& out) const;
  void begin_budget();
  void end_budget(std::int64_t share, PacketSink& out);
  void encode_again(std::int64_t share);
  bool search_crf(std::int64_t share, int soften);
  void replace(std::vector<PacketPtr> packets);
  SegmentShare share_from(std::int64_t frame) const;
  std::int64_t next_dts();
  std::int64_t nominal_duration() const;

  const JobPlan& plan_;
  int video_output_;
  const StopFlag& stop_;
  ParametersPtr parameters_;
  std::optional<PictureConverter> converter_;  // where the encoder takes another format
  std::optional<Encoder> encoder_;
  bool fed_ = false;              // encoder_ was given a frame
  std::deque<std::int64_t> pts_;  // of frames whose turn as dts has not come, rising
  std::int64_t packets_ = 0;      // handed out, of the whole film
  std::optional<std::int64_t> first_pts_;
  std::int64_t last_dts_;
  std::map<std::int64_t, Told> told_;       // of frames in the encoder, by pts
  std::int64_t last_pts_ = AV_NOPTS_VALUE;  // of the film's last picture, once it was fed

  // Under a disk budget, of the open segment:
  std::optional<RateControl> rate_;
  SegmentRate segment_;
  std::optional<SegmentRate> ended_;
  std::map<std::int64_t, std::size_t> places_;  // of frames in the encoder, by pts
  std::vector<PacketPtr> held_;
  std::int64_t held_bytes_ = 0;                       // messages included
  std::int64_t message_bytes_ = 0;                    // of these, what an encoder does not decide
  std::map<std::int64_t, PictureMessages> messages_;  // of the packets held, by pts
  std::int64_t most_held_;
  std::optional<Draft> draft_;
  std::deque<Waiting> waiting_;  // pictures that were not fed
  std::size_t rehearsal_ = 0;    // pictures, of one that is due
};

}  // namespace streamvsr
