#include <algorithm>
#include <optional>

#include "pipeline/stages.h"

namespace streamvsr {

void compute_stage(const JobPlan& plan, Enhancer& enhancer, Shared& shared) {
  const auto most = static_cast<std::size_t>(std::max(1, enhancer.preferred_batch()));
  bool ended = false;
  while (!ended) {
    // A batch takes what is there: how many that is changes the speed, never a pixel.
    std::vector<FrameItem> batch;
    std::optional<Item> item = shared.read.pop();
    while (item) {
      if (auto* const frame = std::get_if<FrameItem>(&*item))
        batch.push_back(std::move(*frame));
      else
        ended = true;
      item = ended || batch.size() >= most ? std::nullopt : shared.read.try_pop();
    }
    shared.computing.resume();
    std::vector<EnhanceInput> inputs;
    for (const FrameItem& frame : batch)
      inputs.push_back(
          {&frame.picture.planes, plan.siting, plan.full_range, frame.picture.codec_strength});
    std::vector<Planes> enhanced;
    if (!inputs.empty())
      on_frame("enhancing", batch.front().picture.index,
               [&] { enhanced = enhancer.run(inputs, shared.abort); });
    shared.computing.pause();
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (batch[i].warm_up) {
        shared.gauge.remove(batch[i].picture.planes.bytes());
        continue;
      }
      const std::size_t bytes = enhanced[i].bytes();
      shared.gauge.add(bytes);
      shared.gauge.remove(batch[i].picture.planes.bytes());
      batch[i].picture.planes = std::move(enhanced[i]);
      shared.computed.push(std::move(batch[i]), bytes);
    }
  }
  shared.computed.push(End{}, 0);
}

}  // namespace streamvsr
