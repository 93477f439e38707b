// The growing output file.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "media/part_muxer.h"

namespace streamvsr {

// Purpose: muxes into a `.part`. MP4 and MOV grow as fragments (readable when torn), Matroska grows
// as clusters; finish_in_place() makes an ordinary file of either. Thread-safety: none.
//
// Note [going on with a part]: nothing in a fragment or cluster depends on earlier ones but MP4's
// running number. So going on takes a new muxer whose header is dropped, led to the end of the
// data. What the muxer learns from a stream's first packet (AC-3, E-AC-3) it learns again from the
// first fragment.
//
// Note [ends of fragments]: FFmpeg's muxer knows that each fragment tells its own time, but checks
// the first packet against the end of the last one before that. Where dts would fall below it, as
// it does when pictures of other lengths are reordered, the packet loses its pts. So the last
// picture of a fragment is said to last one tick, unless all of them are evenly spaced: it is the
// next fragment that says when the next one comes.
class PartWriter {
 public:
  explicit PartWriter(const PartContext& context);
  // Goes on behind state.bytes. recent: of each copied stream, the last packet before there.
  // Throws kResume where they contradict state.
  PartWriter(const PartContext& context, const PartState& state, std::vector<OutPacket> recent);

  // Sorts by dts, the enhanced video last among equals, writes and flushes: afterwards all bytes
  // are in the file (not yet durable). Errors of the disk throw kIo.
  void write_fragment(std::vector<OutPacket> packets);
  // Writes what the muxer keeps back. Nothing may be written afterwards but by finish_in_place().
  void end();

  PartState state() const;
  // Bytes that this writer has added.
  std::int64_t bytes_written() const { return written_ + (io_ ? io_->written() : 0); }

 private:
  explicit PartWriter(const PartContext& context, std::int64_t keep_from);
  bool mkv() const { return context_.settings.container == Container::kMkv; }
  void write(AVPacket& packet);
  void flush();
  void teach(std::vector<OutPacket> recent);
  // What a `.part`'s state tells of a packet.
  struct LastPacket {
    explicit LastPacket(const OutPacket& out)
        : stream(out.packet->stream_index),
          pts(out.packet->pts),
          duration(out.packet->duration),
          time_base(out.time_base) {}
    int stream;
    std::int64_t pts, duration;
    AVRational time_base;
  };
  void check_ends(const PartState& state, std::span<const LastPacket> last) const;

  PartContext context_;
  std::unique_ptr<LogSink> log_ = std::make_unique<LogSink>();
  std::unique_ptr<FileIo> io_;
  MuxerPtr muxer_;
  int video_output_ = 0;
  PartState state_;
  std::int64_t written_ = 0;
};

}  // namespace streamvsr
