#include "media/matroska_index.h"

#include <algorithm>
#include <optional>

namespace streamvsr {

using ebml::Bytes;
using ebml::Element;

namespace {

enum Id : std::uint32_t {
  kTimestamp = 0xE7,
  kSimpleBlock = 0xA3,
  kBlockGroup = 0xA0,
  kBlock = 0xA1,
  kBlockDuration = 0x9B,
  kReferenceBlock = 0xFB,
  kCuePoint = 0xBB,
  kCueTime = 0xB3,
  kCueTrackPositions = 0xB7,
  kCueTrack = 0xF7,
  kCueClusterPosition = 0xF1,
  kCueRelativePosition = 0xF0,
  kCueDuration = 0xB2,
};

constexpr std::uint64_t kVideo = 1, kAudio = 2;  // types of tracks
constexpr std::uint8_t kKeyFrame = 0x80;         // in a SimpleBlock's flags
constexpr std::uint64_t kMostTime = std::uint64_t{1} << 62;

bool is_subtitle(const MatroskaTrack& track) {
  return track.type != kVideo && track.type != kAudio;  // captions and the like count as such
}

bool contains(const std::vector<std::uint64_t>& numbers, const std::uint64_t number) {
  return std::ranges::find(numbers, number) != numbers.end();
}

}  // namespace

MatroskaIndex::MatroskaIndex(ebml::Reader& reader, const Tracks& tracks, const std::int64_t segment)
    : reader_(reader), tracks_(tracks), segment_(segment) {
  for (const auto& [number, track] : tracks) has_video_ = has_video_ || track.type == kVideo;
}

void MatroskaIndex::add_cluster(const Element& cluster) {
  in_cluster_.clear();
  std::optional<std::int64_t> time;
  for (std::int64_t at = cluster.payload; at < cluster.end;) {
    const Element e = reader_.element(at, cluster.end);
    if (e.id == kTimestamp) {
      const std::uint64_t value = reader_.uint(e);
      if (value > kMostTime) reader_.misfit(at, "no time");
      time = static_cast<std::int64_t>(value);
    } else if (e.id == kSimpleBlock || e.id == kBlockGroup) {
      if (!time) reader_.misfit(at, "a block before its cluster's time");
      add_block(cluster, e, *time);
    }
    at = e.end;
  }
}

// Which blocks the index names is FFmpeg's choice: the key frames of video, every subtitle, and
// where there is no video, the first of each track in a cluster.
void MatroskaIndex::add_block(const Element& cluster, const Element& outer,
                              const std::int64_t cluster_time) {
  Element block = outer;
  bool depends = false;
  std::uint64_t duration = 0;
  if (outer.id == kBlockGroup) {
    block = {};
    for (std::int64_t at = outer.payload; at < outer.end;) {
      const Element e = reader_.element(at, outer.end);
      if (e.id == kBlock) block = e;
      if (e.id == kReferenceBlock) depends = true;
      if (e.id == kBlockDuration) duration = reader_.uint(e);
      at = e.end;
    }
    if (block.id == 0) reader_.misfit(outer.at, "a group without a block");
  }
  // A block begins with the track's number, the time from the cluster's on (16 bits) and flags.
  constexpr std::int64_t kMostHead = 11;
  const auto head = reader_.bytes(
      block.payload, static_cast<std::size_t>(std::min(block.end - block.payload, kMostHead)));
  const std::optional<ebml::Number> number = ebml::read_number(head);
  if (!number || head.size() < number->length + 3) reader_.misfit(block.at, "no whole block");
  const auto track = tracks_.find(number->value);
  if (track == tracks_.end()) reader_.misfit(block.at, "a block of no track");
  const auto rest = head.subspan(number->length);
  const auto offset = static_cast<std::int16_t>(rest[0] << 8 | rest[1]);
  if (outer.id == kSimpleBlock) depends = (rest[2] & kKeyFrame) == 0;

  const bool subtitle = is_subtitle(track->second);
  if (depends && !subtitle) return;
  if (track->second.type == kAudio && (has_video_ || contains(in_cluster_, number->value))) return;
  in_cluster_.push_back(number->value);
  const std::int64_t time = cluster_time + offset;
  if (time < 0) return;  // the index cannot say it
  points_.push_back({time, number->value, cluster.at - segment_, outer.at - cluster.payload,
                     subtitle ? duration : 0});
}

Bytes MatroskaIndex::cues() const {
  std::vector<Point> points = points_;
  // What is shown later may be stored earlier.
  std::ranges::stable_sort(points, {}, &Point::time);
  Bytes content, entry, positions;
  std::vector<std::uint64_t> in_entry;
  for (auto point = points.begin(); point != points.end();) {
    const std::int64_t time = point->time;
    entry.clear();
    in_entry.clear();
    ebml::put_uint(entry, kCueTime, static_cast<std::uint64_t>(time));
    for (; point != points.end() && point->time == time; ++point) {
      // Of subtitles that begin together, all are found.
      if (!is_subtitle(tracks_.at(point->track)) && contains(in_entry, point->track)) continue;
      in_entry.push_back(point->track);
      positions.clear();
      ebml::put_uint(positions, kCueTrack, point->track);
      ebml::put_uint(positions, kCueClusterPosition, static_cast<std::uint64_t>(point->cluster));
      ebml::put_uint(positions, kCueRelativePosition, static_cast<std::uint64_t>(point->relative));
      if (point->duration > 0) ebml::put_uint(positions, kCueDuration, point->duration);
      ebml::put_element(entry, kCueTrackPositions, positions);
    }
    ebml::put_element(content, kCuePoint, entry);
  }
  Bytes all;
  if (!content.empty()) ebml::put_sealed(all, kMatroskaCues, content);
  return all;
}

}  // namespace streamvsr
