// The picture that is shown at a time, without decoding all that comes before it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/stop.h"
#include "media/decoder.h"

namespace streamvsr {

struct ShownPicture {
  // The last is the one that is shown; before it come those asked for, fewer near the beginning.
  // Empty where the time lies at or behind the end of the last picture.
  std::vector<SourcePicture> pictures;  // their index is of no meaning where sought
  std::int64_t end = AV_NOPTS_VALUE;    // ticks, of the last picture; known where that was reached
  bool sought = false;
};

// Finds the picture whose interval holds a time; the first one, where the time lies before it.
//
// time: ticks of the stream's time base. earlier: pictures wanted before it, 0..Decoder::kWindow.
// settings: with format, size, colour and bits_per_pixel given. Throws as Decoder does.
//
// Note [shown picture]: the picture, its samples and its codec strength, is that of a Decoder that
// reads the file from its beginning. Near the beginning it is found so. Elsewhere a seek leads to a
// key frame far enough before it for the codec strength's window, and a second one to an earlier
// key frame: both must lead to the same. Where they do not, where the stream has errors, no times
// or times that repeat, or where key frames are too far apart, the file is decoded from its
// beginning.
ShownPicture find_shown_picture(const std::string& path, const DecoderSettings& settings,
                                std::int64_t time, int earlier, const StopFlag& stop);

}  // namespace streamvsr
