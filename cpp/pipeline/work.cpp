#include "pipeline/work.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

namespace streamvsr {

namespace {

// Note [cost table]: a segment's length decides the output's bytes. So it follows from constants,
// never from this machine's speed: every machine plans the same segments, and a job that is moved
// to another machine can resume. The constants are rough (a factor of 2 either way): they only
// choose how much work an interruption may cost.
//
// Nanoseconds and operations are those of one core. They were measured in CPU time on a Xeon with
// AVX-512 on a virtual machine; `ffmpeg -benchmark` with two threads gives the encoders', 1280x720,
// 8 bits, 4:2:0, at the crf that is each codec's default here. The figures of mask and window are
// differences between jobs of model="nearest" with and without them, 640x272 to 1280x544.

// The rows engine in fp32: 57 to 188 GFLOP/s of a core by processor (docs/rows-engine.md), so a
// core with AVX2.
constexpr double kFlopPerSecond = 75e9;
// Nanoseconds.
constexpr double kDecodedPixel = 15.0;
constexpr double kResampledSample = 7.0;
constexpr double kSearchedPixel = 41.0;
constexpr double kBlendedSample = 10.0;

// Nanoseconds a pixel in 4:2:0 of 8 bits.
struct PresetCost {
  std::string_view preset;
  double h264, hevc, av1;
};
constexpr PresetCost kPresets[] = {
    {"ultrafast", 11, 57, 33},    {"superfast", 24, 105, 43}, {"veryfast", 39, 147, 55},
    {"faster", 67, 150, 80},      {"fast", 92, 168, 114},     {"medium", 102, 222, 165},
    {"slow", 118, 508, 237},      {"slower", 197, 1770, 620}, {"veryslow", 389, 2330, 1600},
    {"placebo", 528, 5000, 4870},
};
constexpr double kFfv1Pixel = 35.0;
// SVT-AV1's own numbers, 0 to 13. Measured: 2, 4, 6, 8, 10, 12; the others lie between them.
constexpr double kSvtPresets[] = {10000, 7000, 4870, 2800, 1600, 620, 237,
                                  165,   114,  80,   55,   43,   33,  30};
// More than 8 bits a sample take about half as long again.
constexpr double kDeepSample = 1.5;
// A disk budget rehearses, drafts, and encodes some segments twice.
constexpr double kBudgeted = 2.0;

double encoder_cost(const std::string& codec, const std::string& preset) {
  if (codec == "ffv1") return kFfv1Pixel;
  if (codec == "av1")
    for (std::size_t number = 0; number < std::size(kSvtPresets); ++number)
      if (preset == std::to_string(number)) return kSvtPresets[number];
  const std::string_view name = preset.empty() ? std::string_view("medium") : preset;
  const PresetCost* found = std::find_if(std::begin(kPresets), std::end(kPresets),
                                         [&](const PresetCost& c) { return c.preset == name; });
  // The encoder refuses a name that it does not know later.
  const PresetCost& cost = found != std::end(kPresets) ? *found : kPresets[5];
  return codec == "hevc" ? cost.hevc : codec == "av1" ? cost.av1 : cost.h264;
}

double samples(const PlaneFormat& format) {
  double sum = 0.0;
  for (int plane = 0; plane < format.plane_count; ++plane)
    sum += static_cast<double>(format.plane_width(plane)) * format.plane_height(plane);
  return sum;
}

}  // namespace

double core_seconds(const FrameWork& work) {
  constexpr double kSamplesPerPixel = 1.5;  // of 4:2:0
  const double pixels =
      samples(work.output) / kSamplesPerPixel * (work.output.depth > 8 ? kDeepSample : 1.0);
  const double encoder = pixels * encoder_cost(work.codec, work.preset) *
                         (work.budgeted && work.codec != "ffv1" ? kBudgeted : 1.0);
  const double decoder = static_cast<double>(work.source.width) * work.source.height;
  const double nanoseconds =
      decoder * kDecodedPixel + encoder + work.enhancer.resampled * kResampledSample +
      work.enhancer.searched * kSearchedPixel + work.enhancer.blended * kBlendedSample;
  return nanoseconds * 1e-9 + work.enhancer.flop / kFlopPerSecond;
}

std::int64_t segment_frames(const double rate, const double seconds, const FrameWork& work) {
  constexpr double kMost = 1e9;
  const double wanted = std::min(rate * seconds, kMost);
  const double affordable = std::floor(kSegmentCoreSeconds / core_seconds(work));
  const double frames = std::min(wanted, std::max(affordable, rate * kLeastSegment));
  return std::max<std::int64_t>(1, std::llround(frames));
}

}  // namespace streamvsr
