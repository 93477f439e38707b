#include "pipeline/preview.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/cpu.h"
#include "color/convert.h"
#include "media/shown_picture.h"
#include "pipeline/plan_picture.h"

namespace streamvsr {

namespace {

std::string in_seconds(const double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f s", seconds);
  return text;
}

std::string known(const char* const name) {
  const std::string text = name != nullptr ? name : "";
  return text == "unknown" ? "" : text;
}

// Of the video, s since the file's start, as the container has it; negative: it does not say.
double end_of_video(const Input& input, const double start) {
  const AVStream& stream = input.stream(input.video_index());
  if (stream.duration > 0 && stream.start_time != AV_NOPTS_VALUE)
    return static_cast<double>(stream.start_time + stream.duration) * av_q2d(stream.time_base) -
           start;
  const std::int64_t whole = input.format().duration;
  return whole > 0 ? static_cast<double>(whole) / AV_TIME_BASE : -1.0;
}

Error nothing_shown(const std::string& path, const double at, const double end) {
  return Error(ErrorKind::kConfig,
               "'" + path + "' shows no picture at " + in_seconds(at) + ": its video ends at " +
                   in_seconds(end),
               path);
}

void make_displayed(ColorDescription color, PreviewPicture& preview) {
  PlaneFormat display = preview.enhanced.format();
  if (!known_matrix(color.matrix)) {
    color.matrix = ColorDescription::kUnspecified;
    color = resolved(color, preview.source.format());
    preview.warnings.push_back(
        std::string("the video's colour matrix is not known here: shown as ") +
        matrix_name(color.matrix));
  }
  display.plane_count = 3;
  display.log2_sub_x = display.log2_sub_y = 0;
  display.depth = 8;
  display.rgb = true;
  const ColorDescription rgb{ColorDescription::kRgb, true, color.siting};
  preview.before = convert(preview.source, color, display, rgb, Rounding::kNearest);
  preview.after = convert(preview.enhanced, color, display, rgb, Rounding::kNearest);
}

}  // namespace

PreviewPicture preview_picture(const JobConfig& config, const double at, Enhancer& enhancer,
                               const PlanningTick& tick, const StopFlag& stop) {
  const std::string& path = config.input;
  if (!(at >= 0.0) || !std::isfinite(at))
    throw Error(ErrorKind::kConfig, "at must be 0 s or more, not " + in_seconds(at));
  const Input input(path);
  if (input.video_index() < 0)
    throw Error(ErrorKind::kInput, "'" + path + "' has no video stream", path);
  const AVStream& stream = input.stream(input.video_index());
  const double tick_seconds = av_q2d(stream.time_base);
  const std::int64_t file_start = input.format().start_time;
  const double start =
      file_start != AV_NOPTS_VALUE ? static_cast<double>(file_start) / AV_TIME_BASE : 0.0;
  const double end = end_of_video(input, start);
  if (constexpr double kSlack = 1.0; end >= 0.0 && at >= end + kSlack)
    throw nothing_shown(path, at, end);

  JobPlan plan;
  plan.config = config;
  if (config.decoder_threads == 0) plan.config.decoder_threads = usable_cores();
  plan_reading(input, tick, stop, plan);
  enhancer.check(plan.source_format, plan.color);
  // A time that was written in decimals may lie a little before the picture it means.
  constexpr double kLittle = 1e-3;
  const auto time = static_cast<std::int64_t>(std::floor((start + at) / tick_seconds + kLittle));
  ShownPicture shown = find_shown_picture(path, plan.decoder, time, enhancer.look_back(), stop);
  if (shown.pictures.empty())
    throw nothing_shown(path, at, static_cast<double>(shown.end) * tick_seconds - start);

  std::vector<EnhanceInput> batch;
  for (const SourcePicture& picture : shown.pictures)
    batch.push_back({&picture.planes, plan.color, picture.codec_strength});
  PreviewPicture preview;
  preview.enhanced = std::move(enhancer.run(batch, stop).back());
  preview.source = std::move(shown.pictures.back().planes);
  preview.time = static_cast<double>(shown.pictures.back().pts) * tick_seconds - start;
  if (plan.decoder.orientation.upright()) preview.rotation = stream_rotation(stream);
  preview.transfer = known(av_color_transfer_name(plan.encoder.transfer));
  preview.enhancer = enhancer.describe();
  preview.warnings = std::move(plan.warnings);
  for (std::string& warning : enhancer.warnings()) preview.warnings.push_back(std::move(warning));
  for (std::string& note : enhancer.take_notes()) preview.warnings.push_back(std::move(note));
  make_displayed(plan.color, preview);
  return preview;
}

}  // namespace streamvsr
