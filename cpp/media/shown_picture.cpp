#include "media/shown_picture.h"

#include <algorithm>
#include <deque>

#include "media/hash.h"
#include "media/video_codec.h"

namespace streamvsr {

namespace {

// Up to here nothing is sought, s: decoding from the beginning costs no more than two seeks.
constexpr int kNearBeginning = 4;
// How far before the time the seeks begin, one after the other, s.
constexpr int kSeekBack[] = {1, 5, 20};

ShownPicture from_beginning(const std::string& path, const DecoderSettings& settings,
                            const std::int64_t time, const std::size_t most, const StopFlag& stop) {
  Decoder decoder(path, settings, stop);
  std::deque<SourcePicture> last;
  bool followed = false;  // by a picture that is shown later
  while (std::optional<SourcePicture> picture = decoder.next()) {
    followed = picture->pts > time;
    if (followed && !last.empty()) break;
    last.push_back(std::move(*picture));
    if (last.size() > most) last.pop_front();
    if (followed) break;
  }
  ShownPicture shown;
  if (last.empty()) return shown;
  if (!followed) shown.end = last.back().pts + last.back().duration;
  if (!followed && time >= shown.end) return shown;
  for (SourcePicture& picture : last) shown.pictures.push_back(std::move(picture));
  return shown;
}

// Purpose: decodes from a key frame on, as Decoder does, but gives up at the first thing that is
// not as it should be. Thread-safety: none.
class SoughtReader {
 public:
  SoughtReader(const std::string& path, const DecoderSettings& settings, const StopFlag& stop);

  const AVStream& stream() const { return input_.stream(input_.video_index()); }
  // The pictures up to the one shown at a time, from the key frame before `from` on, with room
  // before them for the codec strength's window. Nothing where they cannot be had so, or where the
  // first picture is `first`, which proves nothing new; else that becomes the first one's time.
  std::optional<ShownPicture> read(std::int64_t from, std::int64_t time, std::size_t most,
                                   std::int64_t& first);

 private:
  // A frame that may be one of those wanted.
  struct Seen {
    FramePtr frame;
    float strength = 0.0F;
  };
  bool feed();
  FramePtr decode();
  FramePtr next_progressive();
  float strength_of(const AVFrame& frame);
  std::int64_t end_of(const AVFrame& frame) const;
  ShownPicture finish(const std::deque<Seen>& seen) const;

  const DecoderSettings& settings_;
  const StopFlag& stop_;
  LogSink log_;  // outlives the codec that points to it
  Input input_;
  CodecPtr codec_;
  PacketPtr packet_ = make_packet();
  bool pending_ = false;
  bool refused_ = false;
  std::unique_ptr<Deinterlacer> deinterlacer_;  // since the first interlaced frame
  StrengthMeter strength_;
  PictureBytes picture_bytes_;
};

SoughtReader::SoughtReader(const std::string& path, const DecoderSettings& settings,
                           const StopFlag& stop)
    : settings_(settings),
      stop_(stop),
      input_(path),
      codec_(open_video_codec(input_, settings.threads, log_)),
      strength_(codec_->codec_id, settings.bits_per_pixel),
      picture_bytes_(*input_.stream(input_.video_index()).codecpar, settings.field_packets) {
  input_.select_only(input_.video_index());
}

// One packet more into the decoder; false at the end.
bool SoughtReader::feed() {
  while (!pending_) {
    if (!input_.read(*packet_)) return false;
    pending_ = packet_->stream_index == input_.video_index();
  }
  const int result = avcodec_send_packet(codec_.get(), packet_.get());
  if (result == AVERROR(EAGAIN)) return true;  // frames first; the packet stays pending
  picture_bytes_.add(*packet_);
  pending_ = false;
  refused_ = refused_ || result < 0;
  return true;
}

// The next frame; null at the end, and with refused_ at the first error.
FramePtr SoughtReader::decode() {
  const LogSink::Scope scope(log_);
  FramePtr frame = make_frame();
  while (!refused_) {
    stop_.check();
    const int result = avcodec_receive_frame(codec_.get(), frame.get());
    refused_ = log_.errors() > 0 || !input_.damage().empty() ||
               (result >= 0 ? frame_is_corrupt(*frame)
                            : result != AVERROR(EAGAIN) && result != AVERROR_EOF);
    if (refused_ || result == AVERROR_EOF) break;
    if (result >= 0) return frame;
    if (!feed()) avcodec_send_packet(codec_.get(), nullptr);
  }
  return nullptr;
}

FramePtr SoughtReader::next_progressive() {
  for (;;) {
    if (deinterlacer_)
      if (FramePtr picture = deinterlacer_->pull()) return picture;
    FramePtr frame = decode();
    const bool interlaced = frame && frame_is_interlaced(*frame);
    refused_ = refused_ || (interlaced && settings_.interlaced == Interlaced::kRefuse) ||
               (frame && deinterlacer_ && !deinterlacer_->takes(*frame));
    if (refused_) return nullptr;
    if (settings_.interlaced != Interlaced::kDeinterlace) return frame;
    if (!deinterlacer_ && !interlaced) return frame;
    if (!frame && deinterlacer_->held() == 0) return nullptr;
    if (!deinterlacer_) deinterlacer_ = std::make_unique<Deinterlacer>(*frame, settings_.threads);
    deinterlacer_->push(std::move(frame));
  }
}

float SoughtReader::strength_of(const AVFrame& frame) {
  return strength_.next(frame, picture_bytes_.take(frame));
}

std::int64_t SoughtReader::end_of(const AVFrame& frame) const {
  const std::int64_t duration = frame_duration(frame);
  return frame.best_effort_timestamp + (duration > 0 ? duration : settings_.nominal_duration);
}

ShownPicture SoughtReader::finish(const std::deque<Seen>& seen) const {
  ShownPicture shown;
  shown.sought = true;
  FrameFitter fitter(plane_format(settings_.format, settings_.width, settings_.height).value(),
                     settings_.color.value());
  for (const Seen& one : seen) {
    SourcePicture picture;
    picture.pts = one.frame->best_effort_timestamp;
    picture.duration = end_of(*one.frame) - picture.pts;
    picture.codec_strength = one.strength;
    if (settings_.matrix != AVCOL_SPC_UNSPECIFIED && one.frame->colorspace != AVCOL_SPC_RGB)
      one.frame->colorspace = settings_.matrix;
    picture.planes = fitter.fit(*one.frame);
    if (!settings_.orientation.upright())
      picture.planes = turned(picture.planes, settings_.orientation);
    shown.pictures.push_back(std::move(picture));
  }
  return shown;
}

std::optional<ShownPicture> SoughtReader::read(const std::int64_t from, const std::int64_t time,
                                               const std::size_t most, std::int64_t& first) {
  if (av_seek_frame(&input_.format(), input_.video_index(), from, AVSEEK_FLAG_BACKWARD) < 0)
    return std::nullopt;
  input_.sought();
  std::deque<Seen> last;
  std::size_t count = 0;
  bool followed = false;  // by a picture that is shown later
  while (FramePtr frame = next_progressive()) {
    crop(*frame, settings_.cropping);
    const std::int64_t pts = frame->best_effort_timestamp;
    if (pts == AV_NOPTS_VALUE) return std::nullopt;
    if (last.empty() ? pts > time || pts == first : pts <= last.back().frame->best_effort_timestamp)
      return std::nullopt;
    if (last.empty()) first = pts;
    // Only a decoder from the beginning knows how to say that.
    if (settings_.refuse_resized &&
        (frame->width != settings_.width || frame->height != settings_.height))
      return std::nullopt;
    followed = pts > time;
    if (followed) break;
    ++count;
    const float strength = strength_of(*frame);
    last.push_back({std::move(frame), strength});
    if (last.size() > most) last.pop_front();
  }
  if (refused_ || last.empty()) return std::nullopt;
  const std::int64_t end = followed ? AV_NOPTS_VALUE : end_of(*last.back().frame);
  if (!followed && time >= end) return ShownPicture{{}, end, true};
  if (count + 1 < StrengthMeter::kWindow + most) return std::nullopt;
  ShownPicture shown = finish(last);
  shown.end = end;
  return shown;
}

bool equal(const ShownPicture& a, const ShownPicture& b) {
  return a.end == b.end &&
         std::equal(a.pictures.begin(), a.pictures.end(), b.pictures.begin(), b.pictures.end(),
                    [](const SourcePicture& x, const SourcePicture& y) {
                      return x.pts == y.pts && x.codec_strength == y.codec_strength &&
                             picture_hash(x.planes) == picture_hash(y.planes);
                    });
}

}  // namespace

ShownPicture find_shown_picture(const std::string& path, const DecoderSettings& settings,
                                const std::int64_t time, const int earlier, const StopFlag& stop) {
  const auto most = static_cast<std::size_t>(std::clamp(earlier, 0, Decoder::kWindow)) + 1;
  std::optional<ShownPicture> known;
  std::int64_t first = AV_NOPTS_VALUE;
  for (const int back : kSeekBack) {
    SoughtReader reader(path, settings, stop);
    const AVRational base = reader.stream().time_base;
    const auto ticks = [&](const int seconds) { return av_rescale_q(seconds, {1, 1}, base); };
    const std::int64_t start = reader.stream().start_time;
    if (!settings.unique_times || start == AV_NOPTS_VALUE || time < start + ticks(kNearBeginning))
      break;
    std::optional<ShownPicture> shown = reader.read(time - ticks(back), time, most, first);
    if (!shown) continue;
    if (known && equal(*known, *shown)) return std::move(*known);
    if (known) break;
    known = std::move(shown);
  }
  return from_beginning(path, settings, time, most, stop);
}

}  // namespace streamvsr
