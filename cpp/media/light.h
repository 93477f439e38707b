// What a stream says of its light beyond the transfer: carried where it holds for the whole stream.
#pragma once

extern "C" {
#include <libavutil/mastering_display_metadata.h>
}

#include <optional>
#include <string>
#include <vector>

#include "media/av.h"

namespace streamvsr {

// The display that a film was graded on (SMPTE ST 2086) and its brightest light (CTA-861.3).
struct LightMetadata {
  std::optional<AVMasteringDisplayMetadata> display;
  std::optional<AVContentLightMetadata> content;
};

// As the container tells it, else as the first picture does.
LightMetadata light_metadata(const AVStream& stream, const AVFrame& first);

// Tells a muxer what its stream does not say yet.
void add_light(AVStream& stream, const LightMetadata& light);

// The same for an encoder, as entries of its x264-params, x265-params or svtav1-params, joined by
// colons; empty where there is nothing to tell.
std::string light_parameters(const std::string& codec, const LightMetadata& light);

// The Dolby Vision profile of a film none of whose layers shows right colours without Dolby's own
// metadata (profile 5); 0 without one.
int dolby_vision_alone(const AVStream& stream, const AVFrame& first);

// Metadata that changes from picture to picture and fits the source's pictures alone, by the names
// that people know; what an output must leave out.
std::vector<std::string> dynamic_light(const AVStream& stream, const AVFrame& first);

}  // namespace streamvsr
