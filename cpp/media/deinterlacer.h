// Interlaced frames become progressive pictures.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "media/av.h"

namespace streamvsr {

// Purpose: one progressive picture for each frame, by FFmpeg's bwdif (after Weston's three-field
// filter, BBC RD 1995, and yadif); frames that are not flagged as interlaced pass as they are. A
// picture depends on its frame and the ones before and after it. FFmpeg's filters are loaded when
// the first of these is made: few films need them, and they bring many libraries along.
// Thread-safety: none.
class Deinterlacer {
 public:
  // For frames like this one. Throws kConfig where this FFmpeg's filters cannot be loaded.
  Deinterlacer(const AVFrame& like, int threads);
  ~Deinterlacer();

  bool takes(const AVFrame& frame) const;  // the same format and size
  // Frames in order; null ends them.
  void push(FramePtr frame);
  // The next picture; null when more frames are wanted, or it is drained.
  FramePtr pull();
  // Frames pushed that have not come out.
  std::int64_t held() const { return static_cast<std::int64_t>(times_.size()); }

 private:
  struct Graph;
  std::unique_ptr<Graph> graph_;
  struct Times {
    std::int64_t pts, duration;
  };
  std::deque<Times> times_;  // of the frames held: filters keep time in their own way
  int width_, height_;
  int format_;
};

}  // namespace streamvsr
