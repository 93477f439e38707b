#include "media/decoder.h"

#include <algorithm>

#include "base/cpu.h"
#include "media/decoder_memory.h"
#include "media/hash.h"
#include "media/telecine.h"
#include "media/video_codec.h"

namespace streamvsr {

namespace {

// Errors in a row after which a decoder is given up: it would never come to an end.
constexpr int kMostErrors = 10'000;
// How much earlier than wanted the seeks of resume() begin, one after the other, s: key frames of
// some files lie later in decoding order than their times say.
constexpr int kSeekBack[] = {0, 10};

}  // namespace

const StopFlag& Decoder::never() {
  static const StopFlag flag;
  return flag;
}

Decoder::Decoder(const std::string& path, const DecoderSettings& settings, const StopFlag& stop)
    : path_(path), settings_(settings), stop_(stop) {
  open(std::max(1, settings.threads));
}

void Decoder::open(const int threads) {
  if (input_) earlier_bytes_ += input_->format().pb->bytes_read;
  codec_.reset();
  input_ = std::make_unique<Input>(path_);
  codec_log_ = std::make_unique<LogSink>();
  codec_ = open_video_codec(*input_, threads, *codec_log_);
  input_->select_only(input_->video_index());
  parallel_ = decodes_in_parallel(*codec_);
  picture_bytes_.emplace(*input_->stream(input_->video_index()).codecpar, settings_.field_packets);
  if (!strength_) strength_.emplace(codec_->codec_id, settings_.bits_per_pixel);
  packet_pending_ = flushed_ = drained_ = sought_ = false;
  return_errors_ = 0;
  held_.clear();
  put_back_.reset();
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
  picture_bytes_->add(*packet_);
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
    stop_.check();
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
    if (errors() != before && sought_) {
      reopen_single();
      return next_sound();
    }
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
  return frame;
}

void Decoder::reopen_single() {
  open(1);
  parallel_ = false;
  damaged_ = 0;
  const std::int64_t past = delivered_ + (deinterlacer_ ? deinterlacer_->held() : 0);
  for (std::int64_t i = 0; i < past; ++i)
    if (!next_sound()) return;
}

void Decoder::look_at_fields(const AVFrame& frame) {
  met_interlaced_ = met_interlaced_ || frame_is_interlaced(frame);
  if (frame_is_interlaced(frame) && settings_.interlaced == Interlaced::kRefuse)
    throw Error(
        ErrorKind::kInput,
        "'" + path_ +
            "' is interlaced; deinterlace it first, or set interlaced to \"deinterlace\" or "
            "\"keep\"",
        path_);
}

FramePtr Decoder::next_progressive() {
  for (;;) {
    if (deinterlacer_)
      if (FramePtr picture = deinterlacer_->pull()) return picture;
    FramePtr frame;
    if (waiting_) {
      frame = std::move(waiting_);
      deinterlacer_.reset();
    } else if (frame = next_sound(); frame) {
      look_at_fields(*frame);
    }
    if (settings_.interlaced != Interlaced::kDeinterlace) return frame;
    if (frame && deinterlacer_ && !deinterlacer_->takes(*frame)) {
      waiting_ = std::move(frame);  // behind what the deinterlacer holds
      deinterlacer_->push(nullptr);
      continue;
    }
    if (!deinterlacer_ && !(frame && frame_is_interlaced(*frame))) return frame;
    if (!frame && deinterlacer_->held() == 0) return nullptr;
    if (!deinterlacer_)
      deinterlacer_ = std::make_unique<Deinterlacer>(*frame, std::max(1, settings_.threads));
    deinterlacer_->push(std::move(frame));
  }
}

// The plan of the memory knows the first picture's size alone.
void Decoder::check_size(const AVPixelFormat format, const int width, const int height) {
  const std::int64_t pixels = std::int64_t{width} * height;
  if (settings_.most_bytes == 0 || pixels <= std::int64_t{checked_width_} * checked_height_) return;
  const AVCodecParameters* const parameters = input_->stream(input_->video_index()).codecpar;
  const std::size_t bytes =
      decoder_bytes({parameters, format, width, height, true, deinterlacer_ != nullptr, 0},
                    parallel_ ? settings_.threads : 1);
  // With more memory its threads are not lowered, and each takes more.
  const std::size_t whole =
      decoder_bytes({parameters, format, width, height, true, deinterlacer_ != nullptr, 0},
                    parallel_ ? std::max(settings_.threads, usable_cores()) : 1);
  if (bytes > settings_.most_bytes)
    throw Error(ErrorKind::kMemory,
                "the pictures of '" + path_ + "' grow to " + std::to_string(width) + "x" +
                    std::to_string(height) + ", which takes " +
                    std::to_string((bytes - settings_.most_bytes) / (1 << 20) + 1) +
                    " MB more than the job has left; set max_memory_mb=" +
                    std::to_string((whole + settings_.beside_bytes) / (1 << 20) + 1) + " or more",
                path_);
  checked_width_ = width;
  checked_height_ = height;
}

SourcePicture Decoder::finish(FramePtr frame) {
  const int whole_width = frame->width, whole_height = frame->height;
  crop(*frame, settings_.cropping);
  const std::int64_t raw = frame->best_effort_timestamp;
  raw_pts_ = raw;
  std::int64_t duration = frame_duration(*frame);
  // Of a picture in two packets, the frame has the first field's duration.
  if (duration <= 0 || settings_.field_packets) duration = settings_.nominal_duration;
  bool last = false;
  if (settings_.last && raw != AV_NOPTS_VALUE && raw <= settings_.last->time) {
    const std::int64_t left = settings_.last->time + settings_.last->duration - raw;
    last = raw == settings_.last->time;
    duration = last ? left : std::min(duration, left);
  }
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

  const int bytes = picture_bytes_->take(*frame);
  DroppedTags dropped = drop_impossible_tags(*frame);
  if (settings_.matrix != AVCOL_SPC_UNSPECIFIED &&
      !is_rgb(static_cast<AVPixelFormat>(frame->format))) {
    frame->colorspace = settings_.matrix;
    dropped.matrix = -1;
  }
  SourcePicture picture;
  picture.index = delivered_++;
  picture.pts = pts;
  picture.duration = duration;
  picture.codec_strength = strength_->next(*frame, bytes);
  picture.pic_struct = pic_struct(*frame);
  picture.last = last;
  picture.messages = messages_of(*frame);
  if (settings_.format == AV_PIX_FMT_NONE)
    settings_.format = nearest_planar(static_cast<AVPixelFormat>(frame->format));
  if (settings_.width == 0) {
    settings_.width = frame->width;
    settings_.height = frame->height;
  }
  if (frame->width != settings_.width || frame->height != settings_.height) {
    if (settings_.refuse_resized)
      throw Error(ErrorKind::kInput,
                  "the pictures of '" + path_ + "' change from " + std::to_string(settings_.width) +
                      "x" + std::to_string(settings_.height) + " to " +
                      std::to_string(frame->width) + "x" + std::to_string(frame->height) +
                      " at frame " + std::to_string(picture.index) +
                      "; set size_change to \"scale\" to have them scaled",
                  path_);
    ++resized_;
    check_size(static_cast<AVPixelFormat>(frame->format), whole_width, whole_height);
  }
  if (!fitter_) {
    const PlaneFormat lying =
        plane_format(settings_.format, settings_.width, settings_.height).value();
    plane_format_ = turned(lying, settings_.orientation);
    if (!settings_.color) {
      ColorDescription color = color_description(*frame);
      // RGB becomes what nearly all video is.
      if (color.matrix == ColorDescription::kRgb) color = {ColorDescription::kBt709};
      settings_.color = resolved(color, plane_format_);
      const bool subsampled = lying.log2_sub_x > 0 || lying.log2_sub_y > 0;
      if (!settings_.orientation.upright() && subsampled)
        settings_.color->siting = ChromaSiting::kCenter;
    }
    fitter_.emplace(lying, *settings_.color);
  }
  if (!first_frame_) {
    first_frame_ = make_frame();
    if (av_frame_copy_props(first_frame_.get(), frame.get()) < 0) throw std::bad_alloc();
    first_frame_->format = frame->format;
    dropped_tags_ = dropped;
    first_has_alpha_ = has_alpha(*frame);
  }
  picture.planes = fitter_->fit(*frame);
  if (!settings_.orientation.upright())
    picture.planes = turned(picture.planes, settings_.orientation);
  return picture;
}

std::optional<SourcePicture> Decoder::next(const bool fingerprinted) {
  FramePtr frame = put_back_ ? std::move(put_back_) : next_progressive();
  if (!frame) return std::nullopt;
  SourcePicture picture = finish(std::move(frame));
  if (fingerprinted) {
    printed_.push_back({raw_pts_, picture_hash(picture.planes)});
    if (printed_.size() > kWindow) printed_.pop_front();
  } else {
    printed_.clear();
  }
  return picture;
}

SourceMark Decoder::mark() const {
  SourceMark mark;
  mark.delivered = delivered_;
  mark.last_pts = last_pts_;
  mark.pts_offset = pts_offset_;
  mark.window = static_cast<std::int64_t>(printed_.size());
  if (!printed_.empty()) mark.window_pts = printed_.front().raw_pts;
  std::string all;
  for (const Printed& p : printed_) all += std::to_string(p.raw_pts) + " " + p.hash + "\n";
  mark.fingerprint = sha256(all);
  mark.damaged = damaged_;
  mark.resized = resized_;
  return mark;
}

// One attempt of resume(): false when it did not find the marked pictures, without an error.
bool Decoder::seek_to(const SourceMark& mark, const std::int64_t target, const std::size_t keep,
                      std::vector<SourcePicture>& kept) {
  if (av_seek_frame(&input_->format(), input_->video_index(), target, AVSEEK_FLAG_BACKWARD) < 0)
    return false;
  input_->sought();
  sought_ = true;
  const auto sound = [&] { return damaged_ == 0 && sought_; };
  while (FramePtr frame = next_progressive()) {
    const std::int64_t pts = frame->best_effort_timestamp;
    if (!sound() || pts == AV_NOPTS_VALUE || pts > mark.window_pts) return false;
    if (pts < mark.window_pts) continue;
    put_back_ = std::move(frame);
    break;
  }
  for (std::int64_t i = 0; i < mark.window; ++i) {
    std::optional<SourcePicture> picture = next(true);
    if (!picture || !sound()) return false;
    picture->index = mark.delivered - mark.window + i;
    if (i + static_cast<std::int64_t>(keep) >= mark.window) kept.push_back(std::move(*picture));
  }
  if (this->mark().fingerprint != mark.fingerprint || !repaired_as(mark)) return false;
  delivered_ = mark.delivered;
  last_pts_ = mark.last_pts;
  pts_offset_ = mark.pts_offset;
  resized_ = mark.resized;
  return true;
}

// Whether the mark's repaired time can be that of the frame handed out last: see finish().
bool Decoder::repaired_as(const SourceMark& mark) const {
  if (raw_pts_ == AV_NOPTS_VALUE) return true;  // then it comes from the pictures before
  std::int64_t pts = 0, nudged = 0;
  return !__builtin_add_overflow(raw_pts_, mark.pts_offset, &pts) &&
         !__builtin_sub_overflow(mark.last_pts, pts, &nudged) && nudged >= 0 &&
         av_compare_ts(nudged, codec_->pkt_timebase, 2, {1, 1}) <= 0;
}

void Decoder::restart(const int threads) {
  strength_.reset();
  open(threads);
  parallel_ = parallel_ && threads > 1;
  deinterlacer_.reset();
  waiting_.reset();
  delivered_ = damaged_ = resized_ = pts_offset_ = 0;
  last_pts_ = raw_pts_ = AV_NOPTS_VALUE;
  printed_.clear();
  words_.clear();
}

std::vector<SourcePicture> Decoder::resume(const SourceMark& mark, const int keep) {
  const auto most = static_cast<std::size_t>(std::clamp<std::int64_t>(keep, 0, mark.window));
  const int threads = std::max(1, settings_.threads);
  // Where fewer pictures are known than the window holds, the file's beginning is near.
  if (settings_.unique_times && mark.damaged == 0 && mark.window == kWindow &&
      mark.window_pts != AV_NOPTS_VALUE) {
    for (const int seconds : kSeekBack) {
      restart(threads);
      std::vector<SourcePicture> kept;
      const std::int64_t back = av_rescale_q(seconds, {1, 1}, codec_->pkt_timebase);
      if (seek_to(mark, mark.window_pts - back, most, kept)) return kept;
    }
  }
  restart(mark.damaged == 0 ? threads : 1);
  std::vector<SourcePicture> kept;
  for (std::int64_t i = 0; i < mark.delivered; ++i) {
    std::optional<SourcePicture> picture = next(i >= mark.delivered - mark.window);
    if (!picture) break;
    if (i + static_cast<std::int64_t>(most) >= mark.delivered) kept.push_back(std::move(*picture));
  }
  if (this->mark().fingerprint != mark.fingerprint)
    throw Error(ErrorKind::kInput,
                "the pictures of '" + path_ + "' before frame " + std::to_string(mark.delivered) +
                    " are not those that the interrupted run saw",
                path_);
  if (last_pts_ != mark.last_pts || pts_offset_ != mark.pts_offset || resized_ != mark.resized)
    throw Error(ErrorKind::kResume,
                "the pictures of '" + path_ + "' before frame " + std::to_string(mark.delivered) +
                    " have other times or sizes than the checkpoint says",
                path_);
  return kept;
}

std::int64_t Decoder::bytes_read() const {
  return earlier_bytes_ + input_->format().pb->bytes_read;
}

}  // namespace streamvsr
