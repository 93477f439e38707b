// The quality of every frame of a segment, so that its packets stay within a share of the disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "media/encoder.h"

namespace streamvsr {

// Purpose: chooses the crf frame by frame, or, for encoders whose crf cannot be changed while they
// run, one for all frames. It starts from a guess, learns from a rehearsal of the first frames,
// then from the packets that are finished, aiming at one quality for what is still to come. It
// never goes below the crf asked for. A pure function of what it is told. Thread-safety: none.
//
// The model: a frame takes complexity x 2^(-crf / halved_by) bytes, complexity being a factor for
// the whole segment, learned, times the frame's weight, from the source's own packets around it;
// the segment's first frame has a complexity of its own.
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

  // How many frames a rehearsal has at most.
  static std::size_t most_rehearsed(const RateCurve& curve);
  // How many of the first frames it should have; 0: the share is so large that none is needed.
  std::size_t rehearsal() const;
  // The first frames were encoded with crf(), for their sizes alone. True: the crf is now so far
  // from that one that it should be done again.
  bool rehearsed(std::size_t frames, std::int64_t key_bytes, std::int64_t other_bytes);
  // All frames were encoded with this crf, and it is the one.
  void settle(const double crf) { crf_ = crf; }

  // The crf for the frame that is encoded next.
  double crf() const { return crf_; }
  // Steps of crf that halve the bytes, as far as is known.
  double halved_by() const { return halved_by_; }
  // Whether the share may be too little for the crf asked for.
  bool may_bind() const;
  // A frame was given to the encoder.
  void sent();
  // A packet came out; frame: its place in presentation order.
  void received(std::size_t frame, std::int64_t bytes, bool key);
  // Where frames were given to the encoder coarser than asked for.
  bool bound() const { return bound_; }
  // Mean over the frames so far.
  double mean_crf() const;
  // How far the frames' crf lie from their mean, as a standard deviation.
  double crf_spread() const;

 private:
  double weight(std::size_t frame) const;
  double rehearsed_weight(std::size_t frames) const;
  double at(double crf) const;
  void aim_at(double blind);
  double need() const;
  void choose(double upward, double downward);

  Task task_;
  bool steerable_;
  double usual_halved_by_, halved_by_;
  double most_crf_;
  std::vector<float> weights_;  // of each frame, mean 1
  std::vector<double> used_;    // crf of the frames sent, in order
  double crf_;
  std::size_t most_rehearsed_;
  double aim_;                // bytes
  double left_weight_ = 0.0;  // of the frames whose packets are not out
  double bytes_ = 0.0;        // of packets that are out
  double learned_bytes_;      // with less and less regard for the older ones
  double learned_cost_;
  double key_;  // complexity of the first frame
  double guess_, key_guess_;
  struct Trial {
    double crf = -1.0, bytes = 0.0;
  } trial_;
  std::size_t packets_ = 0;
  bool key_is_out_ = false;
  bool bound_ = false;
};

}  // namespace streamvsr
