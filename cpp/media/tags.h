// Tags and names that containers put their own meaning into.
#pragma once

#include <string>

#include "media/av.h"

namespace streamvsr {

// Numbers an earlier muxer wrote about packets that are no longer these.
bool is_stale_tag(const std::string& key);
// What an MP4 says of its own form.
bool is_brand(const std::string& key);
// How MP4 and MOV store the tags of a file.
enum class TagForm {
  kUsual,  // the names of iTunes in MP4, those of QuickTime's texts in MOV
  kKeys,   // any name, as QuickTime's "mdta" keys
};
// Chooses it among a muxer's options, which must not have `movflags` yet.
void set_tag_form(Dictionary& options, TagForm form);
// A tag's name as all containers read it: Matroska writes capitals and no spaces.
std::string plain_tag_name(std::string key);
// QuickTime's table names languages by ISO 639-2/B where that differs from /T.
std::string quicktime_language(const std::string& code);
// Of a cover picture; null for a codec that is no picture's.
const char* picture_mimetype(AVCodecID codec);
const char* picture_extension(AVCodecID codec);

}  // namespace streamvsr
