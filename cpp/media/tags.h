// Tags and names that containers put their own meaning into.
#pragma once

#include <string>

#include "media/av.h"

namespace streamvsr {

// Numbers an earlier muxer wrote about packets that are no longer these.
bool is_stale_tag(const std::string& key);
// What an MP4 says of its own form.
bool is_brand(const std::string& key);
// The global tags that FFmpeg's MP4 muxer has a place for.
bool mp4_keeps(const std::string& key);
// QuickTime's table names languages by ISO 639-2/B where that differs from /T.
std::string quicktime_language(const std::string& code);
// Of a cover picture; null for a codec that is no picture's.
const char* picture_mimetype(AVCodecID codec);
const char* picture_extension(AVCodecID codec);

}  // namespace streamvsr
