#include "media/source_index.h"

#include <algorithm>

namespace streamvsr {

namespace {

// How far to look for the first packet of every stream: sparse streams may have none for hours.
constexpr int kFirstPackets = 2000;

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
  if (!take_container_index(stream, index)) {
    input.select_only(input.video_index());
    const std::int64_t size = avio_size(input.format().pb);
    const PacketPtr packet = make_packet();
    std::int64_t last = 0;
    while (input.read(*packet)) {
      if (packet->stream_index != input.video_index() || (packet->flags & AV_PKT_FLAG_DISCARD) != 0)
        continue;
      std::int64_t time = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
      if (time == AV_NOPTS_VALUE) time = last + std::max<std::int64_t>(packet->duration, 1);
      last = time;
      index.packets.push_back({time, packet->size, (packet->flags & AV_PKT_FLAG_KEY) != 0});
      if (tick && index.packets.size() % 1024 == 0) tick(avio_tell(input.format().pb), size);
    }
    std::stable_sort(
        index.packets.begin(), index.packets.end(),
        [](const SourceIndex::Packet& a, const SourceIndex::Packet& b) { return a.time < b.time; });
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
  return index;
}

}  // namespace streamvsr
