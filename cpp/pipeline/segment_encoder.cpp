#include "pipeline/segment_encoder.h"

#include <algorithm>

#include "color/resample.h"

namespace streamvsr {

SegmentEncoder::SegmentEncoder(const JobPlan& plan, const int video_output, const StopFlag& stop,
                               const EncoderMark& from)
    : plan_(plan),
      video_output_(video_output),
      stop_(stop),
      pts_(from.recent_pts.begin(), from.recent_pts.end()),
      packets_(from.packets),
      first_pts_(from.first_pts),
      last_dts_(from.last_dts) {
  // The first segment's encoder is opened at once: the container's header needs its parameters.
  encoder_.emplace(plan.encoder);
  parameters_ = encoder_->parameters();
}

void SegmentEncoder::encode(SourcePicture picture, const bool last_in_segment, PacketSink& out) {
  if (!encoder_) {
    encoder_.emplace(plan_.encoder);
    const ParametersPtr again = encoder_->parameters();
    if (again->extradata_size != parameters_->extradata_size ||
        !std::equal(again->extradata, again->extradata + again->extradata_size,
                    parameters_->extradata))
      throw Error(ErrorKind::kInternal,
                  "the encoder's parameter sets differ from one segment to the next");
  }
  const AVRational base = plan_.part.video_time_base;
  const std::int64_t ticks = plan_.time_base.num;  // of base in one of the source's
  const std::int64_t pts = plan_.part.clock.to_part(picture.pts * ticks, base);
  if (!first_pts_) first_pts_ = pts;
  pts_.push_back(pts);
  durations_[pts] = picture.duration * ticks;
  Planes planes = std::move(picture.planes);
  if (planes.format() != plan_.output_format)
    planes = convert(planes, plan_.output_format, plan_.siting);
  const FramePtr frame = to_frame(std::move(planes), plan_.encoder.format);
  frame->pts = pts;
  frame->color_range = plan_.encoder.range;
  frame->colorspace = plan_.encoder.space;
  frame->color_trc = plan_.encoder.transfer;
  frame->color_primaries = plan_.encoder.primaries;
  frame->chroma_location = plan_.encoder.chroma_location;
  frame->sample_aspect_ratio = plan_.encoder.sample_aspect_ratio;
  mark_plain_frame(*frame);
  encoder_->send(frame.get());
  fed_ = true;
  receive(out);
  if (last_in_segment) finish_segment(out);
}

void SegmentEncoder::finish_segment(PacketSink& out) {
  if (!encoder_) return;
  // Opened for a header and never fed: there is nothing to drain.
  if (fed_) {
    encoder_->send(nullptr);
    receive(out);
  }
  encoder_.reset();
  fed_ = false;
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
    out.push_back({std::move(packet), plan_.part.video_time_base});
  }
}

}  // namespace streamvsr
