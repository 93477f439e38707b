// PartWriter's finish for MP4 and MOV.
//
// Note [finish in place]: the packets of the fragments are fed to an ordinary muxer that is led to
// where each of them lies already and whose writes before the end of the data are dropped. So it
// learns every position, and its trailer, the only thing that reaches the file, is an index over
// the bytes in place. Its own header (and the chapters' text, which QuickTime stores as samples)
// lands behind the data. Once all that is durable, the 16 bytes at the old, empty index become the
// header of one large mdat box that covers everything up to the new index.

#include <array>

#include "media/part_writer.h"

namespace streamvsr {

namespace {

std::uint32_t big_endian32(const std::uint8_t* const p) {
  return std::uint32_t{p[0]} << 24 | std::uint32_t{p[1]} << 16 | std::uint32_t{p[2]} << 8 |
         std::uint32_t{p[3]};
}

}  // namespace

void PartWriter::finish_in_place(const StopFlag& stop) {
  const std::int64_t end_of_data = io_->position();
  bytes_written_ += io_->written();
  io_.reset();
  const LogSink::Scope scope(*log_);
  AVFormatContext* context = nullptr;
  check(avformat_open_input(&context, ("file:" + file_.path()).c_str(), av_find_input_format("mov"),
                            nullptr),
        "read back", file_.path(), ErrorKind::kInternal, log_.get());
  const InputPtr part(context);
  FileIo io(file_, end_of_data, end_of_data);
  const MuxerPtr muxer = make_muxer(io, false, part.get());
  for (const PlannedStream& planned : streams_) {
    if (planned.action != StreamAction::kCover) continue;
    const PacketPtr cover = make_packet();
    if (av_packet_ref(cover.get(), &input_.stream(planned.input).attached_pic) < 0)
      throw std::bad_alloc();
    cover->stream_index = planned.output;
    check(av_write_frame(muxer.get(), cover.get()), "write the cover into", file_.path(),
          ErrorKind::kInternal, log_.get());
  }
  avio_flush(io.context());
  const std::int64_t index_at = io.position();

  const PacketPtr packet = make_packet();
  for (;;) {
    stop.check();
    const int read = av_read_frame(part.get(), packet.get());
    if (read == AVERROR_EOF) break;
    check(read, "read back", file_.path(), ErrorKind::kInternal, log_.get());
    if (packet->pos >= end_of_data) break;  // never into what is being written
    const AVRational to = muxer->streams[packet->stream_index]->time_base;
    av_packet_rescale_ts(packet.get(), part->streams[packet->stream_index]->time_base, to);
    const std::int64_t shift = av_rescale_q(settings_.clock.shift_us, AV_TIME_BASE_Q, to);
    packet->pts -= shift;
    packet->dts -= shift;
    // A fragment does not say how long a track's last packet lasts.
    if (packet->duration <= 0) packet->duration = last_durations_[packet->stream_index];
    const std::int64_t behind = packet->pos + packet->size;
    avio_seek(io.context(), packet->pos, SEEK_SET);
    check(av_write_frame(muxer.get(), packet.get()), "index", file_.path(), ErrorKind::kInternal,
          log_.get());
    if (io.position() != behind)
      throw Error(ErrorKind::kInternal,
                  "the index of '" + file_.path() + "' does not fit its packets", file_.path());
    av_packet_unref(packet.get());
  }
  avio_seek(io.context(), index_at, SEEK_SET);
  const int result = av_write_trailer(muxer.get());
  avio_flush(io.context());
  io.rethrow();
  check(result, "finish", file_.path(), ErrorKind::kInternal, log_.get());
  bytes_written_ += io.written();

  file_.sync();  // the index before the header that makes it the only one
  std::array<std::uint8_t, 4> size{};
  if (file_.read_at(size, 0) != size.size())
    throw Error(ErrorKind::kInternal, "'" + file_.path() + "' lost its beginning", file_.path());
  const std::int64_t old_index = big_endian32(size.data());  // right behind the ftyp box
  std::array<std::uint8_t, 16> header = {0,   0,   0,   1,
                                         'm', 'd', 'a', 't'};  // 1: the size follows in 64 bits
  const auto covered = static_cast<std::uint64_t>(index_at - old_index);
  for (int i = 0; i < 8; ++i)
    header[static_cast<std::size_t>(8 + i)] = static_cast<std::uint8_t>(covered >> (56 - 8 * i));
  file_.write_at(header, old_index);
  bytes_written_ += static_cast<std::int64_t>(header.size());
}

}  // namespace streamvsr
