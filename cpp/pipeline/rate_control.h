// The quality of every frame of a segment, so that its packets stay within a share of the disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "media/encoder.h"

namespace streamvsr {

// Purpose: chooses the crf frame by frame, or, for encoders whose crf cannot be changed while they
// run, for runs of frames with an encoder each. It starts from a guess and follows the packets that
// are finished, aiming at one quality for what is still to come. It never goes below the crf asked
// for. A pure function of what it is told. Thread-safety: none.
//
// The model: a frame takes complexity x 2^(-crf / halved_by) bytes, complexity being a factor for
// the whole segment, learned, times the frame's weight, from the source's own packets around it.
class RateControl {
 public:
  // share: what the whole segment may take; source_bytes may be empty. expected: bytes at
  // least_crf, a guess. frames: of the segment, as planned; lag: frames between a frame's encoding
  // and its packet.
  struct Task {
    std::int64_t share = 0;
    std::span<const std::int32_t> source_bytes;
    double expected = 0.0;
    std::int64_t frames = 1;
    double least_crf = 0.0;
    int lag = 0;
  };
  RateControl(const RateCurve& curve, const Task& task);

  // The crf for the frame, or run of frames, that is encoded next.
  double crf() const { return crf_; }
  // A frame was given to the encoder. True: its run ends here, and the encoder must be drained.
  bool sent();
  // A packet came out; frame: its place in presentation order.
  void received(std::size_t frame, std::int64_t bytes, bool key);
  // All packets of a run came out; the next one's crf is chosen.
  void run_ended();
  // Where the budget made the picture coarser than asked for.
  bool bound() const { return bound_; }
  // Mean over the frames so far.
  double mean_crf() const;

 private:
  double weight(std::size_t frame) const;
  void choose(double upward, double downward);

  const RateCurve& curve_;
  Task task_;
  std::vector<float> weights_;  // of each frame, mean 1
  std::vector<double> used_;    // crf of the frames sent, in order
  double crf_;
  double aim_;            // bytes
  double left_weight_;    // of the frames whose packets are not out
  double bytes_ = 0.0;    // of packets that are out
  double learned_bytes_;  // with less and less regard for the older ones
  double learned_cost_;
  std::size_t packets_ = 0;
  std::int64_t run_frames_ = 0;  // planned length of a run; 0: one for the whole segment
  std::int64_t in_run_ = 0;
  bool bound_ = false;
};

}  // namespace streamvsr
