// From pictures to packets: one encoder per segment, all of them with the same parameters.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "media/av.h"
#include "media/light.h"

namespace streamvsr {

// Everything that decides the packets. Frozen by the plan: the same settings give the same bytes.
struct EncoderSettings {
  std::string codec = "h264";  // h264, hevc, av1, ffv1
  double crf = -1.0;           // quality; negative: the codec's default below; not for ffv1
  std::string preset;  // x264's names, for av1 SVT-AV1's numbers too; empty: medium; not for ffv1
  std::map<std::string, std::string> options;  // FFmpeg's names of further options
  int threads = 1;    // >= 1; part of the result: other counts give other packets
  int lookahead = 0;  // frames, of the rate control; 0: the preset's. A user's option wins.
  AVPixelFormat format = AV_PIX_FMT_NONE;
  int width = 0, height = 0;
  AVRational time_base{1, 25};   // of the pts given
  AVRational frame_rate{25, 1};  // mean, for rate control and headers
  AVRational sample_aspect_ratio{0, 1};
  AVColorRange range = AVCOL_RANGE_UNSPECIFIED;
  AVColorSpace space = AVCOL_SPC_UNSPECIFIED;
  AVColorTransferCharacteristic transfer = AVCOL_TRC_UNSPECIFIED;
  AVColorPrimaries primaries = AVCOL_PRI_UNSPECIFIED;
  AVChromaLocation chroma_location = AVCHROMA_LOC_UNSPECIFIED;
  LightMetadata light;
  bool pic_struct = false;  // h264: every packet has room for one; see telecine.h
};

// FFmpeg's encoder behind a name of ours. Throws kConfig for an unknown name or one this FFmpeg
// lacks.
const AVCodec& find_encoder(const std::string& codec);

// The crf that a codec has where none is asked for; negative for a lossless one.
double default_crf(const std::string& codec);
// What a crf of a configuration stands for: itself, or where it is negative the default.
double meant_crf(const std::string& codec, double crf);

// The nearest of the crf that are told apart: what a few bits of rounding cannot move.
constexpr double kCrfStep = 1.0 / 16.0;
double whole_crf(double crf);

// How an encoder's bytes follow its crf.
struct RateCurve {
  double halved_by;  // steps of crf, roughly
  double most;       // the largest crf
  double relative;   // bytes at the default crf, h264's being 1
  bool steerable;    // the crf may be changed from frame to frame
  double blind;      // frames that it looks ahead by, usually; where steerable
};
// Null for a lossless codec.
const RateCurve* rate_curve(const std::string& codec);
// The first of the user's options that would set another rate control than crf; empty: none does.
std::string other_rate_control(const std::map<std::string, std::string>& options);

// The encoder's format that keeps most of a source format, or the one asked for by name.
// Throws kConfig for a name that is unknown or not taken, listing those that are.
AVPixelFormat choose_pixel_format(const std::string& codec, AVPixelFormat source,
                                  const std::string& asked);

// Purpose: encodes the pictures of one segment, the first as a key frame, and drains at its end.
// Constructed means open. Thread-safety: none. Timestamps of packets but pts mean nothing (dts are
// assigned later).
class Encoder {
 public:
  // Throws kConfig where the encoder refuses the settings, with its own words.
  explicit Encoder(const EncoderSettings& settings);
  ~Encoder();
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  // Frames in pts order; null drains: receive() then gives all that is left.
  void send(const AVFrame* frame);
  // For the next frames given; of a codec whose RateCurve is steerable.
  void set_crf(double crf);
  // The next finished packet; false when it wants more frames or is drained.
  bool receive(AVPacket& packet);
  // Appends all packets that are finished; returns their bytes.
  std::int64_t receive_all(std::vector<PacketPtr>& packets);

  // How many frames a packet may come ahead of its turn (reorder depth); also of every other
  // encoder with these settings.
  int reorder_depth() const;
  // Parameters for the muxer: with extradata, equal for all encoders with these settings.
  ParametersPtr parameters() const;

 private:
  std::unique_ptr<LogSink> log_;
  CodecPtr codec_;
  bool given_ = false;  // a picture
  // That the encoder cannot be told: see set_primaries().
  std::optional<AVColorPrimaries> written_primaries_;
};

}  // namespace streamvsr
