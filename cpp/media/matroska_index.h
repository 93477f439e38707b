// The index (Cues) of a Matroska file, from the heads of its blocks.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "media/ebml.h"

namespace streamvsr {

inline constexpr std::uint32_t kMatroskaCluster = 0x1F43B675;
inline constexpr std::uint32_t kMatroskaCues = 0x1C53BB6B;

struct MatroskaTrack {
  std::uint64_t uid = 0;
  std::uint64_t type = 0;
};

// Purpose: gathers what FFmpeg's muxer would remember for the index, as it would have written it.
// Thread-safety: none. Ownership: reader and tracks outlive this.
class MatroskaIndex {
 public:
  using Tracks = std::map<std::uint64_t, MatroskaTrack>;  // by number

  // segment: where the segment's content begins in the file.
  MatroskaIndex(ebml::Reader& reader, const Tracks& tracks, std::int64_t segment);

  // Clusters in the file's order.
  void add_cluster(const ebml::Element& cluster);
  // The Cues element; empty when it would name no block.
  ebml::Bytes cues() const;

 private:
  struct Point {
    std::int64_t time = 0;  // ms
    std::uint64_t track = 0;
    std::int64_t cluster = 0;    // from the segment's content
    std::int64_t relative = 0;   // from the cluster's content
    std::uint64_t duration = 0;  // 0: unsaid
  };

  void add_block(const ebml::Element& cluster, const ebml::Element& outer,
                 std::int64_t cluster_time);

  ebml::Reader& reader_;
  const Tracks& tracks_;
  const std::int64_t segment_;
  bool has_video_ = false;
  std::vector<std::uint64_t> in_cluster_;  // tracks the index names in the present cluster
  std::vector<Point> points_;
};

}  // namespace streamvsr
