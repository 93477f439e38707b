#include "pipeline/plan_messages.h"

#include <algorithm>
#include <iterator>

namespace streamvsr {

namespace {

// Written anew, or about the coding of the source: nothing of it is lost. FFmpeg gives every MPEG-2
// picture a time code of its group and a window for narrow screens, which seldom mean anything.
constexpr AVFrameSideDataType kNothingLost[] = {
    AV_FRAME_DATA_MASTERING_DISPLAY_METADATA,
    AV_FRAME_DATA_CONTENT_LIGHT_LEVEL,
    AV_FRAME_DATA_VIDEO_ENC_PARAMS,
    AV_FRAME_DATA_MOTION_VECTORS,
    AV_FRAME_DATA_REGIONS_OF_INTEREST,
    AV_FRAME_DATA_SEI_UNREGISTERED,
    AV_FRAME_DATA_GOP_TIMECODE,
    AV_FRAME_DATA_PANSCAN,
};

// Side data of the whole stream, which the container carries.
bool stream_has(const AVStream& stream, const AVFrameSideDataType type) {
  const auto has = [&](const AVPacketSideDataType of) {
    return !stream_side_data(stream, of).empty();
  };
  switch (type) {
    case AV_FRAME_DATA_DISPLAYMATRIX:
      return has(AV_PKT_DATA_DISPLAYMATRIX);
    case AV_FRAME_DATA_SPHERICAL:
      return has(AV_PKT_DATA_SPHERICAL);
    case AV_FRAME_DATA_ICC_PROFILE:
      return has(AV_PKT_DATA_ICC_PROFILE);
    default:
      return false;
  }
}

// describe_source() warned of it.
bool is_dynamic_light(const AVFrame& first, const AVFrameSideDataType type) {
  const bool light = type == AV_FRAME_DATA_DOVI_METADATA || type == AV_FRAME_DATA_DOVI_RPU_BUFFER ||
                     type == AV_FRAME_DATA_DYNAMIC_HDR_PLUS ||
                     type == AV_FRAME_DATA_DYNAMIC_HDR_VIVID;
  return light && av_frame_get_side_data(&first, type) != nullptr;
}

bool plan_packing(const AVFrame& first, JobPlan& plan) {
  const std::optional<FramePacking> packing = frame_packing(first);
  if (!packing) return true;
  if (!plan.decoder.orientation.upright()) return false;  // the views turn, their places too
  if (holds_packing(plan.encoder.codec, *packing)) plan.packing = packing;
  const AVFrameSideData* const data = av_frame_get_side_data(&first, AV_FRAME_DATA_STEREO3D);
  plan.stereo.assign(data->data, data->data + data->size);
  return plan.packing || plan.container == Container::kMkv;
}

}  // namespace

void plan_messages(const Input& input, const Decoder& first, JobPlan& plan) {
  const StopFlag never;
  const AVStream& stream = input.stream(input.video_index());
  const AVFrame& frame = *first.first_frame();
  const std::string& codec = plan.encoder.codec;
  const bool packing_kept = plan_packing(frame, plan);
  std::string lost;
  const auto lose = [&](const std::string& name) { lost += (lost.empty() ? "" : ", ") + name; };
  bool captions = false;
  for (const AVFrameSideDataType type : first_side_data(input, plan.decoder.threads, never)) {
    if (std::find(std::begin(kNothingLost), std::end(kNothingLost), type) !=
            std::end(kNothingLost) ||
        stream_has(stream, type) || is_dynamic_light(frame, type))
      continue;
    if (type == AV_FRAME_DATA_A53_CC) {
      captions = !holds_captions(codec);
    } else if (type == AV_FRAME_DATA_AFD) {
      if (!holds_active_format(codec)) lose("active format description");
    } else if (type == AV_FRAME_DATA_STEREO3D) {
      if (!packing_kept) lose("the arrangement of two views");
    } else {
      const char* const name = av_frame_side_data_name(type);
      lose(name != nullptr ? name : "side data of kind " + std::to_string(type));
    }
  }
  if (captions)
    plan.warnings.push_back("the source's closed captions are left out: " + codec +
                            " cannot carry them here; h264 and hevc do");
  if (!lost.empty())
    plan.warnings.push_back(
        "the source's pictures carry what the output has no place for: " + lost + "; left out");
}

}  // namespace streamvsr
