// Matroska (RFC 9559) as FFmpeg's muxer lays it out:
//
//   EBML header, Segment { Void (room for the SeekHead), Info, Tracks, Chapters, Attachments, Tags,
//                          clusters }
//
// Info, Tracks and Tags begin with 6 bytes of Void where their checksum goes; Info ends with room
// for the duration (Void, or an early value), the tags of each track with room for a DURATION.
//
// Note [torn header]: any of these places may be found filled, by an earlier finish or by a muxer's
// own trailer, with other values, and where it crosses a page, in part. So a place is known by what
// it cannot help to say: every byte of its fixed beginning is either that of Void or that of the
// element that fills it; what follows is overwritten unread. Only the SeekHead must be there whole
// or not at all: it lies within the file's first sector.

#include "media/matroska_finish.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "media/matroska_index.h"

namespace streamvsr {

namespace {

using ebml::Bytes;
using ebml::Element;

enum Id : std::uint32_t {
  kEbml = 0x1A45DFA3,
  kSegment = 0x18538067,
  kSeekHead = 0x114D9B74,
  kSeek = 0x4DBB,
  kSeekId = 0x53AB,
  kSeekPosition = 0x53AC,
  kInfo = 0x1549A966,
  kDuration = 0x4489,
  kTracks = 0x1654AE6B,
  kTrackEntry = 0xAE,
  kTrackNumber = 0xD7,
  kTrackUid = 0x73C5,
  kTrackType = 0x83,
  kChapters = 0x1043A770,
  kAttachments = 0x1941A469,
  kTags = 0x1254C367,
  kTag = 0x7373,
  kTargets = 0x63C0,
  kTagTrackUid = 0x63C5,
  kSimpleTag = 0x67C8,
  kTagName = 0x45A3,
  kTagString = 0x4487,
};

constexpr int kSegmentSize = 8;                // bytes that the muxer leaves for it
constexpr std::int64_t kMostMaster = 1 << 28;  // bytes of Info, Tracks or Tags, held in memory
constexpr std::size_t kDurationElement = 11;   // id, size and a double
constexpr std::size_t kDurationFixed = 3;      // of them before the double
constexpr std::size_t kDurationTagFixed = 17;  // before the text in a track's DURATION
// Room for such a tag: for 18 characters or more, and small enough for sizes of one byte.
constexpr std::size_t kLeastDurationTag = kDurationTagFixed + 18, kMostDurationTag = 129;
constexpr std::size_t kMostText = 19;  // the muxer cuts the text there

// A place in the file, and what shall stand there.
struct Patch {
  std::int64_t at = 0;
  Bytes before, after;
};

// Whether a place is room for an element, filled with it or not: see Note [torn header].
bool is_room(const std::span<const std::uint8_t> place, const Bytes& filled,
             const std::size_t fixed) {
  Bytes hollow;
  ebml::put_void(hollow, place.size());
  for (std::size_t i = 0; i < fixed; ++i)
    if (place[i] != filled[i] && place[i] != hollow[i]) return false;
  return true;
}

Bytes duration_tag(const std::size_t total, const std::int64_t ms) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%02lld:%02d:%02d.%03d000000",
                static_cast<long long>(ms / 3'600'000), static_cast<int>(ms / 60'000 % 60),
                static_cast<int>(ms / 1000 % 60), static_cast<int>(ms % 1000));
  std::string text(buffer.data());
  text.resize(std::min(text.size(), kMostText));
  text.resize(total - kDurationTagFixed, '\0');
  Bytes content, tag;
  ebml::put_string(content, kTagName, "DURATION");
  ebml::put_string(content, kTagString, text);
  ebml::put_element(tag, kSimpleTag, content);
  return tag;
}

// Purpose: one finish. The constructor reads all there is to read, write() writes. Thread-safety:
// none. Ownership: all it is given belongs to the caller and outlives it.
class Finish {
 public:
  Finish(File& file, std::int64_t data_end, std::span<const std::int64_t> ends_ms,
         const StopFlag& stop);
  std::int64_t write();

 private:
  void read_header();
  void read_level_one();
  void read_tracks(const Element& tracks);
  void read_track(const Element& entry);
  Bytes read_clusters();

  Patch load(std::int64_t at, std::int64_t end) const;
  Patch load_master(const Element& master) const;
  void seal(Patch patch);
  void patch_info(const Element& info);
  void patch_tags(const Element& tags);
  void patch_tag(const Element& tag, Patch& tags);
  void patch_segment_size();
  void patch_seek_head();

  std::int64_t end_of(std::uint64_t uid, std::int64_t at) const;

  File& file_;
  const std::int64_t data_end_;
  const std::span<const std::int64_t> ends_ms_;
  const StopFlag& stop_;
  ebml::Reader reader_;

  std::int64_t segment_ = 0;        // where its content begins
  std::int64_t seek_head_end_ = 0;  // of the room for it
  std::vector<Element> level_one_;  // what the SeekHead points at, but for the Cues
  std::int64_t first_cluster_ = 0;  // or where it would be
  MatroskaIndex::Tracks tracks_;
  Bytes cues_;
  std::vector<Patch> patches_;
};

Finish::Finish(File& file, const std::int64_t data_end, const std::span<const std::int64_t> ends_ms,
               const StopFlag& stop)
    : file_(file), data_end_(data_end), ends_ms_(ends_ms), stop_(stop), reader_(file) {
  if (file.size() < data_end) reader_.misfit(file.size(), "the end comes too early");
  read_header();
  cues_ = read_clusters();
  patch_segment_size();
  patch_seek_head();
}

void Finish::read_header() {
  const Element ebml = reader_.element(0, data_end_);
  if (ebml.id != kEbml) reader_.misfit(0, "no EBML header");
  // Until the finish its size is not known, nor is what stands there after a kill.
  Bytes opening;
  ebml::put_id(opening, kSegment);
  opening.push_back(1);  // a size of 8 bytes
  if (!std::ranges::equal(reader_.bytes(ebml.end, opening.size()), opening))
    reader_.misfit(ebml.end, "no segment");
  segment_ = ebml.end + static_cast<std::int64_t>(opening.size()) - 1 + kSegmentSize;

  Element room = reader_.element(segment_, data_end_);
  if (room.id == kSeekHead) room = reader_.element(room.end, data_end_);
  seek_head_end_ = room.end;
  if (room.id != ebml::kVoid ||
      seek_head_end_ - segment_ > static_cast<std::int64_t>(ebml::Reader::kWindow))
    reader_.misfit(room.at, "no room for a SeekHead");
  read_level_one();
}

void Finish::read_level_one() {
  std::optional<Element> info, tracks;
  std::vector<Element> tags;
  std::int64_t at = seek_head_end_;
  while (at < data_end_) {
    const Element e = reader_.element(at, data_end_);
    if (e.id == kMatroskaCluster) break;
    at = e.end;
    if (e.id == ebml::kVoid) continue;
    if (e.id == kInfo && !info)
      info = e;
    else if (e.id == kTracks && !tracks)
      tracks = e;
    else if (e.id == kTags)
      tags.push_back(e);
    else if (e.id != kChapters && e.id != kAttachments)
      reader_.misfit(e.at, "an unknown part of the header");
    level_one_.push_back(e);
  }
  first_cluster_ = at;
  if (!info || !tracks) reader_.misfit(at, "no Info or no Tracks");
  read_tracks(*tracks);
  patch_info(*info);
  seal(load_master(*tracks));
  for (const Element& e : tags) patch_tags(e);
}

void Finish::read_tracks(const Element& tracks) {
  for (std::int64_t at = tracks.payload; at < tracks.end;) {
    const Element e = reader_.element(at, tracks.end);
    if (e.id == kTrackEntry) read_track(e);
    at = e.end;
  }
}

void Finish::read_track(const Element& entry) {
  MatroskaTrack track;
  std::uint64_t number = 0;
  for (std::int64_t at = entry.payload; at < entry.end;) {
    const Element e = reader_.element(at, entry.end);
    if (e.id == kTrackNumber) number = reader_.uint(e);
    if (e.id == kTrackUid) track.uid = reader_.uint(e);
    if (e.id == kTrackType) track.type = reader_.uint(e);
    at = e.end;
  }
  if (number == 0 || track.type == 0 || !tracks_.emplace(number, track).second)
    reader_.misfit(entry.at, "a track without a type or a number of its own");
}

Bytes Finish::read_clusters() {
  MatroskaIndex index(reader_, tracks_, segment_);
  for (std::int64_t at = first_cluster_; at < data_end_;) {
    stop_.check();
    const Element cluster = reader_.element(at, data_end_);
    if (cluster.id != kMatroskaCluster) reader_.misfit(at, "no cluster");
    index.add_cluster(cluster);
    at = cluster.end;
  }
  return index.cues();
}

Patch Finish::load(const std::int64_t at, const std::int64_t end) const {
  Patch patch;
  patch.at = at;
  patch.before.resize(static_cast<std::size_t>(end - at));
  if (file_.read_at(patch.before, at) != patch.before.size())
    reader_.misfit(at, "the end comes too early");
  return patch;
}

Patch Finish::load_master(const Element& master) const {
  if (master.end - master.payload > kMostMaster) reader_.misfit(master.at, "too large an element");
  Patch patch = load(master.payload, master.end);
  Bytes checksum;
  ebml::put_crc32(checksum, {});
  if (patch.before.size() < ebml::kCrc32Element ||
      !is_room(std::span(patch.before).first(ebml::kCrc32Element), checksum, 2))
    reader_.misfit(master.payload, "no room for a checksum");
  patch.after = patch.before;
  return patch;
}

void Finish::seal(Patch patch) {
  Bytes checksum;
  ebml::put_crc32(checksum, std::span(patch.after).subspan(ebml::kCrc32Element));
  std::ranges::copy(checksum, patch.after.begin());
  patches_.push_back(std::move(patch));
}

// Without random numbers in the file, the muxer's unique ids count its streams from 1.
std::int64_t Finish::end_of(const std::uint64_t uid, const std::int64_t at) const {
  if (uid < 1 || uid > ends_ms_.size()) reader_.misfit(at, "a track of which no stream is known");
  return std::max<std::int64_t>(ends_ms_[uid - 1], 0);
}

void Finish::patch_info(const Element& info) {
  std::int64_t longest = 0;
  for (const auto& [number, track] : tracks_)
    longest = std::max(longest, end_of(track.uid, info.at));
  Bytes duration;
  ebml::put_float(duration, kDuration, static_cast<double>(longest));

  Patch patch = load_master(info);
  for (std::int64_t at = info.payload; at < info.end;) {
    const auto rest = std::span(patch.after).subspan(static_cast<std::size_t>(at - info.payload));
    if (rest.size() == kDurationElement && is_room(rest, duration, kDurationFixed)) {
      std::ranges::copy(duration, rest.begin());
      return seal(std::move(patch));
    }
    at = reader_.element(at, info.end).end;
  }
  reader_.misfit(info.end, "no room for the duration");
}

void Finish::patch_tags(const Element& tags) {
  Patch patch = load_master(tags);
  for (std::int64_t at = tags.payload; at < tags.end;) {
    const Element e = reader_.element(at, tags.end);
    if (e.id == kTag) patch_tag(e, patch);
    at = e.end;
  }
  seal(std::move(patch));
}

void Finish::patch_tag(const Element& tag, Patch& tags) {
  std::optional<std::uint64_t> uid;
  for (std::int64_t at = tag.payload; at < tag.end;) {
    const auto left = static_cast<std::size_t>(tag.end - at);
    if (uid && left >= kLeastDurationTag && left <= kMostDurationTag) {
      const auto rest = std::span(tags.after).subspan(static_cast<std::size_t>(at - tags.at), left);
      const Bytes duration = duration_tag(left, end_of(*uid, tag.at));
      if (is_room(rest, duration, kDurationTagFixed)) {
        std::ranges::copy(duration, rest.begin());
        return;
      }
    }
    const Element e = reader_.element(at, tag.end);
    at = e.end;
    if (e.id != kTargets) continue;
    for (std::int64_t in = e.payload; in < e.end;) {
      const Element target = reader_.element(in, e.end);
      if (target.id == kTagTrackUid) uid = reader_.uint(target);
      in = target.end;
    }
  }
  if (uid) reader_.misfit(tag.end, "no room for a track's duration");
}

void Finish::patch_segment_size() {
  Patch patch = load(segment_ - kSegmentSize, segment_);
  const std::int64_t end = data_end_ + static_cast<std::int64_t>(cues_.size());
  ebml::put_size(patch.after, static_cast<std::uint64_t>(end - segment_), kSegmentSize);
  patches_.push_back(std::move(patch));
}

void Finish::patch_seek_head() {
  std::vector<std::pair<std::uint32_t, std::int64_t>> parts;
  for (const Element& e : level_one_) parts.emplace_back(e.id, e.at);
  if (!cues_.empty()) parts.emplace_back(kMatroskaCues, data_end_);
  Bytes content, seek, id;
  for (const auto& [part, at] : parts) {
    id.clear();
    ebml::put_id(id, part);
    seek.clear();
    ebml::put_element(seek, kSeekId, id);
    ebml::put_uint(seek, kSeekPosition, static_cast<std::uint64_t>(at - segment_));
    ebml::put_element(content, kSeek, seek);
  }
  Patch patch = load(segment_, seek_head_end_);
  ebml::put_sealed(patch.after, kSeekHead, content);
  constexpr std::size_t kLeastVoid = 2;
  if (patch.after.size() + kLeastVoid > patch.before.size())
    reader_.misfit(segment_, "too little room for a SeekHead");
  ebml::put_void(patch.after, patch.before.size() - patch.after.size());
  patches_.push_back(std::move(patch));
}

std::int64_t Finish::write() {
  file_.truncate(data_end_);
  file_.write_at(cues_, data_end_);
  file_.sync();  // before the header points at it
  auto written = static_cast<std::int64_t>(cues_.size());
  for (const Patch& patch : patches_) {
    std::size_t first = 0, behind = patch.after.size();
    while (first < behind && patch.before[first] == patch.after[first]) ++first;
    while (behind > first && patch.before[behind - 1] == patch.after[behind - 1]) --behind;
    file_.write_at(std::span(patch.after).subspan(first, behind - first),
                   patch.at + static_cast<std::int64_t>(first));
    written += static_cast<std::int64_t>(behind - first);
  }
  return written;
}

}  // namespace

std::int64_t finish_matroska(File& file, const std::int64_t data_end,
                             const std::span<const std::int64_t> ends_ms, const StopFlag& stop) {
  return Finish(file, data_end, ends_ms, stop).write();
}

std::int64_t clusters_end(const File& file, const std::int64_t from) {
  const std::int64_t size = file.size();
  ebml::Reader reader(file);
  std::int64_t end = from;
  for (;;) {
    const std::optional<Element> next = reader.find(end, size);
    if (!next || next->id != kMatroskaCluster) return end;
    end = next->end;
  }
}

}  // namespace streamvsr
