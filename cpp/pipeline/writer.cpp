#include <iterator>
#include <new>
#include <optional>
#include <utility>

#include "base/heap.h"
#include "media/finish_in_place.h"
#include "media/part_writer.h"
#include "pipeline/space.h"
#include "pipeline/stages.h"

namespace streamvsr {

namespace {

int video_output(const JobPlan& plan) {
  for (const PlannedStream& s : plan.streams.streams)
    if (s.action == StreamAction::kEnhance) return s.output;
  return 0;
}

// Runs what reads a `.part` back. Where an earlier run wrote to it, it may have been changed since,
// and what does not fit in it is no defect of this program.
template <class Work>
void on_earlier_part(const bool earlier, const std::string& path, const Work& work) {
  const auto changed = [](const std::string& what, const std::string& where, const int code) {
    return Error(ErrorKind::kResume,
                 what +
                     ": the file of the interrupted run was changed. resume=False (--resume no) "
                     "starts over",
                 where, code);
  };
  try {
    work();
  } catch (const Error& error) {
    if (!earlier || error.kind() != ErrorKind::kInternal) throw;
    throw changed(error.what(), error.path(), error.code());
  } catch (const std::bad_alloc&) {
    // FFmpeg's demuxers ask for as much memory as a damaged size in the file names.
    if (!earlier) throw;
    throw changed("cannot read '" + path + "' back: it asks for more memory than there is", path,
                  0);
  }
}

// Purpose: the W stage: encodes, interleaves with the copied streams, writes fragments, keeps the
// checkpoint. Thread-safety: none.
class Writer final : private PacketSink {
 public:
  Writer(const JobPlan& plan, Checkpoint& from, SourceWatch& watch, File& part, Shared& shared)
      : plan_(plan),
        shared_(shared),
        watch_(watch),
        part_(part),
        checkpoint_(from),
        input_(plan.config.input),
        tags_(plan.config.input),
        packets_(input_, plan.streams.streams, plan.container, plan.part.clock, shared.abort),
        encoder_(plan, video_output(plan), shared.abort, from.video),
        context_{part, tags_, plan.streams.streams, plan.part, encoder_.parameters()},
        space_(plan, from.part.bytes),
        frames_(from.source.delivered) {
    avformat_flush(&tags_.format());  // the packets that finding its streams took
    if (from.segments_done == 0) {
      writer_.emplace(context_);
      return;
    }
    const bool mp4 = plan.container != Container::kMkv;
    std::vector<OutPacket> recent =
        packets_.skip(from.video.last_dts, plan.part.video_time_base, mp4);
    on_earlier_part(true, part_.path(),
                    [&] { writer_.emplace(context_, from.part, std::move(recent)); });
    started_ = resumed_ = true;
  }

  // memory: of the frame, given back once the encoder has taken it.
  void add(FrameItem item, MemoryGate::Admission memory) {
    encoder_.encode(std::move(item.picture), item.mark.has_value(), *this);
    memory = {};
    ++frames_;
    note_rate();
    shared_.frames_written = encoder_.frames_done();
    if (item.mark) end_segment(*item.mark);
  }

  // Behind a whole segment: whether the next ones fit.
  void look_for_room() {
    if (plan_.config.max_disk_fraction <= 0.0) return;
    const std::string& output = plan_.config.output;
    if (auto warning = space_.look(frames_, checkpoint_.part.bytes, room_in(directory_of(output))))
      shared_.warn(std::move(*warning));
  }

  void finish() {
    if (frames_ == 0)
      throw Error(ErrorKind::kInput,
                  "not one picture of '" + plan_.config.input + "' could be decoded",
                  plan_.config.input);
    watch_.check();
    if (encoder_.segment_open()) {
      encoder_.finish_segment(*this);
      note_rate();
      if (!video_.empty()) write();
      ++checkpoint_.segments_done;
      ++shared_.segments_done;
    }
    shared_.frames_written = encoder_.frames_done();
    // What the other streams hold after the last picture, a second at a time.
    for (std::int64_t time; (time = packets_.next_time()) != AV_NOPTS_VALUE;) {
      shared_.abort.check();
      std::vector<OutPacket> rest;
      packets_.pull(time + AV_TIME_BASE, AV_TIME_BASE_Q, rest, kCopiedBytes);
      writer_->write_fragment(std::move(rest));
    }
    watch_.check();
    note_damage();
    writer_->end();
    tell_bytes();
    checkpoint_.stage = Checkpoint::Stage::kFinishing;
    checkpoint_.source.delivered = frames_;
    save();
    on_earlier_part(resumed_, part_.path(), [&] {
      shared_.bytes_written += finish_in_place(context_, checkpoint_.part, shared_.abort);
    });
  }

 private:
  // The pictures' damage is R's to tell.
  void note_damage() {
    std::string what;
    if (packets_.left_out() > 0)
      what = std::to_string(packets_.left_out()) +
             " packets of sound are damaged or unlike the others of their stream: left out";
    if (!plan_.copied_streams.empty() && !input_.damage().empty())
      what += (what.empty() ? "" : "; ") +
              ("the streams beside the video break off (FFmpeg: " + input_.damage() +
               "); what could be read of them is there");
    if (what.empty()) return;
    if (plan_.config.strict)
      throw Error(ErrorKind::kDamaged, "'" + plan_.config.input + "': " + what, plan_.config.input);
    shared_.warn(what);
  }

  // What the disk budget made of a segment that ended.
  void note_rate() {
    if (const auto rate = encoder_.take_rate()) shared_.note(*rate);
  }

  // A fragment ends by its time, or by its bytes.
  void push_back(OutPacket packet) override {
    video_bytes_ += packet_bytes(*packet.packet);
    video_.push_back(std::move(packet));
    if (video_.size() >= static_cast<std::size_t>(plan_.fragment_frames) ||
        video_bytes_ >= kFragmentBytes)
      write();
  }

  // The finished video packets and every other packet up to the last one's time: one fragment, or
  // where that would be too large, some of the others' packets alone before it.
  void write() {
    const std::int64_t bound = video_.back().packet->dts;
    std::vector<OutPacket> copied;
    while (!packets_.pull(bound, plan_.part.video_time_base, copied, kCopiedBytes))
      write_fragment(std::exchange(copied, {}));
    std::vector<OutPacket> fragment = std::exchange(video_, {});
    std::move(copied.begin(), copied.end(), std::back_inserter(fragment));
    video_bytes_ = 0;
    write_fragment(std::move(fragment));
  }

  void write_fragment(std::vector<OutPacket> fragment) {
    // MP4's header describes AC-3 and E-AC-3 from their first packets: the first fragment has
    // them.
    if (!started_ && plan_.container != Container::kMkv) packets_.pull_first_audio(fragment);
    started_ = true;
    writer_->write_fragment(std::move(fragment));
    tell_bytes();
  }

  void tell_bytes() {
    shared_.bytes_written = writer_->bytes_written();
    shared_.copied_bytes_read = packets_.bytes_read();
  }

  void end_segment(const SourceMark& mark) {
    if (!video_.empty()) write();
    watch_.check();
    ++shared_.segments_done;
    ++checkpoint_.segments_done;
    checkpoint_.source = mark;
    checkpoint_.video = encoder_.mark();
    save();
    // Its encoders' threads are gone, and the next ones may find other heaps.
    trim_heap();
  }

  // Durable before the checkpoint says so.
  void save() {
    part_.sync_data();
    checkpoint_.part = writer_->state();
    checkpoint_.part_tail = part_tail(part_, checkpoint_.part.bytes);
    // Where this fails, the old checkpoint or the new one may be in place.
    shared_.durable_bytes = Shared::kUncut;
    save_checkpoint(checkpoint_path(plan_.config.output), checkpoint_);
    shared_.durable_frames = frames_;
    const bool running = checkpoint_.stage == Checkpoint::Stage::kRunning;
    shared_.durable_bytes = running ? checkpoint_.part.bytes : Shared::kUncut;
  }

  const JobPlan& plan_;
  Shared& shared_;
  SourceWatch& watch_;
  File& part_;
  Checkpoint& checkpoint_;
  Input input_;  // read for the copied streams
  Input tags_;   // never read: what describes the source
  PacketSource packets_;
  SegmentEncoder encoder_;
  PartContext context_;
  std::optional<PartWriter> writer_;
  SpaceWatch space_;
  std::vector<OutPacket> video_;  // finished, not yet in a fragment
  std::size_t video_bytes_ = 0;   // of these
  std::int64_t frames_;           // in the `.part` or on their way to it
  bool started_ = false;
  bool resumed_ = false;  // earlier runs added to the `.part`
};

}  // namespace

void write_stage(const JobPlan& plan, Checkpoint& state, SourceWatch& watch, File& part,
                 Shared& shared) {
  shared.writing.resume();
  Writer writer(plan, state, watch, part, shared);
  for (;;) {
    shared.writing.pause();
    auto [item, memory] = shared.computed.pop();
    shared.writing.resume();
    auto* const frame = std::get_if<FrameItem>(&item);
    if (frame == nullptr) break;
    shared.abort.check();
    const bool last_of_segment = frame->mark.has_value();
    on_frame("writing", frame->picture.index,
             [&, &room = memory] { writer.add(std::move(*frame), std::move(room)); });
    if (last_of_segment) writer.look_for_room();
  }
  writer.finish();
  shared.writing.pause();
}

void finish_stage(const JobPlan& plan, const Checkpoint& from, File& part, Shared& shared) {
  const Input tags(plan.config.input);
  const PartContext context{part, tags, plan.streams.streams, plan.part, *plan.encoded};
  on_earlier_part(true, part.path(), [&] {
    shared.bytes_written += finish_in_place(context, from.part, shared.abort);
  });
}

}  // namespace streamvsr
