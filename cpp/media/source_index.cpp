#include "media/source_index.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "media/field_pairs.h"

namespace streamvsr {

namespace {

// How far to look for the first packet of every stream: sparse streams may have none for hours.
constexpr int kFirstPackets = 2000;
// Packets at the end among which the last picture is looked for: more than any codec reorders by.
constexpr std::size_t kLastPackets = 64;

std::vector<std::int64_t> find_first_dts(const std::string& path, bool& encrypted) {
  Input input(path);
  std::vector<std::int64_t> first(static_cast<std::size_t>(input.stream_count()), AV_NOPTS_VALUE);
  const PacketPtr packet = make_packet();
  int missing = input.stream_count();
  for (int i = 0; i < kFirstPackets && missing > 0 && input.read(*packet); ++i) {
    if (packet->stream_index >= static_cast<int>(first.size())) continue;
    if (av_packet_get_side_data(packet.get(), AV_PKT_DATA_ENCRYPTION_INFO, nullptr) != nullptr &&
        packet->stream_index == input.video_index())
      encrypted = true;
    std::int64_t& slot = first[static_cast<std::size_t>(packet->stream_index)];
    const std::int64_t time = packet->dts != AV_NOPTS_VALUE ? packet->dts : packet->pts;
    if (slot != AV_NOPTS_VALUE || time == AV_NOPTS_VALUE) continue;
    slot = av_rescale_q_rnd(time, input.stream(packet->stream_index).time_base, AV_TIME_BASE_Q,
                            AV_ROUND_DOWN);
    --missing;
  }
  return first;
}

bool take_container_index(const AVStream& stream, SourceIndex& index) {
  // nb_frames is set from the sample table; a fragmented file has none there and must be read, as
  // must one whose index only grows while reading.
  const int entries = avformat_index_get_entries_count(&stream);
  if (stream.nb_frames <= 0 || entries < stream.nb_frames) return false;
  auto* const mutable_stream = const_cast<AVStream*>(&stream);  // FFmpeg's getter lacks the const
  index.packets.reserve(static_cast<std::size_t>(entries));
  for (int i = 0; i < entries; ++i) {
    const AVIndexEntry& entry = *avformat_index_get_entry(mutable_stream, i);
    if ((entry.flags & AVINDEX_DISCARD_FRAME) != 0) continue;
    index.packets.push_back({entry.timestamp, entry.size, (entry.flags & AVINDEX_KEYFRAME) != 0});
  }
  return !index.packets.empty();
}

constexpr AVRational kCommonRates[] = {{24000, 1001}, {24, 1},  {25, 1},        {30000, 1001},
                                       {30, 1},       {48, 1},  {50, 1},        {60000, 1001},
                                       {60, 1},       {100, 1}, {120000, 1001}, {120, 1}};

// Containers that keep a picture's duration in ns give 19001/317 for 60000/1001.
AVRational as_common(const AVRational rate) {
  constexpr double kRounding = 3e-5;
  for (const AVRational common : kCommonRates)
    if (std::abs(av_q2d(rate) / av_q2d(common) - 1.0) < kRounding) return common;
  return rate;
}

// Whether times lie on a rate's grid, within a tick and within the ms to which many containers
// round, and half of the pictures or more follow each other by one step.
bool fits_grid(const std::vector<SourceIndex::Packet>& packets, const AVRational base,
               const AVRational rate) {
  constexpr double kRounding = 1.01e-3;  // s; both ends of a distance are rounded by half of it
  constexpr double kMostOfStep = 0.3;
  const double steps_per_tick = av_q2d(base) * av_q2d(rate);
  const double tolerance =
      std::min(std::max(kRounding * av_q2d(rate), 1.01 * steps_per_tick), kMostOfStep);
  std::size_t single = 0;
  double before = -1.0;
  for (const SourceIndex::Packet& packet : packets) {
    const double place = static_cast<double>(packet.time - packets.front().time) * steps_per_tick;
    const double step = std::round(place);
    if (std::abs(place - step) > tolerance || step <= before) return false;
    single += before >= 0.0 && step == before + 1.0 ? 1 : 0;
    before = step;
  }
  return 2 * single >= packets.size() - 1;
}

void read_packets(Input& input, SourceIndex& index,
                  const std::function<void(std::int64_t, std::int64_t)>& tick) {
  const int video = input.video_index();
  const AVCodecParameters& parameters = *input.stream(video).codecpar;
  input.select_only(video);
  std::optional<FieldPairs> fields;
  if (may_hold_fields(parameters)) fields.emplace(parameters);
  LastPictureFinder last_picture;
  const std::int64_t size = avio_size(input.format().pb);
  const PacketPtr packet = make_packet();
  std::int64_t next = 0;  // when a packet without a time is due
  while (input.read(*packet)) {
    if (packet->stream_index != video) continue;
    const bool second = fields && fields->is_second(*packet);
    if ((packet->flags & AV_PKT_FLAG_DISCARD) != 0) continue;
    std::int64_t time = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
    if (time == AV_NOPTS_VALUE) time = next;
    next = time + std::max<std::int64_t>(packet->duration, 1);
    if (second && !index.packets.empty()) {
      index.packets.back().bytes += packet->size;
      index.field_packets = true;
      last_picture.add_field(*packet);
      continue;
    }
    last_picture.add(*packet);
    index.packets.push_back({time, packet->size, (packet->flags & AV_PKT_FLAG_KEY) != 0});
    if (tick && index.packets.size() % 1024 == 0) tick(avio_tell(input.format().pb), size);
  }
  std::stable_sort(
      index.packets.begin(), index.packets.end(),
      [](const SourceIndex::Packet& a, const SourceIndex::Packet& b) { return a.time < b.time; });
  index.last = last_picture.found(input);
}

}  // namespace

AVRational SourceIndex::mean_rate(const AVRational time_base) const {
  if (packets.size() < 2) return {25, 1};
  const std::int64_t span = packets.back().time - packets.front().time;
  if (span <= 0) return {25, 1};
  AVRational rate;
  av_reduce(&rate.num, &rate.den, static_cast<std::int64_t>(packets.size() - 1) * time_base.den,
            span * time_base.num, 1'000'000);
  if (rate.num <= 0 || rate.den <= 0) return {25, 1};
  return rate;
}

AVRational SourceIndex::nominal_rate(const AVStream& stream) const {
  constexpr AVRational kNone{0, 1};
  if (packets.size() < 2) return kNone;
  for (const AVRational told : {stream.r_frame_rate, stream.avg_frame_rate})
    if (told.num > 0 && told.den > 0)
      if (const AVRational rate = as_common(told); fits_grid(packets, stream.time_base, rate))
        return rate;
  AVRational found = kNone;
  for (const AVRational rate : kCommonRates) {
    if (!fits_grid(packets, stream.time_base, rate)) continue;
    if (found.num != 0) return kNone;  // too short a film to decide
    found = rate;
  }
  return found;
}

std::int64_t SourceIndex::merged_by(const AVRational clock, const AVRational time_base) const {
  std::int64_t merged = 0;
  std::int64_t before = AV_NOPTS_VALUE;
  for (const Packet& packet : packets) {
    const std::int64_t time = av_rescale_q(packet.time, time_base, clock);
    merged += time == before ? 1 : 0;
    before = time;
  }
  return merged;
}

double SourceIndex::bits_per_pixel(const int width, const int height) const {
  if (packets.empty()) return 0.0;
  return 8.0 * static_cast<double>(total_bytes) /
         (static_cast<double>(packets.size()) * static_cast<double>(width) * height);
}

SourceIndex index_source(const std::string& path,
                         const std::function<void(std::int64_t, std::int64_t)>& tick) {
  SourceIndex index;
  index.first_dts = find_first_dts(path, index.encrypted);
  Input input(path);
  if (input.video_index() < 0) return index;
  const AVStream& stream = input.stream(input.video_index());
  if (!may_hold_fields(*stream.codecpar) && take_container_index(stream, index)) {
    const std::size_t count = index.packets.size();
    index.last = read_last_picture(
        path, index.packets[count > kLastPackets ? count - kLastPackets : 0].time);
  } else {
    read_packets(input, index, tick);
  }
  const std::int64_t most = std::min<std::int64_t>(avio_size(input.format().pb), kLargestPacket);
  for (SourceIndex::Packet& packet : index.packets) {
    if (packet.bytes < 0 || packet.bytes > most) packet.bytes = 0;  // damage: cannot be read
    index.total_bytes += packet.bytes;
  }
  index.unique_times =
      std::adjacent_find(index.packets.begin(), index.packets.end(),
                         [](const SourceIndex::Packet& a, const SourceIndex::Packet& b) {
                           return a.time == b.time;
                         }) == index.packets.end() &&
      !input.jumped();
  if (!index.unique_times) index.last.reset();
  return index;
}

}  // namespace streamvsr
