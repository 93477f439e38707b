#include "media/part_writer.h"

#include <algorithm>
#include <limits>

#include "media/block_duration.h"
#include "media/matroska_finish.h"

namespace streamvsr {

namespace {

constexpr std::int64_t kDropAll = std::numeric_limits<std::int64_t>::max();

// Frames that an encoder may reorder by, at most.
constexpr std::size_t kMostReordered = 16;

// Whether a stream's packets in a fragment follow each other at one distance, which they also last,
// so that the next one surely comes at that distance.
bool is_even(const std::vector<OutPacket>& packets, const int stream) {
  const AVPacket* last = nullptr;
  std::size_t count = 0;
  for (const OutPacket& out : packets) {
    const AVPacket& packet = *out.packet;
    if (packet.stream_index != stream) continue;
    if (last != nullptr &&
        (packet.duration != last->duration || packet.dts - last->dts != last->duration))
      return false;
    last = &packet;
    ++count;
  }
  return count > kMostReordered;
}

bool learns_from_packets(const AVCodecParameters& parameters) {
  return parameters.codec_id == AV_CODEC_ID_AC3 || parameters.codec_id == AV_CODEC_ID_EAC3;
}

}  // namespace

PartWriter::PartWriter(const PartContext& context, const std::int64_t keep_from)
    : context_(context) {
  for (const PlannedStream& planned : context.streams)
    if (planned.action == StreamAction::kEnhance) video_output_ = planned.output;
  state_.last_durations.assign(context.streams.size(), 0);
  state_.ends.assign(context.streams.size(), 0);
  io_ = std::make_unique<FileIo>(context.file, 0, keep_from);
}

PartWriter::PartWriter(const PartContext& context) : PartWriter(context, 0) {
  muxer_ = make_muxer(context_, *io_, *log_, MuxerKind::kGrowing, nullptr);
}

PartWriter::PartWriter(const PartContext& context, const PartState& state,
                       std::vector<OutPacket> recent)
    : PartWriter(context, kDropAll) {
  if (state.ends.size() != context.streams.size() ||
      state.last_durations.size() != context.streams.size())
    throw Error(
        ErrorKind::kResume,
        "the checkpoint of '" + context.file.path() + "' is about another number of streams",
        context.file.path());
  const std::vector<LastPacket> last(recent.begin(), recent.end());
  teach(std::move(recent));
  check_ends(state, last);
  state_ = state;
  av_opt_set_int(muxer_->priv_data, "fragment_index", state.fragments, 0);
  io_->restart(state.bytes);
}

// The source, read up to the same time, must have the same last packets that the checkpoint tells
// of.
void PartWriter::check_ends(const PartState& state, const std::span<const LastPacket> last) const {
  for (const LastPacket& packet : last) {
    const auto index = static_cast<std::size_t>(packet.stream);
    const AVRational to = muxer_->streams[index]->time_base;
    const std::int64_t duration = av_rescale_q(packet.duration, packet.time_base, to);
    const std::int64_t pts = av_rescale_q(packet.pts, packet.time_base, to);
    if (state.last_durations[index] != duration || state.ends[index] < pts + duration)
      throw Error(ErrorKind::kResume,
                  "the checkpoint of '" + context_.file.path() + "' says of output stream " +
                      std::to_string(index) + " what does not fit the source",
                  context_.file.path());
  }
}

// See Note [going on with a part]. All of it is dropped on its way to the file.
void PartWriter::teach(std::vector<OutPacket> recent) {
  const LogSink::Scope scope(*log_);
  if (mkv()) {
    muxer_ = make_muxer(context_, *io_, *log_, MuxerKind::kGrowing, nullptr);
    // Blocks of some streams name the one before them. Audio's do not, and the muxer would keep the
    // packet back until it is no longer dropped.
    for (OutPacket& out : recent) {
      const AVStream& stream = *muxer_->streams[out.packet->stream_index];
      if (stream.codecpar->codec_type == AVMEDIA_TYPE_AUDIO) continue;
      av_packet_rescale_ts(out.packet.get(), out.time_base, stream.time_base);
      write(*out.packet);
    }
    flush();
    return;
  }
  const InputPtr part = open_part(context_, *log_);
  muxer_ = make_muxer(context_, *io_, *log_, MuxerKind::kGrowing, part.get());
  std::vector<bool> wanted;
  for (unsigned i = 0; i < muxer_->nb_streams; ++i)
    wanted.push_back(learns_from_packets(*muxer_->streams[i]->codecpar));
  const PacketPtr packet = make_packet();
  while (std::find(wanted.begin(), wanted.end(), true) != wanted.end()) {
    check(av_read_frame(part.get(), packet.get()), "read back", context_.file.path(),
          ErrorKind::kInternal, log_.get());
    const auto index = static_cast<std::size_t>(packet->stream_index);
    if (index >= wanted.size() || !wanted[index]) continue;
    wanted[index] = false;
    av_packet_rescale_ts(packet.get(), part->streams[index]->time_base,
                         muxer_->streams[index]->time_base);
    av_opt_set(muxer_->priv_data, "movflags", "+frag_discont", 0);
    write(*packet);
  }
  flush();  // with delay_moov the first flush writes the header alone
  flush();
}

void PartWriter::write(AVPacket& packet) {
  const int result = av_write_frame(muxer_.get(), &packet);
  io_->rethrow();
  check(result, "write", context_.file.path(), ErrorKind::kInternal, log_.get());
}

void PartWriter::flush() {
  const LogSink::Scope scope(*log_);
  const int result = av_write_frame(muxer_.get(), nullptr);
  avio_flush(io_->context());
  io_->rethrow();
  check(result, "write", context_.file.path(), ErrorKind::kInternal, log_.get());
}

void PartWriter::write_fragment(std::vector<OutPacket> packets) {
  const LogSink::Scope scope(*log_);
  // The enhanced video comes last among equals: Matroska's muxer keeps an audio packet back until a
  // video packet comes.
  std::stable_sort(packets.begin(), packets.end(), [this](const OutPacket& a, const OutPacket& b) {
    const int order = av_compare_ts(a.packet->dts, a.time_base, b.packet->dts, b.time_base);
    if (order != 0) return order < 0;
    const bool a_last = a.packet->stream_index == video_output_;
    const bool b_last = b.packet->stream_index == video_output_;
    if (a_last != b_last) return b_last;
    return a.packet->stream_index < b.packet->stream_index;
  });
  // Each fragment says its own times: else a gap before it would be lost, and it would depend on
  // those before it.
  if (!mkv()) av_opt_set(muxer_->priv_data, "movflags", "+frag_discont", 0);
  const bool first = io_->position() == 0;
  // See Note [ends of fragments].
  const AVPacket* shortened = nullptr;
  if (!mkv() && !is_even(packets, video_output_))
    for (const OutPacket& out : packets)
      if (out.packet->stream_index == video_output_) shortened = out.packet.get();
  const std::int64_t begin = io_->position();
  std::int64_t last_ms = 0;  // the film's last picture lasts, where it is among these
  for (OutPacket& out : packets) {
    const auto index = static_cast<std::size_t>(out.packet->stream_index);
    const AVRational base = muxer_->streams[index]->time_base;
    const std::int64_t end =
        av_rescale_q(out.packet->pts + out.packet->duration, out.time_base, base);
    av_packet_rescale_ts(out.packet.get(), out.time_base, base);
    if (out.last && mkv()) {
      out.packet->duration = last_ms = std::max<std::int64_t>(1, end - out.packet->pts);
      reserve_block_duration(*out.packet);
    }
    state_.last_durations[index] = out.packet->duration;
    state_.ends[index] = std::max(state_.ends[index], out.packet->pts + out.packet->duration);
    if (out.packet.get() == shortened) out.packet->duration = 1;
    write(*out.packet);
    out.packet.reset();
  }
  flush();
  if (first && !mkv()) flush();  // with delay_moov the first flush writes the header alone
  // Without a place for it, the track's default duration or its tag has to do.
  if (last_ms > 0) write_block_duration(context_.file, begin, io_->position(), last_ms);
}

PartState PartWriter::state() const {
  PartState state = state_;
  if (io_) state.bytes = io_->position();
  if (muxer_ && !mkv()) av_opt_get_int(muxer_->priv_data, "fragment_index", 0, &state.fragments);
  return state;
}

void PartWriter::end() {
  const LogSink::Scope scope(*log_);
  const std::int64_t data = io_->position();
  // Matroska's muxer holds an audio packet back, which only its trailer writes; behind it comes an
  // index of what this muxer has seen, and patches of the header that know no more. Neither stays.
  if (mkv()) io_->keep_from(data);
  const int result = av_write_trailer(muxer_.get());
  avio_flush(io_->context());
  io_->rethrow();
  check(result, "finish", context_.file.path(), ErrorKind::kInternal, log_.get());
  muxer_.reset();
  state_.bytes = mkv() ? clusters_end(context_.file, data) : io_->position();
  written_ = io_->written();
  io_.reset();
}

}  // namespace streamvsr
