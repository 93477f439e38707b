#include "pipeline/segment_encoder.h"

#include <algorithm>
#include <cmath>

#include "media/reencode.h"
#include "media/telecine.h"
#include "pipeline/space.h"

namespace streamvsr {

namespace {

// Where a share is so small that no crf does, details up to so many samples are taken away.
constexpr int kMostSoftened = 32;
constexpr int kRehearsals = 3;
// Steps of crf: of a steered segment, how far they may spread. Beyond, one crf for all is better
// and a draft worth its second encoding.
constexpr double kMostSpread = 1.0;

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
  return {std::move(frame), picture.duration * ticks, picture.pic_struct, picture.last,
          std::move(picture.messages)};
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
    if (const std::size_t pictures = std::min(std::exchange(rehearsal_, 0), waiting_.size());
        pictures > 0) {
      const SizeSearch::Begin last = rehearse_some(pictures);
      const bool settled = last_in_segment && pictures == waiting_.size() && rehearse_all(last);
      if (plan_.draft && !settled && rate_->may_bind()) draft_.emplace(*plan_.draft);
    }
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
  told_[pts] = {picture.duration, picture.pic_struct, std::move(picture.messages)};
  if (picture.last) last_pts_ = pts;
  if (rate_) {
    places_.emplace(pts, static_cast<std::size_t>(segment_.frames++));
    if (rate_curve(plan_.encoder.codec)->steerable) encoder_->set_crf(rate_->crf());
  }
  if (draft_) draft_->add(*picture.frame);
  encoder_->send(picture.frame.get());
  picture.frame.reset();
  fed_ = true;
  if (rate_) rate_->sent();
  receive(out);
  if (last_in_segment) {
    finish_segment(out);
  } else if (held_bytes_ > most_held_ || (draft_ && draft_->bytes() > plan_.memory.draft)) {
    drain(out);
    end_budget(segment_.share - share_from(packets_).bytes, out);
  }
}

// See Note [rehearsal]. Bytes of the first of the waiting pictures, and of the others.
std::pair<std::int64_t, std::int64_t> SegmentEncoder::rehearse(const double crf,
                                                               const std::size_t pictures) {
  EncoderSettings settings = plan_.encoder;
  settings.crf = crf;
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
  return {first, others};
}

// The last of them.
SizeSearch::Begin SegmentEncoder::rehearse_some(const std::size_t pictures) {
  for (int round = 1;; ++round) {
    const double crf = rate_->crf();
    const auto [first, others] = rehearse(crf, pictures);
    if (!rate_->rehearsed(pictures, first, others) || round == kRehearsals)
      return {crf, first + others, true};
  }
}

// False: the crf is not settled by it.
bool SegmentEncoder::rehearse_all(const SizeSearch::Begin& begin) {
  const EncoderSettings& meant = plan_.encoder;
  const RateCurve& curve = *rate_curve(meant.codec);
  if (curve.steerable) return false;
  SizeSearch search(curve, rate_->halved_by(), segment_.share, meant_crf(meant.codec, meant.crf),
                    begin);
  search.begin_found();
  while (const std::optional<double> crf = search.next()) {
    const auto [first, others] = rehearse(*crf, waiting_.size());
    search.found(*crf, first + others);
  }
  if (search.best()) rate_->settle(*search.best());
  return search.best().has_value();
}

void SegmentEncoder::open() {
  EncoderSettings settings = plan_.encoder;
  if (rate_) settings.crf = rate_->crf();
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
    Told told = found != told_.end() ? std::move(found->second) : Told{nominal_duration(), 0, {}};
    if (found != told_.end()) told_.erase(found);
    packet->duration = told.duration;
    if (told.pic_struct != 0 && plan_.encoder.pic_struct) set_pic_struct(*packet, told.pic_struct);
    const std::int64_t grown =
        insert_messages(*packet, plan_.encoder.codec, told.messages, plan_.packing);
    packet->stream_index = video_output_;
    packet->pos = -1;
    if (!rate_) {
      hand_out(std::move(packet), out);
      continue;
    }
    message_bytes_ += grown;
    if (!told.messages.empty()) messages_[packet->pts] = std::move(told.messages);
    hold(std::move(packet));
  }
}

void SegmentEncoder::hand_out(PacketPtr packet, PacketSink& out) const {
  const bool last = last_pts_ != AV_NOPTS_VALUE && packet->pts == last_pts_;
  out.push_back({std::move(packet), plan_.part.video_time_base, last});
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
  if (held_bytes_ > share || draft_) encode_again(share);
  segment_.bytes = held_bytes_;
  for (PacketPtr& packet : held_) hand_out(std::move(packet), out);
  ended_ = segment_;
  held_.clear();
  held_bytes_ = message_bytes_ = 0;
  messages_.clear();
  draft_.reset();
  places_.clear();
  rate_.reset();
}

// See Note [draft] and Note [too large].
void SegmentEncoder::encode_again(const std::int64_t share) {
  if (draft_) draft_->finish();
  bool fits = search_crf(share, 1);
  for (int soften = 2; !fits && soften <= kMostSoftened; soften *= 2)
    fits = search_crf(share, soften);
  if (fits) return;
  throw Error(ErrorKind::kConfig,
              "the disk budget is too small for the film from frame " +
                  std::to_string(segment_.first_frame) + " on: " + size_text(share) +
                  " are left for pictures that take " + size_text(held_bytes_) +
                  " at the lowest quality; raise disk_ratio, or lift the budget with "
                  "disk_ratio=None (none on the command line)");
}

// False: the largest crf is too little.
bool SegmentEncoder::search_crf(const std::int64_t share, const int soften) {
  const EncoderSettings& meant = plan_.encoder;
  // Packets of ours can only lose; of a draft there is more to have.
  const double least = meant_crf(meant.codec, meant.crf);
  const double finest = draft_ || soften > 1 ? least : segment_.crf;
  const double spread = rate_->crf_spread();
  SizeSearch search(*rate_curve(meant.codec), rate_->halved_by(), share - message_bytes_, finest,
                    {segment_.crf, held_bytes_ - message_bytes_, soften == 1 && spread == 0.0});
  if (soften == 1 && !(draft_ && spread > kMostSpread)) search.begin_found();
  EncoderSettings settings = meant;
  std::vector<PacketPtr> kept;
  const auto source = draft_ ? draft_->packets() : std::span<const PacketPtr>(held_);
  const AVCodecParameters& parameters = draft_ ? draft_->parameters() : *parameters_;
  while (const std::optional<double> crf = search.next()) {
    settings.crf = *crf;
    std::vector<PacketPtr> packets = reencode(source, parameters, settings, soften, stop_);
    search.found(*crf, bytes_of(packets));
    if (search.best() == crf) kept = std::move(packets);
  }
  if (!search.best()) return soften == 1 && held_bytes_ <= share;
  if (kept.empty()) return true;
  segment_.crf = *search.best();
  segment_.bound = segment_.bound || segment_.crf > least;
  segment_.reencoded = true;
  replace(std::move(kept));
  return true;
}

// Puts packets of the same pictures in the place of those held.
void SegmentEncoder::replace(std::vector<PacketPtr> packets) {
  std::map<std::int64_t, const AVPacket*> before;
  for (const PacketPtr& packet : held_) before[packet->pts] = packet.get();
  for (std::size_t i = 0; i < packets.size(); ++i) {
    PacketPtr& packet = packets[i];
    packet->dts = held_[i]->dts;
    const auto same = before.find(packet->pts);
    if (same == before.end() || packet->pts < packet->dts)
      throw Error(ErrorKind::kInternal, "encoded again, packets have other times");
    packet->duration = same->second->duration;
    if (plan_.encoder.pic_struct) copy_pic_struct(*same->second, *packet);
    packet->stream_index = video_output_;
    packet->pos = -1;
  }
  for (const PacketPtr& packet : packets) {
    const auto found = messages_.find(packet->pts);
    insert_messages(*packet, plan_.encoder.codec,
                    found != messages_.end() ? found->second : PictureMessages{}, plan_.packing);
  }
  held_ = std::move(packets);
  held_bytes_ = bytes_of(held_);
}

}  // namespace streamvsr
