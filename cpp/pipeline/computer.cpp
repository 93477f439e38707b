#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "pipeline/stages.h"

namespace streamvsr {

namespace {

struct Work {
  FrameItem frame;
  MemoryGate::Admission source;    // of its picture
  MemoryGate::Admission enhanced;  // of its result
};

// Takes the pictures that are there, as many as their results have room for: how many that is
// changes the speed, never a pixel. False at the end.
bool take_batch(Shared& shared, const std::size_t most, const std::size_t result_bytes,
                std::vector<Work>& batch) {
  std::optional<ByteQueue<Item>::Entry> next = shared.read.pop();
  std::optional<MemoryGate::Admission> room;
  while (next) {
    auto* const frame = std::get_if<FrameItem>(&next->item);
    if (frame == nullptr) return false;
    if (!room) room = shared.enhanced.admit(result_bytes);
    batch.push_back({std::move(*frame), std::move(next->memory), std::move(*room)});
    if (batch.size() >= most) break;
    room = shared.enhanced.try_admit(result_bytes);
    next = room ? shared.read.try_pop() : std::nullopt;
  }
  return true;
}

}  // namespace

void compute_stage(const JobPlan& plan, Enhancer& enhancer, Shared& shared) {
  const auto most = static_cast<std::size_t>(std::max(1, enhancer.preferred_batch()));
  const std::size_t result_bytes = planes_bytes(enhancer.output_format(plan.source_format));
  bool more = true;
  while (more) {
    std::vector<Work> batch;
    more = take_batch(shared, most, result_bytes, batch);
    shared.computing.resume();
    std::vector<EnhanceInput> inputs;
    for (const Work& work : batch)
      inputs.push_back({&work.frame.picture.planes, plan.color, work.frame.picture.codec_strength});
    std::vector<Planes> enhanced;
    if (!inputs.empty())
      on_frame("enhancing", batch.front().frame.picture.index,
               [&] { enhanced = enhancer.run(inputs, shared.abort); });
    shared.computing.pause();
    for (std::string& note : enhancer.take_notes()) shared.warn(std::move(note));
    for (std::size_t i = 0; i < batch.size(); ++i) {
      Work work = std::move(batch[i]);
      Planes result = std::move(enhanced[i]);
      if (work.frame.warm_up) continue;
      work.frame.picture.planes = std::move(result);
      work.source = {};
      ++shared.frames_done;
      shared.computed.push(std::move(work.frame), std::move(work.enhanced));
    }
  }
  shared.finishing = true;
  shared.computed.push(End{}, {});
}

}  // namespace streamvsr
