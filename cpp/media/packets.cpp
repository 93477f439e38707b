#include "media/packets.h"

#include <algorithm>
#include <map>

namespace streamvsr {

namespace {
std::int64_t microseconds(const std::int64_t ticks, const AVRational base) {
  return av_rescale_q(ticks, base, AV_TIME_BASE_Q);
}
// Ticks of whole seconds' parts, so that shifts by whole seconds are exact; sound in MP4 counts its
// samples.
AVRational output_base(const AVCodecParameters& par, const AVStream& from,
                       const Container container) {
  if (container != Container::kMkv && par.codec_type == AVMEDIA_TYPE_AUDIO && par.sample_rate > 0)
    return {1, par.sample_rate};
  return {1, from.time_base.den};
}

}  // namespace

PacketSource::PacketSource(Input& input, const std::vector<PlannedStream>& streams,
                           const Container container, const Clock& clock, const StopFlag& stop)
    : input_(input),
      stop_(stop),
      container_(container),
      clock_(clock),
      by_input_(static_cast<std::size_t>(input.stream_count()), -1) {
  std::vector<bool> keep(static_cast<std::size_t>(input.stream_count()), false);
  for (const PlannedStream& planned : streams) {
    const bool copied = planned.action == StreamAction::kCopy;
    const bool converted =
        planned.action == StreamAction::kToMovText || planned.action == StreamAction::kToSubRip;
    const bool unpacked = planned.action == StreamAction::kToPcm;
    if (!copied && !converted && !unpacked) continue;
    const AVStream& from = input.stream(planned.input);
    Stream stream;
    stream.planned = planned;
    stream.base = output_base(parameters_of(input, planned), from, container);
    const AVMediaType type = from.codecpar->codec_type;
    stream.dense = type == AVMEDIA_TYPE_AUDIO || type == AVMEDIA_TYPE_VIDEO;
    if (converted) {
      stream.converter = std::make_unique<SubtitleConverter>(
          from,
          planned.action == StreamAction::kToSubRip ? AV_CODEC_ID_SUBRIP : AV_CODEC_ID_MOV_TEXT);
      stream.base = {1, 1000};
    }
    if (unpacked) stream.pcm = std::make_unique<PcmConverter>(from, *planned.parameters);
    if (copied && lacks_aac_header(*from.codecpar))
      stream.adts = std::make_unique<AdtsFilter>(from);
    if (container == Container::kMkv)
      stream.delay = av_rescale_q(matroska_delay(from), from.time_base, stream.base);
    stream.timed_text = planned.action == StreamAction::kToMovText ||
                        (copied && from.codecpar->codec_id == AV_CODEC_ID_MOV_TEXT);
    stream.text_end =
        clock.to_part(av_rescale_q(clock.origin_us, AV_TIME_BASE_Q, stream.base), stream.base);
    by_input_[static_cast<std::size_t>(planned.input)] = static_cast<int>(streams_.size());
    keep[static_cast<std::size_t>(planned.input)] = true;
    streams_.push_back(std::move(stream));
  }
  input.select(keep);
  ended_ = streams_.empty();
}

bool PacketSource::read_one() {
  if (ended_) return false;
  stop_.check();
  if (!input_.read(*packet_)) {
    ended_ = true;
    return false;
  }
  const auto index = static_cast<std::size_t>(packet_->stream_index);
  if (index >= by_input_.size() || by_input_[index] < 0)
    return true;  // a stream that appeared late
  Stream& stream = streams_[static_cast<std::size_t>(by_input_[index])];
  const AVRational from = input_.stream(packet_->stream_index).time_base;
  if (!wanted(stream, *packet_, from)) return true;
  PacketPtr packet;
  if (packet_->pts == AV_NOPTS_VALUE) packet_->pts = packet_->dts;
  if (stream.converter) {
    if (packet_->pts == AV_NOPTS_VALUE) return true;
    packet = stream.converter->convert(*packet_);
    if (!packet) return true;
  } else {
    if (stream.pcm) {
      packet = stream.pcm->convert(*packet_);
    } else {
      packet = make_packet();
      av_packet_move_ref(packet.get(), packet_.get());
      if (stream.adts && !stream.adts->run(*packet)) packet.reset();
    }
    if (!packet) {
      ++left_out_;
      return true;
    }
    if (packet->dts == AV_NOPTS_VALUE) packet->dts = packet->pts;
  }
  if (!stream.converter) av_packet_rescale_ts(packet.get(), from, stream.base);
  place_in_time(stream, *packet);
  packet->stream_index = stream.planned.output;
  packet->pos = -1;
  stream.read_us = microseconds(packet->dts, stream.base);
  front_us_ = std::max(front_us_, stream.read_us);
  place_ += packet_bytes(*packet);
  if (stream.handed_out_early > 0) {
    --stream.handed_out_early;
    return true;
  }
  if (stream.timed_text) fill_gap(stream, *packet);
  stream.pending.push_back({std::move(packet), place_});
  return true;
}

void PacketSource::place_in_time(Stream& stream, AVPacket& packet) {
  if (packet.duration <= 0) packet.duration = guessed_duration(stream, packet);
  const bool first = stream.last_dts == AV_NOPTS_VALUE;
  if (packet.dts == AV_NOPTS_VALUE) {  // no time at all: it follows its predecessor
    packet.dts = packet.pts =
        first ? clock_.to_part(0, stream.base) : stream.last_dts + stream.last_duration;
  } else {
    const std::int64_t move = stream.delay + stream.rebase;
    packet.pts =
        clock_.to_part(packet.pts == AV_NOPTS_VALUE ? packet.dts : packet.pts, stream.base) + move;
    packet.dts = clock_.to_part(packet.dts, stream.base) + move;
  }
  // A jump back (joined broadcasts) re-bases what follows; times that merely repeat are nudged: MP4
  // demands rising ones, Matroska only that they do not fall.
  if (!first && av_compare_ts(stream.last_dts - packet.dts, stream.base, 1, {1, 1}) > 0) {
    const std::int64_t jump = stream.last_dts + stream.last_duration - packet.dts;
    stream.rebase += jump;
    packet.dts += jump;
    packet.pts += jump;
  }
  const std::int64_t least =
      first ? packet.dts : stream.last_dts + (container_ == Container::kMkv ? 0 : 1);
  packet.dts = std::max(packet.dts, least);
  packet.pts = std::max(packet.pts, packet.dts);
  stream.last_dts = packet.dts;
  stream.last_duration = std::max<std::int64_t>(packet.duration, 1);
}

std::int64_t PacketSource::guessed_duration(const Stream& stream, const AVPacket& packet) const {
  const AVCodecParameters& par = parameters_of(input_, stream.planned);
  if (par.codec_type != AVMEDIA_TYPE_AUDIO || par.sample_rate <= 0) return 0;
  // FFmpeg's signature lacks the const.
  const int samples =
      av_get_audio_frame_duration2(const_cast<AVCodecParameters*>(&par), packet.size);
  return samples > 0 ? av_rescale_q(samples, {1, par.sample_rate}, stream.base)
                     : stream.last_duration;
}

// What lies outside the source's edit list is not part of the presentation, but for a codec's
// priming before its start.
bool PacketSource::wanted(Stream& stream, const AVPacket& packet, const AVRational base) const {
  if ((packet.flags & AV_PKT_FLAG_DISCARD) == 0) {
    stream.presented = true;
    return true;
  }
  if (stream.presented) return false;
  return container_ != Container::kMkv || packet.pts == AV_NOPTS_VALUE ||
         microseconds(packet.pts, base) - clock_.origin_us >= -kMostPriming;
}

void PacketSource::fill_gap(Stream& stream, const AVPacket& next) {
  if (stream.text_end < next.dts) {
    PacketPtr gap = make_packet();
    if (av_new_packet(gap.get(), 2) < 0) throw std::bad_alloc();
    gap->data[0] = gap->data[1] = 0;  // a text of length 0
    gap->pts = gap->dts = stream.text_end;
    gap->duration = next.dts - stream.text_end;
    gap->flags |= AV_PKT_FLAG_KEY;
    gap->stream_index = stream.planned.output;
    stream.pending.push_back({std::move(gap), place_});
  }
  stream.text_end = next.dts + std::max<std::int64_t>(next.duration, 1);
}

std::size_t PacketSource::hand_out(Stream& stream, std::vector<OutPacket>& out) {
  stream.started = true;
  out.push_back({std::move(stream.pending.front().packet), stream.base});
  stream.pending.pop_front();
  return packet_bytes(*out.back().packet);
}

bool PacketSource::passed(const std::int64_t bound_us) const {
  if (front_us_ != INT64_MIN && front_us_ > bound_us + kInterleave) return true;
  bool any_dense = false;
  for (const Stream& s : streams_) {
    if (!s.dense) continue;
    any_dense = true;
    if (s.read_us == AV_NOPTS_VALUE || s.read_us <= bound_us) return false;
  }
  return any_dense || (front_us_ != INT64_MIN && front_us_ > bound_us);
}

bool PacketSource::pull(const std::int64_t bound, const AVRational base,
                        std::vector<OutPacket>& out, const std::size_t most) {
  const std::int64_t bound_us = microseconds(bound, base);
  std::size_t bytes = 0;
  const auto due = [&](const Stream& s) {
    if (s.pending.empty()) return false;
    const auto& [packet, place] = s.pending.front();
    return place + kMostPending < place_ || av_compare_ts(packet->dts, s.base, bound, base) <= 0;
  };
  for (;;) {
    for (Stream& s : streams_)
      while (due(s)) {
        bytes += hand_out(s, out);
        if (bytes >= most) return false;
      }
    if (ended_ || passed(bound_us)) return true;
    read_one();
  }
}

std::vector<OutPacket> PacketSource::skip(const std::int64_t bound, const AVRational base,
                                          const bool with_first_audio) {
  std::map<int, OutPacket> last;
  std::vector<OutPacket> passed;
  const auto drop = [&] {
    for (OutPacket& packet : passed) last[packet.packet->stream_index] = std::move(packet);
    passed.clear();
  };
  // The bounds on the way do not matter; small steps keep few packets at a time.
  const std::int64_t step = std::max<std::int64_t>(1, av_rescale_q(1, {1, 1}, base));
  std::int64_t at = std::min<std::int64_t>(bound, 0);
  const auto pass = [&] {
    while (!pull(at, base, passed, kMostPending)) drop();
  };
  pass();
  if (with_first_audio) pull_first_audio(passed);
  for (drop(); at < bound; drop()) {
    stop_.check();
    // Over gaps in one step: what was read already says where the next packet is.
    std::int64_t next = at + step;
    bool waiting = false;
    for (const Stream& s : streams_) {
      if (s.pending.empty()) continue;
      const std::int64_t time = av_rescale_q(s.pending.front().packet->dts, s.base, base);
      next = waiting ? std::min(next, std::max(at + step, time)) : std::max(at + step, time);
      waiting = true;
    }
    if (ended_ && !waiting) break;
    at = std::min(next, bound);
    pass();
  }
  std::vector<OutPacket> result;
  for (auto& [stream, packet] : last) result.push_back(std::move(packet));
  return result;
}

std::int64_t PacketSource::next_time() {
  for (;;) {
    std::int64_t earliest = AV_NOPTS_VALUE;
    for (const Stream& s : streams_) {
      if (s.pending.empty()) continue;
      const std::int64_t time = microseconds(s.pending.front().packet->dts, s.base);
      if (earliest == AV_NOPTS_VALUE || time < earliest) earliest = time;
    }
    if (earliest != AV_NOPTS_VALUE || !read_one()) return earliest;
  }
}

void PacketSource::pull_first_audio(std::vector<OutPacket>& out) {
  for (Stream& s : streams_) {
    const AVCodecID codec = input_.stream(s.planned.input).codecpar->codec_id;
    if (s.started || (codec != AV_CODEC_ID_AC3 && codec != AV_CODEC_ID_EAC3)) continue;
    if (!s.pending.empty()) {
      hand_out(s, out);
      continue;
    }
    // It begins late. What the other streams hold until then is not to be kept meanwhile, so its
    // first packet is read by a demuxer of its own.
    Input input(input_.path());
    PacketSource alone(input, {s.planned}, container_, clock_, stop_);
    const std::int64_t time = alone.next_time();
    beside_bytes_ += alone.bytes_read();
    if (time == AV_NOPTS_VALUE || time >= kFirstAudio) continue;
    alone.hand_out(alone.streams_.front(), out);
    s.started = true;
    s.handed_out_early = 1;
  }
}

}  // namespace streamvsr
