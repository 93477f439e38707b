#include "pipeline/segment_encoder.h"

#include <algorithm>
#include <cmath>

#include "media/reencode.h"
#include "pipeline/space.h"

namespace streamvsr {

namespace {

// A run is made smaller by at most this factor while there is another to share the work with.
constexpr double kLeastOfRun = 0.6;
constexpr int kAttempts = 5;

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

void SegmentEncoder::encode(SourcePicture picture, const bool last_in_segment, PacketSink& out) {
  if (plan_.budget.limited() && !rate_) begin_budget();
  if (!encoder_) open();
  const AVRational base = plan_.part.video_time_base;
  const std::int64_t ticks = plan_.time_base.num;  // of base in one of the source's
  const std::int64_t pts = plan_.part.clock.to_part(picture.pts * ticks, base);
  if (!first_pts_) first_pts_ = pts;
  pts_.push_back(pts);
  durations_[pts] = picture.duration * ticks;
  Planes planes = std::move(picture.planes);
  if (converter_) planes = converter_->run(planes);
  const FramePtr frame = to_frame(std::move(planes), plan_.encoder.format);
  frame->pts = pts;
  frame->color_range = plan_.encoder.range;
  frame->colorspace = plan_.encoder.space;
  frame->color_trc = plan_.encoder.transfer;
  frame->color_primaries = plan_.encoder.primaries;
  frame->chroma_location = plan_.encoder.chroma_location;
  frame->sample_aspect_ratio = plan_.encoder.sample_aspect_ratio;
  mark_plain_frame(*frame);
  if (rate_) {
    places_.emplace(pts, static_cast<std::size_t>(segment_.frames++));
    if (rate_curve(plan_.encoder.codec)->steerable) encoder_->set_crf(rate_->crf());
  }
  encoder_->send(frame.get());
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

void SegmentEncoder::open() {
  EncoderSettings settings = plan_.encoder;
  if (rate_) {
    settings.crf = rate_->crf();
    runs_.push_back(held_.size());
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
    const auto duration = durations_.find(packet->pts);
    packet->duration = duration != durations_.end() ? duration->second : nominal_duration();
    if (duration != durations_.end()) durations_.erase(duration);
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
  const std::size_t end = run + 1 < runs_.size() ? runs_[run + 1] : held_.size();
  return std::span(held_).subspan(runs_[run], end - runs_[run]);
}

void SegmentEncoder::make_smaller(const std::int64_t share) {
  segment_.reencoded = segment_.bound = true;
  // The last runs first, until none of them must shrink too far.
  std::size_t first = runs_.size();
  std::int64_t shrinking = 0;
  while (first > 0) {
    shrinking += bytes_of(run_packets(--first));
    const auto left = static_cast<double>(share - (held_bytes_ - shrinking));
    if (left >= kLeastOfRun * static_cast<double>(shrinking)) break;
  }
  for (std::size_t run = first; run < runs_.size(); ++run) {
    // What this run may have of what the runs that shrink may have, by its part of their bytes.
    const auto most = static_cast<double>(share - (held_bytes_ - shrinking));
    const std::int64_t bytes = bytes_of(run_packets(run));
    reencode_run(run, static_cast<std::int64_t>(most * static_cast<double>(bytes) /
                                                static_cast<double>(shrinking)));
    shrinking -= bytes;
  }
}

void SegmentEncoder::reencode_run(const std::size_t run, const std::int64_t most) {
  const RateCurve& curve = *rate_curve(plan_.encoder.codec);
  const std::span<PacketPtr> packets = run_packets(run);
  const std::int64_t before = bytes_of(packets);
  EncoderSettings settings = plan_.encoder;
  double aim = 0.97 * static_cast<double>(most);
  std::int64_t bytes = before;
  settings.crf = segment_.crf;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const double wanted =
        settings.crf + curve.halved_by * std::log2(static_cast<double>(bytes) / std::max(1.0, aim));
    settings.crf = attempt + 1 == kAttempts
                       ? curve.most
                       : std::clamp(std::ceil(wanted * 16.0) / 16.0, 0.0, curve.most);
    std::vector<PacketPtr> smaller = reencode(packets, *parameters_, settings, stop_);
    bytes = bytes_of(smaller);
    if (bytes > most && settings.crf < curve.most) {
      aim *= 0.97;
      continue;
    }
    if (bytes > most) break;
    std::map<std::int64_t, std::int64_t> durations;
    for (const PacketPtr& packet : packets) durations[packet->pts] = packet->duration;
    for (std::size_t i = 0; i < packets.size(); ++i) {
      PacketPtr& packet = smaller[i];
      packet->dts = packets[i]->dts;
      const auto same = durations.find(packet->pts);
      if (same == durations.end() || packet->pts < packet->dts)
        throw Error(ErrorKind::kInternal, "encoded again, packets have other times");
      packet->duration = same->second;
      packet->stream_index = video_output_;
      packet->pos = -1;
    }
    std::move(smaller.begin(), smaller.end(), packets.begin());
    held_bytes_ += bytes - before;
    return;
  }
  throw Error(ErrorKind::kConfig,
              "the disk budget is too small for the film from frame " +
                  std::to_string(segment_.first_frame) + " on: " + size_text(most) +
                  " are left for pictures that take " + size_text(bytes) +
                  " at the lowest quality; raise disk_ratio, or lift the budget with "
                  "disk_ratio=None (none on the command line)");
}

}  // namespace streamvsr
