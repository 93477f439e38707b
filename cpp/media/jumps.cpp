#include "media/jumps.h"

#include <algorithm>

namespace streamvsr {

namespace {

constexpr int kMostBits = 63;  // of a clock that is known to wrap
// How far behind its stream's last packet one may begin after another stream's jump, s.
constexpr int kSlack = 10;

}  // namespace

void Jumps::forget() {
  tracks_.clear();
  steps_.clear();
}

void Jumps::move(AVPacket& packet, const AVStream& stream) {
  if (stream.pts_wrap_bits <= 0 || stream.pts_wrap_bits >= kMostBits) return;
  const std::int64_t time = packet.dts != AV_NOPTS_VALUE ? packet.dts : packet.pts;
  if (time == AV_NOPTS_VALUE) return;
  const auto index = static_cast<std::size_t>(packet.stream_index);
  if (index >= tracks_.size()) tracks_.resize(index + 1);
  Track& track = tracks_[index];
  const AVRational base = stream.time_base;
  const std::int64_t half = std::int64_t{1} << (stream.pts_wrap_bits - 1);
  const std::int64_t slack = av_rescale_q(kSlack, {1, 1}, base);
  const auto moved = [&](const std::size_t steps) {
    return steps == 0 ? time : time + av_rescale_q(steps_[steps - 1], AV_TIME_BASE_Q, base);
  };
  if (track.last != AV_NOPTS_VALUE && std::abs(moved(track.steps) - track.last) > half) {
    const std::int64_t with_newest = moved(steps_.size()) - track.last;
    if (track.steps == steps_.size() || with_newest < -slack || with_newest > half)
      steps_.push_back(av_rescale_q(track.last - time, base, AV_TIME_BASE_Q));
    track.steps = steps_.size();
  } else if (track.last == AV_NOPTS_VALUE) {
    track.steps = steps_.size();  // it begins where the others are
  }
  const std::int64_t step = moved(track.steps) - time;
  track.last = time + step + std::max<std::int64_t>(packet.duration, 0);
  if (packet.dts != AV_NOPTS_VALUE) packet.dts += step;
  if (packet.pts != AV_NOPTS_VALUE) packet.pts += step;
}

}  // namespace streamvsr
