#include "media/encoder.h"

#include <algorithm>

namespace streamvsr {

namespace {

struct CodecChoice {
  const char* name;
  const char* ffmpeg;
  double crf;  // default; negative: the codec has no such parameter
};
// CRF defaults: visually lossless for each codec's own scale.
constexpr CodecChoice kCodecs[] = {
    {"h264", "libx264", 18.0}, {"hevc", "libx265", 20.0}, {"ffv1", "ffv1", -1.0}};
// x265 reorders by this much at most (B frames with a pyramid); FFmpeg does not pass its figure on.
constexpr int kHevcReorderDepth = 2;

const CodecChoice& choice(const std::string& codec) {
  for (const CodecChoice& c : kCodecs)
    if (codec == c.name) return c;
  std::string names;
  for (const CodecChoice& c : kCodecs) names += std::string(names.empty() ? "" : ", ") + c.name;
  throw Error(ErrorKind::kConfig, "unknown video codec '" + codec + "'; choose one of " + names);
}

// A user's x264-params or x265-params come after ours, so theirs win where both name a key.
std::string joined(const std::string& ours, const EncoderSettings& settings,
                   const std::string& key) {
  const auto it = settings.options.find(key);
  return it == settings.options.end() || it->second.empty() ? ours : ours + ":" + it->second;
}

std::string number(const double value) {
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  if (!text.empty() && (text.back() == '.' || text.back() == ',')) text.pop_back();
  return text;
}

void set_options(Dictionary& options, const EncoderSettings& settings, const CodecChoice& codec) {
  const std::string lookahead = std::to_string(settings.lookahead);
  if (settings.codec == "h264" && settings.lookahead > 0) options.set("rc-lookahead", lookahead);
  for (const auto& [key, value] : settings.options) options.set(key, value);
  const std::string threads = std::to_string(settings.threads);
  if (codec.crf >= 0.0) {
    options.set("crf", number(settings.crf >= 0.0 ? settings.crf : codec.crf));
    options.set("preset", settings.preset.empty() ? "medium" : settings.preset);
  }
  if (settings.codec == "h264") {
    // stitchable: parameter sets that do not vary with rate control, so one avcC serves every
    // segment. cpu-independent: the same packets on every processor.
    options.set("x264-params", joined("stitchable=1:cpu-independent=1", settings, "x264-params"));
  } else if (settings.codec == "hevc") {
    // info: its SEI would make every segment's parameter sets differ. pools: threads as planned,
    // not as found.
    options.set("x265-params",
                joined("log-level=error:info=0:pools=" + threads +
                           (settings.lookahead > 0 ? ":rc-lookahead=" + lookahead : ""),
                       settings, "x265-params"));
  } else {
    if (settings.options.count("level") == 0) options.set("level", "3");
    if (settings.options.count("slicecrc") == 0) options.set("slicecrc", "1");
    if (settings.options.count("g") == 0) options.set("g", "1");
  }
}

}  // namespace

double default_crf(const std::string& codec) { return choice(codec).crf; }

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
  e.color_primaries = settings.primaries;
  e.chroma_sample_location = settings.chroma_location;
  e.field_order = AV_FIELD_PROGRESSIVE;
  e.thread_count = settings.threads;
  e.flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_CLOSED_GOP;
  e.bits_per_raw_sample = av_pix_fmt_desc_get(settings.format)->comp[0].depth;
  Dictionary options;
  set_options(options, settings, c);
  const LogSink::Scope scope(*log_);
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

void Encoder::send(const AVFrame* const frame) {
  const LogSink::Scope scope(*log_);
  check(avcodec_send_frame(codec_.get(), frame), "encode with", codec_->codec->name,
        ErrorKind::kInternal, log_.get());
}

bool Encoder::receive(AVPacket& packet) {
  const LogSink::Scope scope(*log_);
  const int result = avcodec_receive_packet(codec_.get(), &packet);
  if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return false;
  check(result, "encode with", codec_->codec->name, ErrorKind::kInternal, log_.get());
  return true;
}

int Encoder::reorder_depth() const {
  return codec_->codec_id == AV_CODEC_ID_HEVC ? std::max(codec_->has_b_frames, kHevcReorderDepth)
                                              : codec_->has_b_frames;
}

ParametersPtr Encoder::parameters() const {
  ParametersPtr parameters(avcodec_parameters_alloc());
  if (!parameters || avcodec_parameters_from_context(parameters.get(), codec_.get()) < 0)
    throw std::bad_alloc();
  return parameters;
}

}  // namespace streamvsr
