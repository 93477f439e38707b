// The finish of a Matroska file that FFmpeg's muxer let grow.
#pragma once

#include <cstdint>
#include <span>

#include "base/file.h"
#include "base/stop.h"

namespace streamvsr {

// Completes a Matroska file (written with AVFMT_FLAG_BITEXACT) whose clusters end at data_end: an
// index (Cues) behind them, then what the muxer left open in the header: the segment's size, the
// SeekHead, the durations, the checksums. A pure function of the bytes before data_end and of
// ends_ms: how many muxers wrote the clusters, and what any of them knew, changes nothing. It may
// be repeated after a kill at any place, over a header that it or a muxer's trailer patched in
// part. Tracks stay as the header has them: what a muxer learns of a codec from its packets, and
// its trailer would fill in there, must have been known when the header was written.
//
// ends_ms: where each stream of the muxer ends (largest pts + duration), attachments included,
// whose entries mean nothing. The index is durable before the header is touched; the rest is not at
// return. Before the first write, `stop` throws kStopped and bytes that do not fit throw kInternal.
// Returns the bytes written; the file's size is the finished one.
std::int64_t finish_matroska(File& file, std::int64_t data_end,
                             std::span<const std::int64_t> ends_ms, const StopFlag& stop);

// Where the whole clusters end that follow each other from `from` on: a cluster starts there, or
// they have ended already. An index that a muxer's own trailer appended begins at the result.
std::int64_t clusters_end(const File& file, std::int64_t from);

}  // namespace streamvsr
