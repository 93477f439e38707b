// From a file to pictures: demux, decode, normalise, repeat exactly.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/stop.h"
#include "color/orientation.h"
#include "media/codec_strength.h"
#include "media/color_tags.h"
#include "media/cropping.h"
#include "media/deinterlacer.h"
#include "media/input.h"
#include "media/last_picture.h"
#include "media/messages.h"
#include "media/picture.h"
#include "media/picture_bytes.h"

namespace streamvsr {

// One decoded picture of the enhanced stream.
struct SourcePicture {
  Planes planes;                // in the stream's own depth, as DecoderSettings::format says
  std::int64_t index = 0;       // 0-based, in presentation order
  std::int64_t pts = 0;         // ticks of the stream's time base; strictly increasing
  std::int64_t duration = 0;    // ticks; > 0
  float codec_strength = 0.0F;  // docs/network-format.md
  int pic_struct = 0;           // fields that are shown again: see telecine.h
  bool last = false;            // of the film, as far as that is known before
  PictureMessages messages;
};

// What becomes of interlaced frames.
enum class Interlaced {
  kDeinterlace,  // one progressive picture each: see deinterlacer.h
  kKeep,         // handed out as if they were progressive
  kRefuse,       // an error
};

struct DecoderSettings {
  int threads = 1;  // >= 1
  AVPixelFormat format =
      AV_PIX_FMT_NONE;        // of the planes before they are turned; NONE: nearest to the first's
  int width = 0, height = 0;  // of the same; 0: the first frame's
  Cropping cropping;          // of every frame, once it is progressive
  Orientation orientation;    // that they are turned to
  // Of the planes handed out; nothing: the first frame's, resolved().
  std::optional<ColorDescription> color;
  double bits_per_pixel = 0.0;        // the stream's mean, for the codec strength
  std::int64_t nominal_duration = 1;  // ticks; used where the stream says nothing
  std::optional<LastPicture> last;    // of the film; nothing: not known before
  bool field_packets = false;         // some pictures come in two packets: see field_pairs.h
  std::size_t most_bytes = 0;         // that it may hold: see decoder_memory.h; 0: no limit
  std::size_t beside_bytes = 0;       // that the rest of the job takes at most
  AVColorSpace matrix =
      AVCOL_SPC_UNSPECIFIED;  // of the source, whatever it tells; else as it tells
  Interlaced interlaced = Interlaced::kKeep;
  bool refuse_resized = false;  // a picture of another size is an error; else it is scaled
  bool unique_times = false;    // no two packets have the same: a place is known by its time
};

// The place behind a picture, as another decoder can find it again: times, and a fingerprint of the
// last pictures up to it.
struct SourceMark {
  std::int64_t delivered = 0;                // pictures up to the marked one, that one included
  std::int64_t last_pts = AV_NOPTS_VALUE;    // of the marked one, after repairs
  std::int64_t pts_offset = 0;               // of the repairs
  std::int64_t window_pts = AV_NOPTS_VALUE;  // of the first fingerprinted picture, unrepaired
  std::int64_t window = 0;                   // pictures in the fingerprint
  std::string fingerprint;                   // of samples and unrepaired times
  std::int64_t damaged = 0;                  // as Decoder::damaged()
  std::int64_t resized = 0;                  // as Decoder::resized()

  bool operator==(const SourceMark&) const = default;
};

// Purpose: hands out every picture the stream holds, the last ones included. Thread-safety: none.
//
// Note [damage]: a decoder with frame threads conceals an error differently on every run, one with
// slice threads otherwise than one without; and when an error is noticed is a matter of chance. So
// pictures are held back until the next ones (as many as the codec reorders by, since those may
// refer to a damaged one) came without an error; at the first error the file is decoded again from
// its beginning with one thread, past the pictures handed out, and stays with one thread: what
// comes out is what one thread alone gives. Codecs that export their quantisers are decoded by one
// thread: with frame threads those of H.264 are racy, and VP9's decoder was seen to crash; with
// slice threads H.264's errors go unnoticed.
//
// Note [going on]: resume() seeks to a key frame before the marked place and proves that it found
// it: the last kWindow pictures must come out with the same samples and times and without an error.
// Where that fails, where damage was met before the mark, or where times repeat (joined broadcasts:
// the same pictures may, too), the file is decoded from its beginning. So it is at the first error
// after a seek: what is missing then (a long-term reference) may lie before the key frame.
class Decoder {
 public:
  static constexpr int kWindow = 16;  // pictures; also the farthest look-back

  // stop: looked at between packets; must outlive this.
  Decoder(const std::string& path, const DecoderSettings& settings, const StopFlag& stop = never());

  // The next picture, or nothing at the end. fingerprinted: it counts towards the next mark();
  // whoever wants one asks for it kWindow pictures ahead.
  std::optional<SourcePicture> next(bool fingerprinted = false);
  // The place behind the last picture.
  SourceMark mark() const;
  // Goes to a mark of an earlier decoder; the first call on this one. Returns the last `keep`
  // (<= kWindow) pictures before it. Throws kInput when the source's pictures are others, and
  // kResume when only their repaired times or their sizes are.
  std::vector<SourcePicture> resume(const SourceMark& mark, int keep);

  // Pictures that arrived with an error, and packets that gave none.
  std::int64_t damaged() const { return damaged_; }
  // Pictures that came in another size and were scaled to the first one's.
  std::int64_t resized() const { return resized_; }
  // Whether any frame was interlaced.
  bool met_interlaced() const { return met_interlaced_; }
  // FFmpeg's last words on the damage; empty without any.
  const std::string& damage_words() const { return words_; }
  // With all that the first frame decided; valid after the first next().
  const DecoderSettings& settings() const { return settings_; }
  // Of the planes handed out; the same.
  const PlaneFormat& planes() const { return plane_format_; }
  std::int64_t bytes_read() const;
  // Colour tags of the first picture that cannot be true and were ignored.
  const DroppedTags& dropped_tags() const { return dropped_tags_; }
  // The first decoded frame's description (format, colour, aspect; no samples), for the plan; null
  // before the first next().
  const AVFrame* first_frame() const { return first_frame_.get(); }
  bool first_has_alpha() const { return first_has_alpha_; }

 private:
  static const StopFlag& never();
  void open(int threads);
  void restart(int threads);  // as if newly made
  bool seek_to(const SourceMark& mark, std::int64_t target, std::size_t keep,
               std::vector<SourcePicture>& kept);
  bool repaired_as(const SourceMark& mark) const;
  FramePtr decode();  // the next frame in presentation order; null at the end
  bool feed();        // one packet more into the decoder; false when there is none
  int errors() const;
  FramePtr next_sound();  // the same without frames that an error may have touched
  FramePtr next_progressive();
  void look_at_fields(const AVFrame& frame);
  void reopen_single();
  SourcePicture finish(FramePtr frame);
  void check_size(AVPixelFormat format, int width, int height);

  std::string path_;
  DecoderSettings settings_;
  const StopFlag& stop_;
  PlaneFormat plane_format_;
  std::unique_ptr<LogSink> codec_log_;  // outlives the codec that points to it
  std::unique_ptr<Input> input_;
  CodecPtr codec_;
  PacketPtr packet_ = make_packet();
  bool packet_pending_ = false;
  bool flushed_ = false;
  bool parallel_ = false;  // more than one thread: see Note [damage]
  bool sought_ = false;    // since it was opened: see Note [going on]
  int return_errors_ = 0;  // packets or frames refused since the last open()
  std::deque<FramePtr> held_;
  FramePtr put_back_;                           // handed out next, before any other
  std::unique_ptr<Deinterlacer> deinterlacer_;  // since the first interlaced frame
  FramePtr waiting_;                            // for the deinterlacer to drain
  bool drained_ = false;
  std::optional<PictureBytes> picture_bytes_;
  std::int64_t delivered_ = 0;
  std::int64_t raw_pts_ = AV_NOPTS_VALUE;  // of the last frame handed out, before repairs
  struct Printed {
    std::int64_t raw_pts;
    std::string hash;
  };
  std::deque<Printed> printed_;             // of the last pictures asked for so, <= kWindow
  std::int64_t last_pts_ = AV_NOPTS_VALUE;  // after repairs
  std::int64_t pts_offset_ = 0;             // re-basing after a jump back
  std::int64_t damaged_ = 0;
  std::int64_t resized_ = 0;
  bool met_interlaced_ = false;
  int checked_width_ = 0, checked_height_ = 0;  // a size that is known to fit into most_bytes
  std::string words_;
  std::int64_t earlier_bytes_ = 0;  // read by demuxers that were reopened
  std::optional<StrengthMeter> strength_;
  std::optional<FrameFitter> fitter_;
  FramePtr first_frame_;
  DroppedTags dropped_tags_;
  bool first_has_alpha_ = false;
};

}  // namespace streamvsr
