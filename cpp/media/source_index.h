// The planning pass over a source: what its packets say, without decoding any.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "media/input.h"
#include "media/last_picture.h"

namespace streamvsr {

// What the plan needs of the enhanced stream's packets. A pure function of the file.
struct SourceIndex {
  struct Packet {
    std::int64_t
        time;  // presentation time where known, else decoding time; ticks of the stream's time base
    std::int32_t bytes;  // 0 where the container tells an impossible size
    bool key;
  };
  // One per picture, in presentation order, with the bytes of both fields where they came in two
  // packets; 16 bytes each.
  std::vector<Packet> packets;
  std::int64_t total_bytes = 0;     // of the packets
  bool unique_times = true;         // no two packets have the same time
  bool encrypted = false;           // packets need a key
  bool field_packets = false;       // some pictures came in two packets: see field_pairs.h
  std::optional<LastPicture> last;  // where its time is known and no other picture has it
  // The earliest dts of each stream's first packet, in AV_TIME_BASE units; AV_NOPTS_VALUE for a
  // stream without packets near the start.
  std::vector<std::int64_t> first_dts;

  // Mean frames per second over the packets' times; 25 when there is too little to tell.
  AVRational mean_rate(AVRational time_base) const;
  // The rate of the grid on which the pictures' times lie: one that the stream states, or a rate in
  // common use, where every time fits it and most pictures are one step apart. 0/1: there is none.
  AVRational nominal_rate(const AVStream& stream) const;
  // Pictures whose time, on a coarser clock, is that of the picture before.
  std::int64_t merged_by(AVRational clock, AVRational time_base) const;
  // Mean coded bits per picture sample (luma).
  double bits_per_pixel(int width, int height) const;
};

// Uses the container's index where it is complete (MP4, MOV) and each packet is a picture, else
// reads every packet. tick(bytes read, bytes in all) is called now and then meanwhile; what it
// throws passes on.
SourceIndex index_source(const std::string& path,
                         const std::function<void(std::int64_t, std::int64_t)>& tick = {});

}  // namespace streamvsr
