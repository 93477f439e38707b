#include "pipeline/segment_encoder.h"

#include <algorithm>
#include <cmath>

#include "media/reencode.h"
#include "media/telecine.h"
#include "pipeline/space.h"

namespace streamvsr {

namespace {

// A run is made smaller by at most this factor while there is another to share the work with.
constexpr double kLeastOfRun = 0.6;
constexpr int kAttempts = 5;
// Encoded again, a run aims at the first of these parts of what it may have, and is content with
// the second.
constexpr double kAimOfRun = 0.97;
constexpr double kUseOfRun = 0.94;
// Where a share is so small that no crf does, details up to so many samples are taken away.
constexpr int kMostSoftened = 32;
constexpr int kRehearsals = 3;

std::int64_t bytes_of(const std::span<const PacketPtr> packets) {
  std::int64_t bytes = 0;
  for (const PacketPtr& packet : packets) bytes += packet->size;
  return bytes;
}

}  // namespace

SegmentEncoder::SegmentEncoder(const JobPlan& plan, const int video_output, const StopFlag& stop,
                               const EncoderMark& from)
    : plan_(plan),
      video_output_(video_output),
      stop_(stop),
      pts_(from.recent_pts.begin(), from.recent_pts.end()),
      packets_(from.packets),
      first_pts_(from.first_pts),
      last_dts_(from.last_dts),
      most_held_(static_cast<std::int64_t>(plan.memory.held)) {
  // The first segment's encoder is opened at once: the container's header needs its parameters.
  encoder_.emplace(plan.encoder);
  parameters_ = encoder_->parameters();
  if (plan.output_format != plan.enhanced_format)
    converter_.emplace(plan.enhanced_format, plan.color, plan.output_format, plan.color,
                       Rounding::kDiffused);
}

SegmentEncoder::Waiting SegmentEncoder::prepared(SourcePicture picture) {
  const AVRational base = plan_.part.video_time_base;
  const std::int64_t ticks = plan_.time_base.num;  // of base in one of the source's
  Planes planes = std::move(picture.planes);
  if (converter_) planes = converter_->run(planes);
  FramePtr frame = to_frame(std::move(planes), plan_.encoder.format);
  frame->pts = plan_.part.clock.to_part(picture.pts * ticks, base);
  frame->color_range = plan_.encoder.range;
  frame->colorspace = plan_.encoder.space;
  frame->color_trc = plan_.encoder.transfer;
  frame->color_primaries = plan_.encoder.primaries;
  frame->chroma_location = plan_.encoder.chroma_location;
  frame->sample_aspect_ratio = plan_.encoder.sample_aspect_ratio;
  mark_plain_frame(*frame);
  return {std::move(frame), picture.duration * ticks, picture.pic_struct};
}

void SegmentEncoder::encode(SourcePicture picture, const bool last_in_segment, PacketSink& out) {
  if (plan_.budget.limited() && !rate_) begin_budget();
  waiting_.push_back(prepared(std::move(picture)));
  if (waiting_.size() < rehearsal_ && !last_in_segment) return;
  feed_waiting(last_in_segment, out);
}

void SegmentEncoder::feed_waiting(const bool last_in_segment, PacketSink& out) {
  while (!waiting_.empty()) {
    if (plan_.budget.limited() && !rate_) begin_budget();
    if (rehearsal_ > 0) rehearse();
    Waiting picture = std::move(waiting_.front());
    waiting_.pop_front();
    feed(std::move(picture), last_in_segment && waiting_.empty(), out);
  }
}

void SegmentEncoder::feed(Waiting picture, const bool last_in_segment, PacketSink& out) {
  if (!encoder_) open();
  const std::int64_t pts = picture.frame->pts;
  if (!first_pts_) first_pts_ = pts;
  pts_.push_back(pts);
  told_[pts] = {picture.duration, picture.pic_struct};
  if (rate_) {
    places_.emplace(pts, static_cast<std::size_t>(segment_.frames++));
    if (rate_curve(plan_.encoder.codec)->steerable) encoder_->set_crf(rate_->crf());
  }
  encoder_->send(picture.frame.get());
  picture.frame.reset();
  fed_ = true;
  const bool run_ends = rate_ && rate_->sent();
  receive(out);
  if (last_in_segment) {
    finish_segment(out);
  } else if (held_bytes_ > most_held_) {
    drain(out);
    end_budget(segment_.share - share_from(packets_).bytes, out);
  } else if (run_ends) {
    drain(out);
    rate_->run_ended();
  }
}

// See Note [rehearsal].
void SegmentEncoder::rehearse() {
  const std::size_t pictures = std::min(rehearsal_, waiting_.size());
  rehearsal_ = 0;
  EncoderSettings settings = plan_.encoder;
  for (int round = 0; round < kRehearsals; ++round) {
    settings.crf = rate_->crf();
    Encoder encoder(settings);
    std::int64_t first = 0, others = 0;
    const PacketPtr packet = make_packet();
    const auto receive = [&] {
      for (; encoder.receive(*packet); av_packet_unref(packet.get()))
        (packet->pts == waiting_.front().frame->pts ? first : others) += packet->size;
    };
    for (std::size_t i = 0; i < pictures; ++i) {
      stop_.check();
      encoder.send(waiting_[i].frame.get());
      receive();
    }
    encoder.send(nullptr);
    receive();
    if (!rate_->rehearsed(pictures, first, others)) break;
  }
}

void SegmentEncoder::open() {
  EncoderSettings settings = plan_.encoder;
  if (rate_) {
    settings.crf = rate_->crf();
    runs_.push_back({held_.size(), settings.crf});
  }
  encoder_.emplace(settings);
  const ParametersPtr again = encoder_->parameters();
  if (again->extradata_size != parameters_->extradata_size ||
      !std::equal(again->extradata, again->extradata + again->extradata_size,
                  parameters_->extradata))
    throw Error(ErrorKind::kInternal,
                "the encoder's parameter sets differ from one segment to the next");
}

void SegmentEncoder::drain(PacketSink& out) {
  if (!encoder_) return;
  // Opened for a header and never fed: there is nothing to drain.
  if (fed_) {
    encoder_->send(nullptr);
    receive(out);
  }
  encoder_.reset();
  fed_ = false;
}

void SegmentEncoder::finish_segment(PacketSink& out) {
  feed_waiting(false, out);
  drain(out);
  if (rate_) end_budget(segment_.share, out);
}

std::int64_t SegmentEncoder::nominal_duration() const {
  return plan_.decoder.nominal_duration * plan_.time_base.num;
}

std::int64_t SegmentEncoder::next_dts() {
  const std::int64_t n = packets_++;
  const std::int64_t depth = plan_.reorder_depth;
  if (n < depth) return *first_pts_ - (depth - n) * nominal_duration();
  const std::int64_t dts = pts_.front();
  pts_.pop_front();
  return dts;
}

void SegmentEncoder::receive(PacketSink& out) {
  for (;;) {
    stop_.check();
    PacketPtr packet = make_packet();
    if (!encoder_->receive(*packet)) return;
    packet->dts = last_dts_ = next_dts();
    if (packet->pts < packet->dts)
      throw Error(ErrorKind::kInternal, "the encoder reorders frames further than it said");
    const auto found = told_.find(packet->pts);
    const Told told = found != told_.end() ? found->second : Told{nominal_duration()};
    if (found != told_.end()) told_.erase(found);
    packet->duration = told.duration;
    if (told.pic_struct != 0 && plan_.encoder.pic_struct) set_pic_struct(*packet, told.pic_struct);
    packet->stream_index = video_output_;
    packet->pos = -1;
    if (!rate_) {
      out.push_back({std::move(packet), plan_.part.video_time_base});
      continue;
    }
    hold(std::move(packet));
  }
}

SegmentShare SegmentEncoder::share_from(const std::int64_t frame) const {
  return plan_.budget.share(frame, plan_.segment_ends, plan_.segment_frames);
}

void SegmentEncoder::begin_budget() {
  const EncoderSettings& settings = plan_.encoder;
  const RateCurve& curve = *rate_curve(settings.codec);
  // One that was opened for the header alone has another quality.
  if (!fed_) encoder_.reset();
  segment_ = {};
  segment_.first_frame = packets_;
  const SegmentShare share = share_from(packets_);
  segment_.share = share.bytes;
  RateControl::Task task;
  task.share = share.bytes;
  task.source_bytes = share.source_bytes;
  task.expected = share.expected;
  task.frames = plan_.segment_end(packets_) - packets_;
  task.least_crf = meant_crf(settings.codec, settings.crf);
  task.lag = settings.threads - 1;
  rate_.emplace(curve, task);
  // The pictures kept meanwhile take the place of packets to come.
  rehearsal_ = std::min(
      rate_->rehearsal(),
      std::max<std::size_t>(1, plan_.memory.rehearsal / planes_bytes(plan_.output_format)));
}

void SegmentEncoder::hold(PacketPtr packet) {
  const auto place = places_.find(packet->pts);
  if (place == places_.end())
    throw Error(ErrorKind::kInternal, "the encoder gave a packet of a time it was not given");
  held_bytes_ += packet->size;
  rate_->received(place->second, packet->size, (packet->flags & AV_PKT_FLAG_KEY) != 0);
  places_.erase(place);
  held_.push_back(std::move(packet));
}

void SegmentEncoder::end_budget(const std::int64_t share, PacketSink& out) {
  segment_.share = share;
  segment_.crf = rate_->mean_crf();
  segment_.bound = rate_->bound();
  if (held_bytes_ > share) make_smaller(share);
  segment_.bytes = held_bytes_;
  for (PacketPtr& packet : held_) out.push_back({std::move(packet), plan_.part.video_time_base});
  ended_ = segment_;
  held_.clear();
  held_bytes_ = 0;
  runs_.clear();
  places_.clear();
  rate_.reset();
}

std::span<PacketPtr> SegmentEncoder::run_packets(const std::size_t run) {
  const std::size_t end = run + 1 < runs_.size() ? runs_[run + 1].begin : held_.size();
  return std::span(held_).subspan(runs_[run].begin, end - runs_[run].begin);
}

void SegmentEncoder::make_smaller(const std::int64_t share) {
  segment_.reencoded = segment_.bound = true;
  if (rate_curve(plan_.encoder.codec)->steerable) runs_.back().crf = segment_.crf;
  // The last runs first, until none of them must shrink too far.
  std::size_t first = runs_.size();
  std::int64_t shrinking = 0;
  while (first > 0) {
    shrinking += bytes_of(run_packets(--first));
    const auto left = static_cast<double>(share - (held_bytes_ - shrinking));
    if (left >= kLeastOfRun * static_cast<double>(shrinking)) break;
  }
  bool fits = shrink(first, share, 1);
  for (int soften = first > 0 ? 1 : 2; !fits && soften <= kMostSoftened; soften *= 2)
    fits = shrink(0, share, soften);
  segment_.crf = 0.0;
  for (std::size_t run = 0; run < runs_.size(); ++run)
    segment_.crf += runs_[run].crf * static_cast<double>(run_packets(run).size()) /
                    static_cast<double>(held_.size());
  if (fits) return;
  throw Error(ErrorKind::kConfig,
              "the disk budget is too small for the film from frame " +
                  std::to_string(segment_.first_frame) + " on: " + size_text(share) +
                  " are left for pictures that take " + size_text(held_bytes_) +
                  " at the lowest quality; raise disk_ratio, or lift the budget with "
                  "disk_ratio=None (none on the command line)");
}

// Encodes runs again, until the segment fits. False: the largest crf is too little.
bool SegmentEncoder::shrink(const std::size_t first_run, const std::int64_t share,
                            const int soften) {
  std::int64_t shrinking = 0;
  for (std::size_t run = first_run; run < runs_.size(); ++run)
    shrinking += bytes_of(run_packets(run));
  for (std::size_t run = first_run; run < runs_.size(); ++run) {
    // What this run may have of what the runs that shrink may have, by its part of their bytes.
    const auto most = static_cast<double>(share - (held_bytes_ - shrinking));
    const std::int64_t bytes = bytes_of(run_packets(run));
    if (!reencode_run(run,
                      static_cast<std::int64_t>(most * static_cast<double>(bytes) /
                                                static_cast<double>(shrinking)),
                      soften))
      return false;
    shrinking -= bytes;
  }
  return true;
}

bool SegmentEncoder::reencode_run(const std::size_t run, const std::int64_t most,
                                  const int soften) {
  const RateCurve& curve = *rate_curve(plan_.encoder.codec);
  const std::span<PacketPtr> packets = run_packets(run);
  EncoderSettings settings = plan_.encoder;
  std::vector<PacketPtr> smaller;
  const auto encode_at = [&](const double crf) {
    smaller.clear();
    settings.crf = crf;
    smaller = reencode(packets, *parameters_, settings, soften, stop_);
    return bytes_of(smaller);
  };
  const auto enough = static_cast<std::int64_t>(kUseOfRun * static_cast<double>(most));
  double crf = runs_[run].crf;
  double too_fine = soften > 1 ? 0.0 : crf, fits = -1.0;
  auto bytes = static_cast<double>(bytes_of(packets));
  double halved_by = curve.halved_by;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const double aim = std::max(1.0, kAimOfRun * static_cast<double>(most));
    double next =
        std::round((crf + halved_by * std::log2(std::max(1.0, bytes) / aim)) * 16.0) / 16.0;
    if (fits < 0.0 && attempt + 1 == kAttempts) next = curve.most;
    next = std::clamp(next, std::min(too_fine + 0.0625, curve.most), curve.most);
    if (fits >= 0.0 && next >= fits) next = std::round((too_fine + fits) * 8.0) / 16.0;
    if (fits >= 0.0 && (next >= fits || next <= too_fine)) break;
    const std::int64_t found = encode_at(next);
    // The content's own curve.
    const double slope =
        (next - crf) / std::log2(bytes / static_cast<double>(std::max<std::int64_t>(1, found)));
    if (std::isfinite(slope) && slope > 0.0)
      halved_by = std::clamp(slope, 0.5 * curve.halved_by, 4.0 * curve.halved_by);
    crf = next;
    bytes = static_cast<double>(found);
    if (found > most) {
      if (next >= curve.most) return false;
      too_fine = next;
      continue;
    }
    fits = next;
    if (found >= enough) break;
  }
  if (fits < 0.0) return false;
  if (crf != fits) encode_at(fits);
  runs_[run].crf = fits;
  replace(packets, std::move(smaller));
  return true;
}

// Puts packets of the same pictures in the place of others.
void SegmentEncoder::replace(const std::span<PacketPtr> packets, std::vector<PacketPtr> smaller) {
  held_bytes_ -= bytes_of(packets);
  std::map<std::int64_t, const AVPacket*> before;
  for (const PacketPtr& packet : packets) before[packet->pts] = packet.get();
  for (std::size_t i = 0; i < packets.size(); ++i) {
    PacketPtr& packet = smaller[i];
    packet->dts = packets[i]->dts;
    const auto same = before.find(packet->pts);
    if (same == before.end() || packet->pts < packet->dts)
      throw Error(ErrorKind::kInternal, "encoded again, packets have other times");
    packet->duration = same->second->duration;
    if (plan_.encoder.pic_struct) copy_pic_struct(*same->second, *packet);
    packet->stream_index = video_output_;
    packet->pos = -1;
  }
  std::move(smaller.begin(), smaller.end(), packets.begin());
  held_bytes_ += bytes_of(packets);
}

}  // namespace streamvsr
