#include "pipeline/share_memory.h"

#include <algorithm>

#include "color/convert.h"
#include "media/encoder_memory.h"
#include "pipeline/draft.h"
#include "pipeline/rate_control.h"

namespace streamvsr {

void share_memory(const JobConfig& asked, const SourceIndex& index, const Input& input,
                  const Decoder& probe, const Enhancer& enhancer, const MemoryBasis& basis,
                  JobPlan& plan) {
  const AVStream& stream = input.stream(input.video_index());
  MemoryNeeds needs;
  needs.limit = static_cast<std::size_t>(asked.max_memory_mb) << 20;
  needs.frames = static_cast<std::size_t>(asked.max_frames_mb) << 20;
  needs.machine = basis.machine;
  needs.decoder.parameters = stream.codecpar;
  needs.decoder.format = static_cast<AVPixelFormat>(probe.first_frame()->format);
  needs.decoder.width = std::max(stream.codecpar->width, plan.decoder.width);
  needs.decoder.height = std::max(stream.codecpar->height, plan.decoder.height);
  needs.decoder.converted = plane_format(needs.decoder.format, plan.source_format.width,
                                         plan.source_format.height) != plan.source_format ||
                            !plan.decoder.orientation.upright();
  needs.decoder.deinterlaced =
      plan.decoder.interlaced == Interlaced::kDeinterlace && probe.met_interlaced();
  for (const SourceIndex::Packet& packet : index.packets)
    needs.decoder.largest_packet =
        std::max(needs.decoder.largest_packet, static_cast<std::size_t>(packet.bytes));
  needs.source_picture = planes_bytes(plan.source_format);
  needs.enhanced_picture = planes_bytes(plan.enhanced_format);
  if (plan.output_format != plan.enhanced_format)
    needs.encoded_picture = planes_bytes(plan.output_format) +
                            PictureConverter(plan.enhanced_format, plan.color, plan.output_format,
                                             plan.color, Rounding::kDiffused)
                                .bytes();
  needs.workspace = enhancer.workspace_bytes(plan.source_format);
  needs.batch = enhancer.preferred_batch();
  needs.look_back = enhancer.look_back();
  needs.fragment_frames = plan.fragment_frames;
  needs.source_bytes =
      static_cast<std::size_t>(std::max<std::int64_t>(0, avio_size(input.format().pb)));
  needs.copied_streams = input.stream_count() > 1;
  if (asked.disk_ratio > 0.0)
    needs.held = DiskBudget::held_bytes(planes_bytes(plan.output_format),
                                        static_cast<double>(plan.segment_frames));
  if (needs.held > 0) {
    needs.rehearsal = RateControl::most_rehearsed(*rate_curve(plan.encoder.codec)) *
                      planes_bytes(plan.output_format);
    plan.draft = Draft::settings_for(plan.encoder);
  }
  if (plan.draft) {
    needs.draft = DiskBudget::draft_bytes(needs.held);
    needs.draft_encoder = encoder_bytes(*plan.draft);
  }
  needs.decoder_threads_given = asked.decoder_threads != 0;
  needs.encoder_threads_given = asked.encoder_threads != 0;
  plan.memory = plan_memory(needs, plan.encoder, plan.decoder.threads, basis.kept);
  plan.decoder.most_bytes = plan.memory.decoder + (plan.memory.most - plan.memory.used());
  plan.decoder.beside_bytes = plan.memory.beside;
  if (plan.memory.draft == 0) plan.draft.reset();
  if (plan.draft) plan.draft->threads = plan.encoder.threads;
  if (!plan.memory.change.empty()) plan.warnings.push_back(plan.memory.change);
}

}  // namespace streamvsr
