// How much of the disk an output may take, shared out to its segments before work:
// docs/disk-budget.md.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "media/source_index.h"

namespace streamvsr {

// What a budget is worked out from.
struct BudgetBasis {
  double ratio = 3.0;  // (input + output + checkpoint) / input; > 0
  std::string codec;
  double crf = -1.0;  // asked for; negative: the codec's default
  int width = 0, height = 0;
  std::int64_t input_bytes = 0;  // the whole source
  double duration = 0.0;         // s
  double audio_packets = 0.0;    // of all copied sound, a second
  int streams = 1;               // of the output
  int source_width = 0, source_height = 0;
  int depth = 8;  // of the output, bits
};

// What one segment may take, and what is known of its frames. Spans point into the DiskBudget.
struct SegmentShare {
  std::int64_t bytes = 0;                      // of packets, at most
  std::span<const std::int32_t> source_bytes;  // of each frame in the source; empty: unknown
  double expected = 0.0;                       // bytes at the crf asked for, a guess
};

// Purpose: the shares of all segments. A pure function of the source and the configuration: what a
// segment may take never depends on what others took, so runs that were interrupted write the same
// bytes.
struct DiskBudget {
  // Bytes that input, output and checkpoint may take in all where the ratio gives less.
  static constexpr std::int64_t kLeastInAll = 1 << 20;

  std::int64_t output_bytes = 0;          // of the finished file, at most; 0: there is no limit
  std::int64_t video_bytes = 0;           // of them, for the enhanced video's packets
  std::vector<std::int64_t> shares;       // bytes of each planned segment's packets, at most
  std::vector<std::int32_t> frame_bytes;  // in the source, in presentation order
  std::int64_t spare = 0;                 // for frames that the index did not promise
  double growth = 1.0;                    // of packets' bytes at the crf asked for, a guess
  std::int64_t expected_bytes = 0;        // of the video's packets at the crf asked for, a guess
  double expected_crf = -1.0;  // that leaves video_bytes, a guess; negative: the one asked for does

  // Of packets that wait for their segment's end, at most about: a part of a segment's pictures.
  static std::size_t held_bytes(std::size_t picture_bytes, double segment_frames) {
    constexpr double kPart = 1.0 / 24.0;  // 0.5 bits a pixel of 8 bits in 4:2:0
    return static_cast<std::size_t>(
        std::clamp(static_cast<double>(picture_bytes) * segment_frames * kPart, 1.0 * (1 << 20),
                   64.0 * (1 << 20)));
  }
  // And of those of its draft.
  static std::size_t draft_bytes(const std::size_t held_bytes) {
    return std::min(5 * held_bytes, std::size_t{160} << 20);
  }

  bool limited() const { return output_bytes > 0; }
  // What the budget will cost, for people; empty: by what the source tells it costs nothing.
  std::string cost(double ratio, const std::string& codec, double crf) const;
  // The share of a segment from this frame on; ends: of the planned segments.
  SegmentShare share(std::int64_t first_frame, const std::vector<std::int64_t>& ends,
                     std::int64_t segment_frames) const;
};

// Bytes that output and checkpoints may take beside an input: the ratio's, or what is left of
// kLeastInAll where that is more.
std::int64_t disk_beside_input(double ratio, std::int64_t input_bytes);

// Throws kConfig where the ratio leaves too little for a watchable picture, or the codec is
// lossless.
DiskBudget plan_budget(const BudgetBasis& basis, const SourceIndex& index,
                       const std::vector<std::int64_t>& segment_ends);

}  // namespace streamvsr
