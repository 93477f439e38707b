// The muxers that write a `.part`: one while it grows, for MP4 another one that finishes it.
#pragma once

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
  AVRational nominal_rate{0, 1};      // of the grid that the times lie on; 0/1: none
  Clock clock;
  TagForm tags = TagForm::kUsual;
};

// What a `.part` is made from; everything outlives whoever holds this.
struct PartContext {
  File& file;
  const Input& tags;  // a demuxer of the source that nobody reads from: what describes it
  const std::vector<PlannedStream>& streams;
  const PartSettings& settings;
  const AVCodecParameters& encoded;  // of the enhanced stream
};

// What another writer must know of a `.part` to go on with it or to finish it.
struct PartState {
  std::int64_t bytes = 0;      // whole fragments or clusters reach up to here
  std::int64_t fragments = 1;  // MP4's number of the next fragment
  // By output stream, ticks of the muxer's time base:
  std::vector<std::int64_t> last_durations;  // of the last packet
  std::vector<std::int64_t> ends;            // latest end of a packet's presentation

  bool operator==(const PartState&) const = default;
};

enum class MuxerKind {
  kGrowing,    // MP4: fragments; Matroska: clusters
  kFinishing,  // MP4's index over all
};

// Writes the header through io. part: the open `.part` that is resumed or finished, whose streams'
// headers describe the packets in it; null for a new one.
MuxerPtr make_muxer(const PartContext& context, FileIo& io, LogSink& log, MuxerKind kind,
                    const AVFormatContext* part);

// Opens an MP4 or MOV `.part` for reading its packets back.
InputPtr open_part(const PartContext& context, LogSink& log);

}  // namespace streamvsr
