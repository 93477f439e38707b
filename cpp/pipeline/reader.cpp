#include "pipeline/stages.h"

namespace streamvsr {

void read_stage(const JobPlan& plan, Shared& shared, BusyTimer& busy, ReadFindings& findings) {
  busy.resume();
  Decoder decoder(plan.config.input, plan.decoder);
  for (;;) {
    shared.abort.check();
    std::optional<SourcePicture> picture = decoder.next();
    shared.damaged = decoder.damaged();
    if (plan.config.strict && decoder.damaged() > 0)
      throw Error(ErrorKind::kDamaged,
                  "'" + plan.config.input + "' is damaged near frame " +
                      std::to_string(picture ? picture->index : plan.frames) +
                      " (FFmpeg: " + decoder.damage_words() + ")",
                  plan.config.input);
    if (!picture) break;
    const std::size_t bytes = picture->planes.bytes();
    shared.gauge.add(bytes);
    const bool last = plan.ends_segment(picture->index);
    busy.pause();
    shared.read.push(FrameItem{std::move(*picture), last}, bytes);
    busy.resume();
  }
  findings = {decoder.damage_words(), decoder.resized()};
  shared.bytes_read += decoder.bytes_read();
  busy.pause();
  shared.read.push(End{}, 0);
}

}  // namespace streamvsr
