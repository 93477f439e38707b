// A Matroska block that says how long it lasts.
#pragma once

#include "base/file.h"
#include "media/av.h"

namespace streamvsr {

// Note [block duration]: FFmpeg's muxer writes BlockDuration for subtitles alone. What it does
// write for any packet is a BlockAdditional. So a packet that is to have a duration gets a
// placeholder as one, and once its cluster is in the file, BlockDuration and a Void element take
// the placeholder's place, of the same length, and the cluster's checksum is made again.
//
// Gives a packet a placeholder, before it goes to the muxer.
void reserve_block_duration(AVPacket& packet);

// Puts a duration in the place of the placeholder in the clusters that lie in [begin, end) of a
// file; ms. False where there is none.
bool write_block_duration(File& file, std::int64_t begin, std::int64_t end, std::int64_t ms);

}  // namespace streamvsr
