#include "media/tags.h"

#include <algorithm>
#include <utility>

namespace streamvsr {

bool is_stale_tag(const std::string& key) {
  for (const char* const prefix : {"DURATION", "BPS", "NUMBER_OF_", "_STATISTICS_"})
    if (key.rfind(prefix, 0) == 0) return true;
  return key == "encoder" || key == "ENCODER" || key == "timecode";
}

bool is_brand(const std::string& key) {
  return key == "major_brand" || key == "minor_version" || key == "compatible_brands";
}

void set_tag_form(Dictionary& options, const TagForm form) {
  if (form == TagForm::kKeys) options.set("movflags", "use_metadata_tags");
}

std::string plain_tag_name(std::string key) {
  std::transform(key.begin(), key.end(), key.begin(), [](const char c) {
    if (c == ' ') return '_';
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return key;
}

std::string quicktime_language(const std::string& code) {
  constexpr std::pair<const char*, const char*> kNames[] = {
      {"deu", "ger"}, {"fra", "fre"}, {"nld", "dut"}, {"zho", "chi"}, {"ces", "cze"},
      {"ell", "gre"}, {"fas", "per"}, {"hye", "arm"}, {"isl", "ice"}, {"kat", "geo"},
      {"mkd", "mac"}, {"msa", "may"}, {"mya", "bur"}, {"ron", "rum"}, {"slk", "slo"},
      {"sqi", "alb"}, {"bod", "tib"}, {"cym", "wel"}, {"eus", "baq"}};
  for (const auto& [terminology, bibliographic] : kNames)
    if (code == terminology) return bibliographic;
  return code;
}

const char* picture_mimetype(const AVCodecID codec) {
  switch (codec) {
    case AV_CODEC_ID_MJPEG:
      return "image/jpeg";
    case AV_CODEC_ID_PNG:
      return "image/png";
    case AV_CODEC_ID_BMP:
      return "image/bmp";
    case AV_CODEC_ID_GIF:
      return "image/gif";
    case AV_CODEC_ID_WEBP:
      return "image/webp";
    default:
      return nullptr;
  }
}

const char* picture_extension(const AVCodecID codec) {
  switch (codec) {
    case AV_CODEC_ID_PNG:
      return "png";
    case AV_CODEC_ID_BMP:
      return "bmp";
    case AV_CODEC_ID_GIF:
      return "gif";
    case AV_CODEC_ID_WEBP:
      return "webp";
    default:
      return "jpg";
  }
}

}  // namespace streamvsr
