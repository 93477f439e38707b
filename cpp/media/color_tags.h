// Colour tags of a source that cannot be true: values that ITU-T H.273 reserves, and values that
// contradict the pixel format.
#pragma once

#include <string>
#include <vector>

#include "media/av.h"

namespace streamvsr {

// What drop_impossible_tags() took from a frame: code points of H.273; negative: nothing.
struct DroppedTags {
  int matrix = -1;
  int transfer = -1;
  int primaries = -1;
  bool range = false;       // not a range that FFmpeg knows
  bool rgb_range = false;   // RGB tagged as limited range: read as full range
  bool yuvj_range = false;  // a full-range pixel format tagged as limited range: the format counts

  // A sentence for each; the one about the matrix names color_matrix.
  std::vector<std::string> warnings() const;
};

// Whether a pixel format holds red, green and blue, or indices into a palette of them.
bool is_rgb(AVPixelFormat format);

// Sets impossible tags of a decoded frame to "unspecified".
DroppedTags drop_impossible_tags(AVFrame& frame);

// Whether an encoder (h264, hevc, av1, ffv1) can be given these primaries by its own settings. x264
// and x265 do not know EBU Tech. 3213 (22); set_primaries() writes it for them.
bool encoder_knows_primaries(const std::string& codec, AVColorPrimaries primaries);
// Writes colour primaries into the parameter sets of H.264 or HEVC, and into the parameters.
void set_primaries(ParametersPtr& parameters, AVColorPrimaries primaries);

}  // namespace streamvsr
