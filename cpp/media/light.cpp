#include "media/light.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace streamvsr {

namespace {

template <class Data>
std::optional<Data> told(const AVStream& stream, const AVPacketSideDataType in_stream,
                         const AVFrame& first, const AVFrameSideDataType in_frame) {
  std::span<const std::uint8_t> bytes = stream_side_data(stream, in_stream);
  if (const AVFrameSideData* const data = av_frame_get_side_data(&first, in_frame);
      bytes.size() < sizeof(Data) && data != nullptr)
    bytes = {data->data, data->size};
  if (bytes.size() < sizeof(Data)) return std::nullopt;
  Data result;
  std::memcpy(&result, bytes.data(), sizeof result);
  return result;
}

long in_steps(const AVRational value, const double steps) {
  return std::lround(av_q2d(value) * steps);
}

// "G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(40000000,50)"; x264 and x265 count the
// chromaticities in 1/50000 and the light in 1/10000 cd/m2, as the standard does.
std::string in_standard_steps(const AVMasteringDisplayMetadata& d) {
  const auto place = [](const AVRational(&xy)[2]) {
    return "(" + std::to_string(in_steps(xy[0], 50000)) + "," +
           std::to_string(in_steps(xy[1], 50000)) + ")";
  };
  return "G" + place(d.display_primaries[1]) + "B" + place(d.display_primaries[2]) + "R" +
         place(d.display_primaries[0]) + "WP" + place(d.white_point) + "L(" +
         std::to_string(in_steps(d.max_luminance, 10000)) + "," +
         std::to_string(in_steps(d.min_luminance, 10000)) + ")";
}

// SVT-AV1 takes the same as plain numbers.
std::string in_numbers(const AVMasteringDisplayMetadata& d) {
  const auto pair = [](const AVRational a, const AVRational b) {
    return "(" + std::to_string(av_q2d(a)) + "," + std::to_string(av_q2d(b)) + ")";
  };
  return "G" + pair(d.display_primaries[1][0], d.display_primaries[1][1]) + "B" +
         pair(d.display_primaries[2][0], d.display_primaries[2][1]) + "R" +
         pair(d.display_primaries[0][0], d.display_primaries[0][1]) + "WP" +
         pair(d.white_point[0], d.white_point[1]) + "L" + pair(d.max_luminance, d.min_luminance);
}

}  // namespace

LightMetadata light_metadata(const AVStream& stream, const AVFrame& first) {
  LightMetadata light;
  light.display = told<AVMasteringDisplayMetadata>(stream, AV_PKT_DATA_MASTERING_DISPLAY_METADATA,
                                                   first, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA);
  light.content = told<AVContentLightMetadata>(stream, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, first,
                                               AV_FRAME_DATA_CONTENT_LIGHT_LEVEL);
  // The encoders take the whole of it or nothing.
  if (light.display && !(light.display->has_primaries && light.display->has_luminance))
    light.display.reset();
  return light;
}

void add_light(AVStream& stream, const LightMetadata& light) {
  const auto add = [&](const AVPacketSideDataType type, const auto& data) {
    if (!data || !stream_side_data(stream, type).empty()) return;
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(&*data);
    add_stream_side_data(stream, type, {bytes, sizeof *data});
  };
  add(AV_PKT_DATA_MASTERING_DISPLAY_METADATA, light.display);
  add(AV_PKT_DATA_CONTENT_LIGHT_LEVEL, light.content);
}

std::string light_parameters(const std::string& codec, const LightMetadata& light) {
  struct Names {
    const char *codec, *display, *content;
  };
  constexpr Names kNames[] = {{"h264", "mastering-display", "cll"},
                              {"hevc", "master-display", "max-cll"},
                              {"av1", "mastering-display", "content-light"}};
  std::string all;
  for (const Names& n : kNames) {
    if (codec != n.codec) continue;
    if (light.display)
      all += std::string(n.display) + "=" +
             (codec == "av1" ? in_numbers(*light.display) : in_standard_steps(*light.display));
    if (light.content)
      all += (all.empty() ? "" : ":") + std::string(n.content) + "=" +
             std::to_string(light.content->MaxCLL) + "," + std::to_string(light.content->MaxFALL);
  }
  return all;
}

std::vector<std::string> dynamic_light(const AVStream& stream, const AVFrame& first) {
  const auto has = [&](const AVFrameSideDataType type) {
    return av_frame_get_side_data(&first, type) != nullptr;
  };
  std::vector<std::string> names;
  if (!stream_side_data(stream, AV_PKT_DATA_DOVI_CONF).empty() ||
      has(AV_FRAME_DATA_DOVI_METADATA) || has(AV_FRAME_DATA_DOVI_RPU_BUFFER))
    names.emplace_back("Dolby Vision");
  if (has(AV_FRAME_DATA_DYNAMIC_HDR_PLUS)) names.emplace_back("HDR10+");
  if (has(AV_FRAME_DATA_DYNAMIC_HDR_VIVID)) names.emplace_back("HDR Vivid");
  return names;
}

int dolby_vision_alone(const AVStream& stream, const AVFrame& first) {
  constexpr int kAlone = 5;
  const std::span<const std::uint8_t> told = stream_side_data(stream, AV_PKT_DATA_DOVI_CONF);
  if (told.size() >= sizeof(AVDOVIDecoderConfigurationRecord)) {
    AVDOVIDecoderConfigurationRecord record;
    std::memcpy(&record, told.data(), sizeof record);
    return record.dv_profile == kAlone ? kAlone : 0;
  }
  const AVFrameSideData* const data = av_frame_get_side_data(&first, AV_FRAME_DATA_DOVI_METADATA);
  if (data == nullptr || data->size < sizeof(AVDOVIMetadata)) return 0;
  // As FFmpeg guesses it: of the profiles without a compatible layer only 5 has full range.
  const AVDOVIRpuDataHeader* const header =
      av_dovi_get_header(reinterpret_cast<const AVDOVIMetadata*>(data->data));
  return header->vdr_rpu_profile == 0 && header->bl_video_full_range_flag != 0 ? kAlone : 0;
}

}  // namespace streamvsr
