#include "pipeline/stages.h"

namespace streamvsr {

namespace {

void hand_over(Shared& shared, FrameItem item) {
  const std::size_t bytes = item.picture.planes.bytes();
  shared.gauge.add(bytes);
  shared.reading.pause();
  shared.read.push(std::move(item), bytes);
  shared.reading.resume();
}

}  // namespace

void read_stage(const JobPlan& plan, const Checkpoint& from, const int look_back, Shared& shared,
                ReadFindings& findings) {
  shared.reading.resume();
  Decoder decoder(plan.config.input, plan.decoder, shared.abort);
  if (from.segments_done > 0)
    for (SourcePicture& picture : decoder.resume(from.source, look_back))
      hand_over(shared, {std::move(picture), true, {}});
  for (std::int64_t frame = from.source.delivered;; ++frame) {
    shared.abort.check();
    const bool near_end = plan.segment_end(frame) - frame <= Decoder::kWindow;
    std::optional<SourcePicture> picture = decoder.next(near_end);
    shared.damaged = decoder.damaged();
    shared.video_bytes_read = decoder.bytes_read();
    if (plan.config.strict && decoder.damaged() > 0)
      throw Error(ErrorKind::kDamaged,
                  "'" + plan.config.input + "' is damaged near frame " +
                      std::to_string(picture ? picture->index : plan.frames) +
                      " (FFmpeg: " + decoder.damage_words() + ")",
                  plan.config.input);
    if (!picture) break;
    FrameItem item{std::move(*picture), false, {}};
    if (plan.ends_segment(frame)) item.mark = decoder.mark();
    hand_over(shared, std::move(item));
  }
  findings = {decoder.damage_words(), decoder.resized()};
  shared.reading.pause();
  shared.read.push(End{}, 0);
}

}  // namespace streamvsr
