// What a source holds, as a job plans by it; no picture is decoded.
#pragma once

#include <cstdint>
#include <string>

#include "media/input.h"
#include "media/source_index.h"
#include "pipeline/plan.h"

namespace streamvsr {

struct SourceInfo {
  int width = 0, height = 0;  // of the coded picture, samples
  double duration = 0.0;      // s, of the video
  double frame_rate = 0.0;    // mean, 1/s
  std::int64_t frames = 0;    // that should be shown
  bool has_audio = false;
  std::string codec;         // FFmpeg's names
  std::string pixel_format;  // "" unknown
  std::int64_t size_bytes = 0;
};

// Reads the packets of the stream that would be enhanced, or the container's index where that is
// complete. Nothing is written, and no folder is looked at. Throws kNotFound, kInput and kIo.
SourceInfo source_info(const std::string& path, const PlanningTick& tick);

// Mean frames per second, as every plan has it.
AVRational mean_rate(const SourceIndex& index, const AVStream& stream);

}  // namespace streamvsr
