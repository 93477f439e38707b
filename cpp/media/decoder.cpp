#include "media/decoder.h"

#include <algorithm>
#include <cstring>

namespace streamvsr {

namespace {

// Packets whose size is remembered while their frames are in the decoder; more would be a decoder
// that never answers.
constexpr std::size_t kRememberedPackets = 512;
// Errors in a row after which a decoder is given up: it would never come to an end.
constexpr int kMostErrors = 10'000;

bool same_samples(const AVFrame& a, const AVFrame& b) {
  if (a.format != b.format || a.width != b.width || a.height != b.height) return false;
  const auto format =
      plane_format(nearest_planar(static_cast<AVPixelFormat>(a.format)), a.width, a.height);
  const auto* const d = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(a.format));
  if (!format || format->plane_count != d->nb_components ||
      (d->flags & AV_PIX_FMT_FLAG_PLANAR) == 0)
    return false;
  for (int p = 0; p < format->plane_count; ++p) {
    const auto row = static_cast<std::size_t>(format->plane_width(p)) * format->bytes_per_sample();
    for (int y = 0; y < format->plane_height(p); ++y)
      if (std::memcmp(a.data[p] + static_cast<std::ptrdiff_t>(y) * a.linesize[p],
                      b.data[p] + static_cast<std::ptrdiff_t>(y) * b.linesize[p], row) != 0)
        return false;
  }
  return true;
}

}  // namespace

Decoder::Decoder(const std::string& path, const DecoderSettings& settings)
    : path_(path), settings_(settings) {
  open(std::max(1, settings.threads));
}

void Decoder::open(const int threads) {
  if (input_) earlier_bytes_ += input_->format().pb->bytes_read;
  codec_.reset();
  input_ = std::make_unique<Input>(path_);
  const int video = input_->video_index();
  if (video < 0) throw Error(ErrorKind::kInput, "'" + path_ + "' has no video stream", path_);
  input_->select_only(video);
  const AVCodecParameters& parameters = *input_->stream(video).codecpar;
  const AVCodec* const decoder = avcodec_find_decoder(parameters.codec_id);
  if (decoder == nullptr)
    throw Error(ErrorKind::kInput,
                "'" + path_ + "': this FFmpeg has no decoder for the video codec '" +
                    avcodec_get_name(parameters.codec_id) + "'",
                path_);
  codec_.reset(avcodec_alloc_context3(decoder));
  if (!codec_) throw std::bad_alloc();
  codec_log_ = std::make_unique<LogSink>();
  check(avcodec_parameters_to_context(codec_.get(), &parameters), "take the parameters of", path_);
  codec_->opaque = codec_log_.get();
  codec_->pkt_timebase = input_->stream(video).time_base;
  codec_->thread_count = threads;
  codec_->thread_type =
      parameters.codec_id == AV_CODEC_ID_H264 ? FF_THREAD_SLICE : FF_THREAD_FRAME | FF_THREAD_SLICE;
  constexpr int kThreaded =
      AV_CODEC_CAP_FRAME_THREADS | AV_CODEC_CAP_SLICE_THREADS | AV_CODEC_CAP_OTHER_THREADS;
  parallel_ = threads > 1 && (decoder->capabilities & kThreaded) != 0;
  // Bit-exact: some inverse transforms have a quicker, different form on some processors.
  codec_->flags |= AV_CODEC_FLAG_BITEXACT;
  if (exports_quantisers(parameters.codec_id))
    codec_->export_side_data |= AV_CODEC_EXPORT_DATA_VIDEO_ENC_PARAMS;
  const LogSink::Scope scope(*codec_log_);
  check(avcodec_open2(codec_.get(), decoder, nullptr), "open the decoder of", path_,
        ErrorKind::kInput, codec_log_.get());
  if (!strength_) strength_.emplace(parameters.codec_id, settings_.bits_per_pixel);
  packet_pending_ = flushed_ = drained_ = false;
  return_errors_ = 0;
  packet_bytes_.clear();
  held_.clear();
}

int Decoder::errors() const { return codec_log_->errors() + return_errors_; }

bool Decoder::feed() {
  if (!packet_pending_) {
    bool there = input_->read(*packet_);
    while (there && packet_->stream_index != input_->video_index()) there = input_->read(*packet_);
    if (!there) {
      if (!input_->damage().empty()) {
        ++damaged_;
        words_ = input_->damage();
      }
      return false;
    }
    packet_pending_ = true;
  }
  const int result = avcodec_send_packet(codec_.get(), packet_.get());
  if (result == AVERROR(EAGAIN)) return true;  // frames first; the packet stays pending
  if (packet_->pts != AV_NOPTS_VALUE) packet_bytes_[packet_->pts] = packet_->size;
  while (packet_bytes_.size() > kRememberedPackets) packet_bytes_.erase(packet_bytes_.begin());
  packet_pending_ = false;
  if (result == AVERROR(ENOMEM)) throw std::bad_alloc();
  if (result < 0) ++return_errors_;
  return true;
}

FramePtr Decoder::decode() {
  const LogSink::Scope scope(*codec_log_);
  FramePtr frame = make_frame();
  const int before = errors();
  for (;;) {
    const int result = avcodec_receive_frame(codec_.get(), frame.get());
    if (result >= 0) {
      if (frame_is_corrupt(*frame)) ++return_errors_;
      return frame;
    }
    if (result == AVERROR_EOF) return nullptr;
    if (result == AVERROR(ENOMEM)) throw std::bad_alloc();
    if (result != AVERROR(EAGAIN)) {
      if (++return_errors_ - before > kMostErrors) return nullptr;
      continue;
    }
    if (!feed() && !flushed_) {
      flushed_ = true;
      avcodec_send_packet(codec_.get(), nullptr);
    }
  }
}

FramePtr Decoder::next_sound() {
  if (!parallel_) {
    const int before = errors();
    FramePtr frame = decode();
    if (errors() != before) {
      ++damaged_;
      if (words_.empty()) words_ = codec_log_->last_words();
    }
    return frame;
  }
  // See Note [damage].
  const auto hold = static_cast<std::size_t>(std::max(codec_->has_b_frames, 1) + 1);
  while (!drained_ && held_.size() <= hold) {
    FramePtr frame = decode();
    if (errors() != 0) {
      reopen_single();
      return next_sound();
    }
    if (!frame) {
      drained_ = true;
      break;
    }
    held_.push_back(std::move(frame));
  }
  if (held_.empty()) return nullptr;
  FramePtr frame = std::move(held_.front());
  held_.pop_front();
  last_frame_.reset(av_frame_clone(frame.get()));
  return frame;
}

void Decoder::reopen_single() {
  const FramePtr last = std::move(last_frame_);
  const std::int64_t last_pts = raw_pts_;
  const std::int64_t damaged = damaged_;
  open(1);
  parallel_ = false;
  if (!last) return;
  if (last_pts != AV_NOPTS_VALUE && av_seek_frame(&input_->format(), input_->video_index(),
                                                  last_pts, AVSEEK_FLAG_BACKWARD) >= 0) {
    while (const FramePtr frame = decode()) {
      if (frame->best_effort_timestamp == AV_NOPTS_VALUE || frame->best_effort_timestamp > last_pts)
        break;
      if (frame->best_effort_timestamp == last_pts && same_samples(*frame, *last)) {
        damaged_ = damaged;
        return;
      }
    }
  }
  open(1);
  parallel_ = false;
  damaged_ = damaged;
  for (std::int64_t i = 0; i < delivered_; ++i)
    if (!decode()) return;
}

SourcePicture Decoder::finish(FramePtr frame) {
  const std::int64_t raw = frame->best_effort_timestamp;
  raw_pts_ = raw;
  std::int64_t duration = frame_duration(*frame);
  if (duration <= 0) duration = settings_.nominal_duration;
  std::int64_t pts = raw != AV_NOPTS_VALUE         ? raw + pts_offset_
                     : last_pts_ != AV_NOPTS_VALUE ? last_pts_ + duration
                                                   : 0;
  if (last_pts_ != AV_NOPTS_VALUE && pts <= last_pts_) {
    // A glitch is nudged; a jump back re-bases everything after it.
    const AVRational base = codec_->pkt_timebase;
    const bool jump = av_compare_ts(last_pts_ - pts, base, 1, {1, 1}) > 0;
    const std::int64_t repaired = last_pts_ + (jump ? settings_.nominal_duration : 1);
    if (jump) pts_offset_ += repaired - pts;
    pts = repaired;
  }
  last_pts_ = pts;

  int bytes = 0;
  if (const auto it = packet_bytes_.find(frame->pts); it != packet_bytes_.end()) {
    bytes = it->second;
    packet_bytes_.erase(it);
  }
  SourcePicture picture;
  picture.index = delivered_++;
  picture.pts = pts;
  picture.duration = duration;
  picture.codec_strength = strength_->next(*frame, bytes);
  if (settings_.format == AV_PIX_FMT_NONE)
    settings_.format = nearest_planar(static_cast<AVPixelFormat>(frame->format));
  if (settings_.width == 0) {
    settings_.width = frame->width;
    settings_.height = frame->height;
  }
  if (frame->width != settings_.width || frame->height != settings_.height) ++resized_;
  if (!fitter_) {
    fitter_.emplace(settings_.format, settings_.width, settings_.height);
    plane_format_ = plane_format(settings_.format, settings_.width, settings_.height).value();
  }
  if (!first_frame_) {
    first_frame_ = make_frame();
    if (av_frame_copy_props(first_frame_.get(), frame.get()) < 0) throw std::bad_alloc();
    first_frame_->format = frame->format;
  }
  picture.planes = fitter_->fits(*frame) ? to_planes(*frame, plane_format_)
                                         : to_planes(*fitter_->fit(*frame), plane_format_);
  return picture;
}

std::optional<SourcePicture> Decoder::next() {
  FramePtr frame = next_sound();
  if (!frame) return std::nullopt;
  return finish(std::move(frame));
}

std::int64_t Decoder::bytes_read() const {
  return earlier_bytes_ + input_->format().pb->bytes_read;
}

}  // namespace streamvsr
