#include <optional>

#include "pipeline/checkpoint.h"
#include "pipeline/segment_encoder.h"
#include "pipeline/stages.h"

namespace streamvsr {

namespace {

// Purpose: the W stage: encodes, interleaves with the copied streams, writes fragments.
// Thread-safety: none.
class Writer {
 public:
  Writer(const JobPlan& plan, File& part, Shared& shared)
      : plan_(plan),
        shared_(shared),
        part_(part),
        input_(plan.config.input),
        tags_(plan.config.input),
        packets_(input_, plan.streams.streams, plan.container, plan.part.clock, shared.abort),
        encoder_(plan, video_output(plan), shared.abort),
        writer_(part, tags_, plan.streams.streams, plan.part, encoder_.parameters()) {}

  void add(FrameItem item) {
    const std::size_t bytes = item.picture.planes.bytes();
    encoder_.encode(std::move(item.picture), item.last_in_segment, video_);
    shared_.gauge.remove(bytes);
    ++frames_;
    while (video_.size() >= static_cast<std::size_t>(plan_.fragment_frames))
      write(static_cast<std::size_t>(plan_.fragment_frames));
    if (item.last_in_segment) end_segment();
  }

  void finish() {
    if (frames_ == 0)
      throw Error(ErrorKind::kInput,
                  "not one picture of '" + plan_.config.input + "' could be decoded",
                  plan_.config.input);
    if (encoder_.segment_open()) {
      encoder_.finish_segment(video_);
      end_segment();
    }
    // What the other streams hold after the last picture, a second at a time.
    for (std::int64_t time; (time = packets_.next_time()) != AV_NOPTS_VALUE;) {
      shared_.abort.check();
      std::vector<OutPacket> rest;
      packets_.pull(time + AV_TIME_BASE, AV_TIME_BASE_Q, rest);
      writer_.write_fragment(std::move(rest));
    }
    writer_.finish(shared_.abort);
    shared_.bytes_written += writer_.bytes_written();
    shared_.bytes_read += packets_.bytes_read();
  }

 private:
  static int video_output(const JobPlan& plan) {
    for (const PlannedStream& s : plan.streams.streams)
      if (s.action == StreamAction::kEnhance) return s.output;
    return 0;
  }

  // One fragment: the first `count` video packets and every other packet up to the last one's time.
  void write(const std::size_t count) {
    std::vector<OutPacket> fragment;
    for (std::size_t i = 0; i < count; ++i) fragment.push_back(std::move(video_[i]));
    video_.erase(video_.begin(), video_.begin() + static_cast<std::ptrdiff_t>(count));
    const std::int64_t bound = fragment.back().packet->dts;
    packets_.pull(bound, plan_.part.video_time_base, fragment);
    // MP4's header describes AC-3 and ADTS audio from its first packet: have one of each in the
    // first fragment.
    if (!started_ && plan_.container != Container::kMkv) packets_.pull_first_audio(fragment);
    started_ = true;
    writer_.write_fragment(std::move(fragment));
    shared_.frames_written += static_cast<std::int64_t>(count);
  }

  void end_segment() {
    if (!video_.empty()) write(video_.size());
    const std::int64_t done = ++shared_.segments_done;
    // Durable before the checkpoint says so.
    part_.sync_data();
    Checkpoint checkpoint;
    checkpoint.plan_hash = plan_hash(plan_);
    checkpoint.next_frame = frames_;
    checkpoint.segments_done = done;
    checkpoint.part_bytes = writer_.offset();
    checkpoint.recent_pts.assign(encoder_.recent_pts().begin(), encoder_.recent_pts().end());
    save_checkpoint(checkpoint_path(plan_.config.output), checkpoint);
  }

  const JobPlan& plan_;
  Shared& shared_;
  File& part_;
  Input input_;  // read for the copied streams
  Input tags_;   // never read: what describes the source
  PacketSource packets_;
  SegmentEncoder encoder_;
  PartWriter writer_;
  std::vector<OutPacket> video_;  // finished, not yet in a fragment
  std::int64_t frames_ = 0;
  bool started_ = false;
};

}  // namespace

void write_stage(const JobPlan& plan, File& part, Shared& shared, BusyTimer& busy) {
  busy.resume();
  Writer writer(plan, part, shared);
  for (;;) {
    busy.pause();
    Item item = shared.computed.pop();
    busy.resume();
    auto* const frame = std::get_if<FrameItem>(&item);
    if (frame == nullptr) break;
    shared.abort.check();
    on_frame("writing", frame->picture.index, [&] { writer.add(std::move(*frame)); });
  }
  writer.finish();
  busy.pause();
}

}  // namespace streamvsr
