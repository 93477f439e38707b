// The growing output file: fragments while it grows, an ordinary file once it is finished in place.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/file.h"
#include "media/file_io.h"
#include "media/packets.h"
#include "media/streams.h"

namespace streamvsr {

struct PartSettings {
  Container container = Container::kMp4;
  AVRational video_time_base{1, 25};  // of the enhanced stream's packets
  AVRational video_rate{25, 1};       // mean
  Clock clock;
};

// Purpose: muxes into a `.part`. MP4 and MOV grow as fragments (readable when torn) and become
// plain files at finish(), without a second copy; Matroska grows as clusters and gets its index at
// finish(). Thread-safety: none. Ownership: file, input (a demuxer of the source, for tags) and the
// stream list belong to the caller and outlive this.
class PartWriter {
 public:
  PartWriter(File& file, Input& input, const std::vector<PlannedStream>& streams,
             const PartSettings& settings, const AVCodecParameters& encoded);
  ~PartWriter();

  // The stream index of the enhanced video, and the time base its packets are rescaled to.
  int video_output() const { return video_output_; }

  // Sorts by dts, the enhanced video last among equals, writes and flushes: afterwards all bytes
  // are in the file (not yet durable). Errors of the disk throw kIo.
  void write_fragment(std::vector<OutPacket> packets);
  // Bytes of the file so far.
  std::int64_t offset() const { return io_->position(); }
  // Completes the container. The file is an ordinary one afterwards.
  void finish(const StopFlag& stop);
  std::int64_t bytes_written() const { return bytes_written_ + (io_ ? io_->written() : 0); }

 private:
  MuxerPtr make_muxer(FileIo& io, bool fragmented, const AVFormatContext* part);
  void flush();
  void finish_in_place(const StopFlag& stop);

  File& file_;
  Input& input_;
  const std::vector<PlannedStream>& streams_;
  PartSettings settings_;
  const AVCodecParameters& encoded_;
  std::unique_ptr<LogSink> log_ = std::make_unique<LogSink>();
  std::unique_ptr<FileIo> io_;
  MuxerPtr muxer_;
  int video_output_ = 0;
  std::map<int, std::int64_t> last_durations_;  // by output stream, ticks of the muxer's time base
  std::int64_t bytes_written_ = 0;
};

}  // namespace streamvsr
