// What a frame costs, by a fixed table: segments are bounded by it (docs/checkpoint.md).
#pragma once

#include <cstdint>
#include <string>

#include "color/planes.h"
#include "enhance/enhancer.h"

namespace streamvsr {

// What the cost of one frame depends on. No machine is in it.
struct FrameWork {
  EnhancerWork enhancer;
  PlaneFormat source;
  PlaneFormat output;     // of encoded pictures
  std::string codec;      // EncoderSettings::codec
  std::string preset;     // EncoderSettings::preset
  bool budgeted = false;  // under a disk budget, which may encode a segment more than once
};

// Seconds of one core for one frame, by the table; above 0.
double core_seconds(const FrameWork& work);

// Frames of a segment: as many as `seconds` of film have, fewer where they cost more than
// kSegmentCoreSeconds, but at least kLeastSegment seconds of film. rate: frames a second. Result
// >= 1.
std::int64_t segment_frames(double rate, double seconds, const FrameWork& work);

// About two minutes of two cores: what an interruption costs at most.
constexpr double kSegmentCoreSeconds = 2.0 * 120.0;
// Every segment begins with a key frame, so shorter ones would cost too much quality.
constexpr double kLeastSegment = 1.0;  // s of film

}  // namespace streamvsr
