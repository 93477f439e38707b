#include "media/encoder.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "base/cpu.h"
#include "base/numbers.h"
#include "media/color_tags.h"

namespace streamvsr {

namespace {

struct CodecChoice {
  const char* name;
  const char* ffmpeg;
  double crf;  // default; negative: the codec has no such parameter
  RateCurve curve;
};
// CRF defaults: visually lossless for each codec's own scale.
// Curves, over 10 s of animation at 720p: x264 veryfast halves every 4.7 steps from 18 to 28 and
// every 5.9 above, x265 every 4.2 (ultrafast) and 4.6 (fast) from 20 to 29, SVT-AV1 every 9 to 11
// from 20 to 44; at 18, 20 and 25 they take 1 : 0.4 to 0.63 : 0.42.
constexpr CodecChoice kCodecs[] = {{"h264", "libx264", 18.0, {5.0, 51.0, 1.0, true, 46.0}},
                                   {"hevc", "libx265", 20.0, {4.4, 51.0, 0.55, false, 0.0}},
                                   {"av1", "libsvtav1", 25.0, {9.5, 63.0, 0.42, false, 0.0}},
                                   {"ffv1", "ffv1", -1.0, {1.0, 0.0, 1.0, false, 0.0}}};
// SVT-AV1 numbers its presets; those that take about as long as x264's.
constexpr std::pair<const char*, const char*> kSvtPresets[] = {
    {"ultrafast", "12"}, {"superfast", "11"}, {"veryfast", "10"}, {"faster", "9"},
    {"fast", "8"},       {"medium", "7"},     {"slow", "6"},      {"slower", "5"},
    {"veryslow", "4"},   {"placebo", "2"}};
// x265 reorders by this much at most (B frames with a pyramid); FFmpeg does not pass its figure on.
constexpr int kHevcReorderDepth = 2;

const CodecChoice& choice(const std::string& codec) {
  for (const CodecChoice& c : kCodecs)
    if (codec == c.name) return c;
  std::string names;
  for (const CodecChoice& c : kCodecs) names += std::string(names.empty() ? "" : ", ") + c.name;
  throw Error(ErrorKind::kConfig, "unknown video codec '" + codec + "'; choose one of " + names);
}

// A segment is one group of pictures where the encoder sees no cut.
constexpr int kNoKeyFrames = 1 << 16;

// A user's x264-params or x265-params come after ours, so theirs win where both name a key.
std::string joined(std::string ours, const EncoderSettings& settings, const std::string& key) {
  if (const std::string light = light_parameters(settings.codec, settings.light); !light.empty())
    ours += ":" + light;
  const auto it = settings.options.find(key);
  return it == settings.options.end() || it->second.empty() ? ours : ours + ":" + it->second;
}

std::string svt_preset(const std::string& preset) {
  for (const auto& [name, own] : kSvtPresets)
    if (preset == name) return own;
  return preset;
}

// SVT-AV1 writes to stderr by itself; it reads this when the first encoder is made. Set as the
// program is loaded, before a job has threads: setenv() must not run beside a getenv().
[[maybe_unused]] const bool kSvtIsQuiet = ::setenv("SVT_LOG", "0", 0) == 0;

void set_options(Dictionary& options, const EncoderSettings& settings, const CodecChoice& codec) {
  const std::string lookahead = std::to_string(settings.lookahead);
  if (settings.codec == "h264" && settings.lookahead > 0) options.set("rc-lookahead", lookahead);
  for (const auto& [key, value] : settings.options) options.set(key, value);
  const std::string threads = std::to_string(settings.threads);
  if (codec.crf >= 0.0) {
    options.set("crf", number_text(meant_crf(settings.codec, settings.crf)));
    options.set("preset", settings.preset.empty() ? "medium" : settings.preset);
  }
  if (settings.codec == "h264") {
    // stitchable: parameter sets that do not vary with rate control, so one avcC serves every
    // segment. cpu-independent: the same packets on every processor.
    std::string ours = "stitchable=1:cpu-independent=1";
    if (settings.pic_struct) ours += ":pic-struct=1";
    options.set("x264-params", joined(ours, settings, "x264-params"));
  } else if (settings.codec == "hevc") {
    // info: its SEI would make every segment's parameter sets differ. pools: threads as planned,
    // not as found. frame-threads: with more than one x265 3.5 can miss its own wake-up while it is
    // drained (RateControl::rateControlEnd) and wait for ever; the rows of a frame keep the threads
    // at work.
    options.set("x265-params",
                joined("log-level=error:info=0:frame-threads=1:pools=" + threads +
                           (settings.lookahead > 0 ? ":rc-lookahead=" + lookahead : ""),
                       settings, "x265-params"));
  } else if (settings.codec == "av1") {
    options.set("preset", svt_preset(settings.preset.empty() ? "medium" : settings.preset));
    options.set("svtav1-params", joined("lp=" + threads, settings, "svtav1-params"));
    if (settings.options.count("g") == 0) options.set("g", std::to_string(kNoKeyFrames));
  } else {
    if (settings.options.count("level") == 0) options.set("level", "3");
    if (settings.options.count("slicecrc") == 0) options.set("slicecrc", "1");
    if (settings.options.count("g") == 0) options.set("g", "1");
  }
}

}  // namespace

double default_crf(const std::string& codec) { return choice(codec).crf; }

double meant_crf(const std::string& codec, const double crf) {
  return crf >= 0.0 ? crf : default_crf(codec);
}

double whole_crf(const double crf) { return std::round(crf / kCrfStep) * kCrfStep; }

const RateCurve* rate_curve(const std::string& codec) {
  const CodecChoice& c = choice(codec);
  return c.crf >= 0.0 ? &c.curve : nullptr;
}

std::string other_rate_control(const std::map<std::string, std::string>& options) {
  for (const char* const key :
       {"b", "minrate", "maxrate", "bufsize", "qp", "crf", "global_quality"})
    if (options.count(key) > 0) return key;
  for (const char* const list : {"x264-params", "x265-params", "svtav1-params", "x264opts"}) {
    const auto it = options.find(list);
    if (it == options.end()) continue;
    for (const char* const key :
         {"bitrate", "vbv-", "qp=", "crf", "rc=", "tbr", "pass", "lossless"})
      if ((":" + it->second).find(std::string(":") + key) != std::string::npos)
        return std::string(list) + "=" + it->second;
  }
  return {};
}

const AVCodec& find_encoder(const std::string& codec) {
  const CodecChoice& c = choice(codec);
  const AVCodec* const encoder = avcodec_find_encoder_by_name(c.ffmpeg);
  if (encoder == nullptr)
    throw Error(ErrorKind::kConfig, "video codec '" + codec +
                                        "': this FFmpeg was built without the encoder " + c.ffmpeg);
  return *encoder;
}

AVPixelFormat choose_pixel_format(const std::string& codec, const AVPixelFormat source,
                                  const std::string& asked) {
  const AVPixelFormat* const formats = encoder_formats(find_encoder(codec));
  if (asked.empty()) {
    // Among the encoder's formats only those that are planes of ours: the others would need a
    // repacking.
    std::vector<AVPixelFormat> planar;
    for (const AVPixelFormat* f = formats; f != nullptr && *f != AV_PIX_FMT_NONE; ++f) {
      const std::string name = av_get_pix_fmt_name(*f);
      if (name.rfind("yuvj", 0) != 0 && (name.rfind("yuv4", 0) == 0 || name.rfind("gray", 0) == 0))
        planar.push_back(*f);
    }
    if (std::find(planar.begin(), planar.end(), source) != planar.end()) return source;
    planar.push_back(AV_PIX_FMT_NONE);
    return avcodec_find_best_pix_fmt_of_list(planar.data(), source, 0, nullptr);
  }
  const AVPixelFormat format = av_get_pix_fmt(asked.c_str());
  std::string names;
  for (const AVPixelFormat* f = formats; f != nullptr && *f != AV_PIX_FMT_NONE; ++f) {
    if (*f == format) return format;
    const std::string name = av_get_pix_fmt_name(*f);
    if (name.rfind("yuv4", 0) == 0 || name.rfind("gray", 0) == 0)
      names += (names.empty() ? "" : ", ") + name;
  }
  throw Error(ErrorKind::kConfig, "pixel format '" + asked + "' is not one that " + codec +
                                      " encodes; choose one of " + names);
}

Encoder::Encoder(const EncoderSettings& settings) : log_(std::make_unique<LogSink>()) {
  const PlainNumbers plain;
  install_log_routing();
  const CodecChoice& c = choice(settings.codec);
  const AVCodec& encoder = find_encoder(settings.codec);
  if (c.crf < 0.0 && (settings.crf >= 0.0 || !settings.preset.empty()))
    throw Error(ErrorKind::kConfig,
                settings.codec + " is lossless: it has neither crf nor preset; leave them out");
  codec_.reset(avcodec_alloc_context3(&encoder));
  if (!codec_) throw std::bad_alloc();
  AVCodecContext& e = *codec_;
  e.opaque = log_.get();
  e.width = settings.width;
  e.height = settings.height;
  e.pix_fmt = settings.format;
  e.time_base = settings.time_base;
  e.framerate = settings.frame_rate;
  e.sample_aspect_ratio = settings.sample_aspect_ratio;
  e.color_range = settings.range;
  e.colorspace = settings.space;
  e.color_trc = settings.transfer;
  if (encoder_knows_primaries(settings.codec, settings.primaries))
    e.color_primaries = settings.primaries;
  else
    written_primaries_ = settings.primaries;
  e.chroma_sample_location = settings.chroma_location;
  e.field_order = AV_FIELD_PROGRESSIVE;
  e.thread_count = settings.threads;
  e.flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_CLOSED_GOP;
  e.bits_per_raw_sample = av_pix_fmt_desc_get(settings.format)->comp[0].depth;
  Dictionary options;
  set_options(options, settings, c);
  const LogSink::Scope scope(*log_);
  const NoRealTime no_real_time;  // SVT-AV1 makes its threads so where it is root
  const int result = avcodec_open2(&e, &encoder, options.raw());
  if (result < 0) {
    const std::string words = log_->last_words();
    throw Error(ErrorKind::kConfig,
                settings.codec + " cannot encode " + std::to_string(settings.width) + "x" +
                    std::to_string(settings.height) + " " + av_get_pix_fmt_name(settings.format) +
                    " with these settings: " + (words.empty() ? av_text(result) : words));
  }
  if (const std::string left = options.first_left(); !left.empty())
    throw Error(ErrorKind::kConfig, "encoder option '" + left + "' is not known to " + c.ffmpeg +
                                        "; `ffmpeg -h encoder=" + c.ffmpeg +
                                        "` lists those that are");
  // An encoder may note a bad x264-params or x265-params entry, and go on without it.
  if (log_->errors() > 0)
    throw Error(ErrorKind::kConfig, settings.codec + ": " + log_->last_words());
}

Encoder::~Encoder() {
  // SVT-AV1 1.4 never returns from closing where it was given no picture.
  if (given_ || codec_->codec_id != AV_CODEC_ID_AV1) return;
  const FramePtr blank(av_frame_alloc());
  if (!blank) return;
  blank->format = codec_->pix_fmt;
  blank->width = codec_->width;
  blank->height = codec_->height;
  blank->pts = 0;
  if (av_frame_get_buffer(blank.get(), 0) < 0) return;
  for (int p = 0; p < AV_NUM_DATA_POINTERS && blank->buf[p] != nullptr; ++p)
    std::fill_n(blank->buf[p]->data, blank->buf[p]->size, std::uint8_t{0});
  avcodec_send_frame(codec_.get(), blank.get());
}

void Encoder::send(const AVFrame* const frame) {
  given_ = given_ || frame != nullptr;
  const LogSink::Scope scope(*log_);
  check(avcodec_send_frame(codec_.get(), frame), "encode with", codec_->codec->name,
        ErrorKind::kInternal, log_.get());
}

void Encoder::set_crf(const double crf) {
  check(av_opt_set_double(codec_->priv_data, "crf", crf, 0), "set the quality of",
        codec_->codec->name, ErrorKind::kInternal, log_.get());
}

bool Encoder::receive(AVPacket& packet) {
  const LogSink::Scope scope(*log_);
  const int result = avcodec_receive_packet(codec_.get(), &packet);
  if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return false;
  check(result, "encode with", codec_->codec->name, ErrorKind::kInternal, log_.get());
  return true;
}

std::int64_t Encoder::receive_all(std::vector<PacketPtr>& packets) {
  std::int64_t bytes = 0;
  for (PacketPtr packet = make_packet(); receive(*packet); packet = make_packet()) {
    bytes += packet->size;
    packets.push_back(std::move(packet));
  }
  return bytes;
}

int Encoder::reorder_depth() const {
  return codec_->codec_id == AV_CODEC_ID_HEVC ? std::max(codec_->has_b_frames, kHevcReorderDepth)
                                              : codec_->has_b_frames;
}

ParametersPtr Encoder::parameters() const {
  ParametersPtr parameters(avcodec_parameters_alloc());
  if (!parameters || avcodec_parameters_from_context(parameters.get(), codec_.get()) < 0)
    throw std::bad_alloc();
  if (written_primaries_) set_primaries(parameters, *written_primaries_);
  return parameters;
}

}  // namespace streamvsr
