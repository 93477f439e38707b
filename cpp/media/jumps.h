// Recordings joined end to end: the second one's clock begins anew.
#pragma once

#include <cstdint>
#include <vector>

#include "media/av.h"

namespace streamvsr {

// Purpose: undoes jumps of a file's clock by more than half of its range. Thread-safety: none.
//
// Note [joined recordings]: MPEG's clock has 33 bits and wraps after 26.5 hours. FFmpeg takes a
// time before the file's start for one behind the wrap, and adds the range. Where recordings were
// joined and the second one's clock is behind the first one's, the film gets a gap of up to 26.5
// hours from this. No broadcast has such gaps. What follows a jump goes on where its stream ended.
// All streams that are read together take the step of the first one that jumps, each when it
// reaches the jump itself: its last packets may come after another stream's first behind the jump.
// Sound that is read without the video takes a step of its own; the two differ by less than a
// picture's duration.
class Jumps {
 public:
  // Moves a packet's times, in ticks of its stream's time base.
  void move(AVPacket& packet, const AVStream& stream);
  // To be called after a seek: the next packet's time says nothing about a jump.
  void forget();
  // Whether a packet was moved.
  bool any() const { return !steps_.empty(); }

 private:
  struct Track {
    std::int64_t last = AV_NOPTS_VALUE;  // ticks: where its last packet ended, moved
    std::size_t steps = 0;               // how many of the file's steps it has taken
  };
  std::vector<Track> tracks_;
  std::vector<std::int64_t> steps_;  // us: each moves all packets from its jump on
};

}  // namespace streamvsr
