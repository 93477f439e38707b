// The one header through which the project sees FFmpeg: every handle as a unique_ptr of one
// pointer's size, every call checked, every difference between the supported versions (FFmpeg 5.1
// to 8) bridged here.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <libavutil/avutil.h>
#include <libavutil/channel_layout.h>
#include <libavutil/cpu.h>
#include <libavutil/display.h>
#include <libavutil/dovi_meta.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libavutil/stereo3d.h>
#include <libavutil/video_enc_params.h>
#include <libswscale/swscale.h>
}

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/mutex.h"

namespace streamvsr {

template <auto Fn>
struct FreeByRef {  // for FFmpeg's free(T**)
  template <class T>
  void operator()(T* p) const {
    Fn(&p);
  }
};
template <auto Fn>
struct FreeBy {  // for free(T*)
  template <class T>
  void operator()(T* p) const {
    Fn(p);
  }
};

using PacketPtr = std::unique_ptr<AVPacket, FreeByRef<av_packet_free>>;
using FramePtr = std::unique_ptr<AVFrame, FreeByRef<av_frame_free>>;
using CodecPtr = std::unique_ptr<AVCodecContext, FreeByRef<avcodec_free_context>>;
using ParametersPtr = std::unique_ptr<AVCodecParameters, FreeByRef<avcodec_parameters_free>>;
using InputPtr = std::unique_ptr<AVFormatContext, FreeByRef<avformat_close_input>>;
using MuxerPtr = std::unique_ptr<AVFormatContext, FreeBy<avformat_free_context>>;
using BsfPtr = std::unique_ptr<AVBSFContext, FreeByRef<av_bsf_free>>;
using ScalerPtr = std::unique_ptr<SwsContext, FreeBy<sws_freeContext>>;
using SubtitlePtr = std::unique_ptr<AVSubtitle, FreeBy<avsubtitle_free>>;

PacketPtr make_packet();
FramePtr make_frame();
// Replaces a codec's header by a copy, padded as FFmpeg wants it.
void set_extradata(AVCodecParameters& parameters, std::span<const std::uint8_t> data);

// Purpose: keeps FFmpeg's own words for error messages. FFmpeg logs through one global callback,
// called from codec threads too: lines are routed by the `opaque` of the codec or format context
// they come from and, where there is none, by the sink that the calling thread has put in place.
// Thread-safety: all calls, from any thread.
class LogSink {
 public:
  LogSink();
  ~LogSink();
  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;

  // Takes a line of AV_LOG_ERROR or worse.
  void error(std::string_view line);
  // The last such line; empty when there was none.
  std::string last_words() const;
  // Lines so far.
  int errors() const { return errors_.load(std::memory_order_acquire); }

  // Routes the lines of FFmpeg calls made by this thread to a sink for a scope.
  class Scope {
   public:
    explicit Scope(LogSink& sink);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    LogSink* previous_;
  };

 private:
  mutable Mutex mutex_;
  std::string last_ GUARDED_BY(mutex_);
  std::atomic<int> errors_{0};
};

// Installs the routing callback; repeated calls do nothing.
void install_log_routing();

// FFmpeg's text for a return code.
std::string av_text(int code);

// Passes a result on, or throws: "cannot <doing> '<what>': <FFmpeg's text> (<its last words>)".
int check(int result, std::string_view doing, const std::string& what,
          ErrorKind kind = ErrorKind::kInput, const LogSink* log = nullptr);

// A dictionary built for one call.
class Dictionary {
 public:
  Dictionary() = default;
  ~Dictionary() { av_dict_free(&entries_); }
  Dictionary(const Dictionary&) = delete;
  Dictionary& operator=(const Dictionary&) = delete;

  void set(const std::string& key, const std::string& value) {
    av_dict_set(&entries_, key.c_str(), value.c_str(), 0);
  }
  AVDictionary** raw() { return &entries_; }
  // The first key left over after a call that takes what it knows; empty when all were taken.
  std::string first_left() const;

 private:
  AVDictionary* entries_ = nullptr;
};

// The release that this program runs with ("5.1.9-0+deb12u1").
std::string ffmpeg_version();
// The processor's features by which FFmpeg's codecs choose their code paths, in hexadecimal.
std::string processor_features();

std::map<std::string, std::string> to_map(const AVDictionary* dictionary);

// Fields that moved or were born between FFmpeg 5.1 and 8.
std::int64_t frame_duration(const AVFrame& frame);
void set_frame_duration(AVFrame& frame, std::int64_t duration);
bool frame_is_corrupt(const AVFrame& frame);
bool frame_is_interlaced(const AVFrame& frame);
bool frame_shows_top_first(const AVFrame& frame);
void mark_plain_frame(AVFrame& frame);  // progressive, picture type left to the encoder
int channel_count(const AVCodecParameters& parameters);
// Side data of a whole stream; empty without any of the type.
std::span<const std::uint8_t> stream_side_data(const AVStream& stream, AVPacketSideDataType type);
void add_stream_side_data(AVStream& stream, AVPacketSideDataType type,
                          std::span<const std::uint8_t> data);
// Copies what describes the whole stream (rotation, mastering display, content light, ...).
void copy_stream_side_data(const AVStream& from, AVStream& to);
// Nine numbers of 16.16 and 2.30 bits (libavutil/display.h); null without them.
const std::int32_t* display_matrix(const AVStream& stream);
// Counter-clockwise rotation in degrees from the display matrix; 0 without one.
double stream_rotation(const AVStream& stream);
// Samples at the top, bottom, left and right that a container does not show, where FFmpeg tells
// them: from 7.1 on.
std::optional<std::array<std::uint32_t, 4>> stream_cropping(const AVStream& stream);
// Pixel formats an encoder takes; terminated by AV_PIX_FMT_NONE; null when it takes any.
const AVPixelFormat* encoder_formats(const AVCodec& codec);

}  // namespace streamvsr
