#include "media/finish_in_place.h"

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "media/matroska_finish.h"

namespace streamvsr {

namespace {

// For MP4 and MOV.
//
// Note [finish in place]: the packets of the fragments are fed to an ordinary muxer that is led to
// where each of them lies already and whose writes before the end of the data are dropped. So it
// learns every position, and its trailer, the only thing that reaches the file, is an index over
// the bytes in place. Its own header (and the chapters' text, which QuickTime stores as samples)
// lands behind the data. Once all that is durable, the 16 bytes at the old, empty index become the
// header of one large mdat box that covers everything up to the new index. That last write decides:
// before it the file is a grown part, after it a finished one.

// Bytes of a box's header, with its size in 32 bits and in 64.
constexpr std::size_t kHeader = 8;
constexpr std::size_t kLargeHeader = 16;

std::uint64_t big_endian(const std::span<const std::uint8_t> bytes) {
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

// A box's header as it stands in the file.
struct Box {
  std::uint64_t size = 0;
  std::array<char, 4> type{};
};

Box box_at(const File& file, const std::int64_t at) {
  std::array<std::uint8_t, kLargeHeader> bytes{};
  const std::size_t got = file.read_at(bytes, at);
  Box box;
  if (got < kHeader) return box;
  box.size = big_endian(std::span(bytes).first(4));
  std::copy_n(bytes.begin() + 4, 4, box.type.begin());
  if (box.size == 1 && got == bytes.size()) box.size = big_endian(std::span(bytes).subspan(8, 8));
  return box;
}

bool is(const Box& box, const char* const type) {
  return std::equal(box.type.begin(), box.type.end(), type);
}

// Where the fragments' own, empty index lies, or what a finish made of it: right behind the ftyp
// box. The file may be anything: its sizes are checked before they are used as places.
std::int64_t old_index(const File& file, const std::int64_t end_of_data) {
  const Box ftyp = box_at(file, 0);
  const auto room = static_cast<std::uint64_t>(std::max<std::int64_t>(end_of_data, 0));
  if (is(ftyp, "ftyp") && ftyp.size >= kHeader && ftyp.size <= room &&
      room - ftyp.size >= kLargeHeader) {
    const auto at = static_cast<std::int64_t>(ftyp.size);
    const Box index = box_at(file, at);
    if (is(index, "mdat") ||
        (is(index, "moov") && index.size >= kLargeHeader && index.size <= room - ftyp.size))
      return at;
  }
  throw Error(ErrorKind::kInternal, "'" + file.path() + "' lost its beginning", file.path());
}

// The size of the file where an earlier finish came to its end; 0 where none did.
std::int64_t finished_size(const File& file, const std::int64_t end_of_data) {
  const std::int64_t at = old_index(file, end_of_data);
  const Box data = box_at(file, at);
  if (!is(data, "mdat")) return 0;
  const auto room = static_cast<std::uint64_t>(std::max<std::int64_t>(file.size() - at, 0));
  if (data.size <= room && data.size >= static_cast<std::uint64_t>(end_of_data - at)) {
    const std::int64_t index_at = at + static_cast<std::int64_t>(data.size);
    const Box index = box_at(file, index_at);
    if (is(index, "moov") && index.size <= room - data.size)
      return index_at + static_cast<std::int64_t>(index.size);
  }
  throw Error(ErrorKind::kInternal, "'" + file.path() + "' lost its index", file.path());
}

void add_covers(const PartContext& context, AVFormatContext& muxer, const LogSink& log) {
  for (const PlannedStream& planned : context.streams) {
    if (planned.action != StreamAction::kCover) continue;
    const PacketPtr cover = make_packet();
    if (av_packet_ref(cover.get(), &context.tags.stream(planned.input).attached_pic) < 0)
      throw std::bad_alloc();
    cover->stream_index = planned.output;
    check(av_write_frame(&muxer, cover.get()), "write the cover into", context.file.path(),
          ErrorKind::kInternal, &log);
  }
}

// Purpose: gives a track's packets durations, so that the track ends where its last packet's
// presentation does. Thread-safety: none.
//
// Note [track's end]: a fragment does not say how long a track's last packet lasts, and FFmpeg's
// demuxer fills in one tick where the time scale is below 1000. The muxer takes the latest
// pts + duration for the end of the edit list and the last packet's duration for the last entry of
// stts. Which packet is the last is not known while they are read; so each packet gets what it
// would get as the last one. Earlier ones lose it again: their entries are the distances to the
// next dts.
class TrackEnd {
 public:
  // end: of the track's presentation, in ticks of the packets.
  explicit TrackEnd(const std::int64_t end) : end_(end) {}

  void set_duration(AVPacket& packet) {
    if (first_pts_ == AV_NOPTS_VALUE) {
      first_pts_ = packet.pts;
      first_dts_ = packet.dts;
    }
    // stts adds up to the presentation's length, where the edit list allows it.
    const std::int64_t rest = (end_ - first_pts_) - (packet.dts - first_dts_);
    packet.duration = std::clamp<std::int64_t>(std::min(rest, end_ - packet.pts), 1,
                                               std::numeric_limits<std::int32_t>::max());
  }

 private:
  std::int64_t end_;
  std::int64_t first_pts_ = AV_NOPTS_VALUE, first_dts_ = 0;
};

std::int64_t write_index(const PartContext& context, const PartState& state, const StopFlag& stop,
                         std::int64_t& index_at) {
  LogSink log;
  const LogSink::Scope scope(log);
  const std::string& path = context.file.path();
  const InputPtr part = open_part(context, log);
  FileIo io(context.file, state.bytes, state.bytes);
  const MuxerPtr muxer = make_muxer(context, io, log, MuxerKind::kFinishing, part.get());
  add_covers(context, *muxer, log);
  avio_flush(io.context());
  index_at = io.position();

  std::vector<TrackEnd> ends;
  const std::size_t tracks =
      std::min<std::size_t>({part->nb_streams, muxer->nb_streams, state.ends.size()});
  for (std::size_t i = 0; i < tracks; ++i) {
    const AVRational to = muxer->streams[i]->time_base;
    ends.emplace_back(av_rescale_q(state.ends[i], part->streams[i]->time_base, to) -
                      av_rescale_q(context.settings.clock.shift_us, AV_TIME_BASE_Q, to));
  }
  const PacketPtr packet = make_packet();
  for (;;) {
    stop.check();
    const int read = av_read_frame(part.get(), packet.get());
    if (read == AVERROR_EOF) break;
    check(read, "read back", path, ErrorKind::kInternal, &log);
    if (packet->pos >= state.bytes) break;  // never into what is being written
    const auto index = static_cast<std::size_t>(packet->stream_index);
    if (index >= ends.size())
      throw Error(ErrorKind::kInternal, "'" + path + "' has a track that was not written", path);
    const AVRational to = muxer->streams[index]->time_base;
    av_packet_rescale_ts(packet.get(), part->streams[packet->stream_index]->time_base, to);
    const std::int64_t shift = av_rescale_q(context.settings.clock.shift_us, AV_TIME_BASE_Q, to);
    packet->pts -= shift;
    packet->dts -= shift;
    ends[index].set_duration(*packet);
    const std::int64_t behind = packet->pos + packet->size;
    avio_seek(io.context(), packet->pos, SEEK_SET);
    check(av_write_frame(muxer.get(), packet.get()), "index", path, ErrorKind::kInternal, &log);
    if (io.position() != behind)
      throw Error(ErrorKind::kInternal, "the index of '" + path + "' does not fit its packets",
                  path);
    av_packet_unref(packet.get());
  }
  avio_seek(io.context(), index_at, SEEK_SET);
  const int result = av_write_trailer(muxer.get());
  avio_flush(io.context());
  io.rethrow();
  check(result, "finish", path, ErrorKind::kInternal, &log);
  return io.written();
}

std::int64_t finish_mp4(const PartContext& context, const PartState& state, const StopFlag& stop) {
  File& file = context.file;
  if (const std::int64_t size = finished_size(file, state.bytes); size > 0) {
    file.truncate(size);
    file.sync();
    return 0;
  }
  file.truncate(state.bytes);
  std::int64_t index_at = 0;
  const std::int64_t written = write_index(context, state, stop, index_at);
  file.sync();  // the index before the header that makes it the only one
  const std::int64_t at = old_index(file, state.bytes);
  std::array<std::uint8_t, kLargeHeader> header = {
      0, 0, 0, 1, 'm', 'd', 'a', 't'};  // 1: the size follows in 64 bits
  const auto covered = static_cast<std::uint64_t>(index_at - at);
  for (int i = 0; i < 8; ++i)
    header[static_cast<std::size_t>(8 + i)] = static_cast<std::uint8_t>(covered >> (56 - 8 * i));
  file.write_at(header, at);
  file.sync();
  return written + static_cast<std::int64_t>(header.size());
}

}  // namespace

std::int64_t finish_in_place(const PartContext& context, const PartState& state,
                             const StopFlag& stop) {
  if (context.settings.container != Container::kMkv) return finish_mp4(context, state, stop);
  const std::int64_t written = finish_matroska(context.file, state.bytes, state.ends, stop);
  context.file.sync();
  return written;
}

}  // namespace streamvsr
