#include "pipeline/stages.h"

namespace streamvsr {

namespace {

MemoryGate::Admission ask(Shared& shared, const std::size_t bytes) {
  shared.reading.pause();
  MemoryGate::Admission room = shared.source.admit(bytes);
  shared.reading.resume();
  return room;
}

}  // namespace

void read_stage(const JobPlan& plan, const Checkpoint& from, const int look_back, Shared& shared,
                ReadFindings& findings) {
  shared.reading.resume();
  const std::size_t bytes = planes_bytes(plan.source_format);
  Decoder decoder(plan.config.input, plan.decoder, shared.abort);
  if (from.segments_done > 0)
    for (SourcePicture& picture : decoder.resume(from.source, look_back))
      shared.read.push(FrameItem{std::move(picture), true, {}}, ask(shared, bytes));
  for (std::int64_t frame = from.source.delivered;; ++frame) {
    shared.abort.check();
    MemoryGate::Admission room = ask(shared, bytes);
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
    shared.read.push(std::move(item), std::move(room));
  }
  findings = {decoder.damage_words(), decoder.resized()};
  shared.reading.pause();
  shared.read.push(End{}, {});
}

}  // namespace streamvsr
