#include "media/encoder_memory.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string_view>

#include "media/picture.h"

namespace streamvsr {

namespace {

using Options = std::map<std::string, std::string, std::less<>>;

struct Preset {
  const char* name;
  int lookahead, b_frames, references;
};
constexpr Preset kX264[] = {{"ultrafast", 0, 0, 1}, {"superfast", 0, 3, 1}, {"veryfast", 10, 3, 1},
                            {"faster", 20, 3, 2},   {"fast", 30, 3, 2},     {"medium", 40, 3, 3},
                            {"slow", 50, 3, 5},     {"slower", 60, 3, 8},   {"veryslow", 60, 8, 16},
                            {"placebo", 60, 16, 16}};
constexpr Preset kX265[] = {{"ultrafast", 5, 3, 1}, {"superfast", 10, 3, 1}, {"veryfast", 15, 4, 2},
                            {"faster", 15, 4, 2},   {"fast", 15, 4, 3},      {"medium", 20, 4, 3},
                            {"slow", 25, 4, 4},     {"slower", 40, 8, 5},    {"veryslow", 40, 8, 5},
                            {"placebo", 60, 8, 5}};
// Below this the rate control of either has little left to go by.
constexpr int kLeastLookahead = 5;
constexpr int kMostReferences = 16;
constexpr int kMostFrameThreads = 16;  // x265's own bound

template <std::size_t count>
const Preset& preset_of(const Preset (&presets)[count], std::string_view name) {
  for (const Preset& p : presets)
    if (name == p.name) return p;
  // FFmpeg takes numbers, too.
  char* end = nullptr;
  const std::string text(name);
  const long number = std::strtol(text.c_str(), &end, 10);
  if (!text.empty() && *end == 0)
    return presets[static_cast<std::size_t>(std::clamp<long>(number, 0, count - 1))];
  return preset_of(presets, "medium");
}

void add_parameters(std::string_view text, Options& into) {
  while (!text.empty()) {
    const std::string_view entry = text.substr(0, text.find(':'));
    text.remove_prefix(std::min(text.size(), entry.size() + 1));
    const std::size_t equals = entry.find('=');
    const std::string_view value = equals == entry.npos ? "1" : entry.substr(equals + 1);
    into[std::string(entry.substr(0, equals))] = value;
  }
}

// Takes an option's number over; false where there is none.
bool take(const Options& options, std::string_view key, int& value) {
  const auto it = options.find(key);
  if (it == options.end()) return false;
  char* end = nullptr;
  const long number = std::strtol(it->second.c_str(), &end, 10);
  if (end == it->second.c_str() || number < 0) return false;
  value = static_cast<int>(std::min<long>(number, 1000));
  return true;
}

std::string_view text_of(const Options& options, std::string_view key) {
  const auto it = options.find(key);
  return it == options.end() ? std::string_view() : std::string_view(it->second);
}

bool is_off(const Options& options, std::string_view key) {
  int value = 1;
  return take(options, key, value) && value == 0;
}

struct Known {
  Options options;     // FFmpeg's, then those of x264-params or x265-params
  Options parameters;  // of these alone
};

Known known_options(const EncoderSettings& settings) {
  Known known;
  known.options.insert(settings.options.begin(), settings.options.end());
  const bool avc = settings.codec == "h264";
  for (const char* const key : {avc ? "x264opts" : "", avc ? "x264-params" : "x265-params"})
    add_parameters(text_of(known.options, key), known.parameters);
  return known;
}

EncoderLoad x264_load(const EncoderSettings& settings, const Known& known) {
  const auto& [options, parameters] = known;
  EncoderLoad load;
  const Preset& preset = preset_of(kX264, settings.preset);
  load.lookahead = preset.lookahead;
  load.b_frames = preset.b_frames;
  load.references = preset.references;
  load.threads = settings.threads;
  const std::string_view tune = text_of(options, "tune");
  if (tune.find("animation") != tune.npos) {
    if (load.references > 1) load.references *= 2;
    load.b_frames += 2;
  }
  if (tune.find("zerolatency") != tune.npos) load.lookahead = load.b_frames = 0;
  if (settings.lookahead > 0) load.lookahead = settings.lookahead;
  for (const char* const key : {"refs", "bf"})
    take(options, key, *key == 'r' ? load.references : load.b_frames);
  for (const char* const key : {"ref", "frameref"}) take(parameters, key, load.references);
  take(parameters, "bframes", load.b_frames);
  for (const Options* const from : {&options, &parameters}) {
    load.lookahead_given = take(*from, "rc-lookahead", load.lookahead) || load.lookahead_given;
    load.threads_given = take(*from, "threads", load.threads) || load.threads_given;
  }
  int adapt = preset.references >= 8 ? 2 : 1;
  take(options, "b_strategy", adapt);
  take(parameters, "b-adapt", adapt);
  load.reorder_search = adapt == 2 ? 4 * std::max(load.b_frames, 3) : load.b_frames;
  // Only the tree over macroblocks, or a buffer model, looks that far.
  if ((is_off(options, "mbtree") || is_off(parameters, "mbtree") ||
       parameters.count("no-mbtree") > 0) &&
      options.count("bufsize") == 0 && parameters.count("vbv-bufsize") == 0)
    load.lookahead = 0;
  load.least_lookahead = std::min(load.lookahead, kLeastLookahead);
  return load;
}

EncoderLoad x265_load(const EncoderSettings& settings, const Known& known) {
  const auto& [options, parameters] = known;
  EncoderLoad load;
  const Preset& preset = preset_of(kX265, settings.preset);
  load.lookahead = preset.lookahead;
  load.b_frames = preset.b_frames;
  load.references = preset.references;
  load.threads = settings.threads;
  const std::string_view tune = text_of(options, "tune");
  if (tune.find("animation") != tune.npos) load.b_frames += 2;
  if (tune.find("zero") != tune.npos) load.lookahead = load.b_frames = 0;
  if (settings.lookahead > 0) load.lookahead = settings.lookahead;
  take(options, "refs", load.references);
  take(options, "bf", load.b_frames);
  take(parameters, "ref", load.references);
  take(parameters, "bframes", load.b_frames);
  load.lookahead_given = take(parameters, "rc-lookahead", load.lookahead);
  load.threads_given = take(options, "threads", load.threads);
  if (int threads = 0; take(parameters, "pools", threads)) {
    load.threads = std::max(load.threads, threads);
    load.threads_given = true;
  }
  take(parameters, "frame-threads", load.frame_threads);
  if (load.frame_threads == 0) load.frame_threads = load.threads;  // as many as it likes
  // It wants to see one frame more than it may turn into B frames.
  load.least_lookahead = std::min(load.lookahead, std::max(kLeastLookahead, load.b_frames + 1));
  return load;
}

struct Size {
  std::size_t width, height;  // rounded up to whole blocks
  std::size_t padded(const std::size_t beside, const std::size_t above) const {
    return (width + beside) * (height + above);
  }
  std::size_t pixels() const { return width * height; }
};

Size rounded(const EncoderSettings& s, const int block) {
  const auto up = [&](const int n) {
    return static_cast<std::size_t>((n + block - 1) / block * block);
  };
  return {up(s.width), up(s.height)};
}

// Samples of all planes for each of the first.
double planes_per_luma(const PlaneFormat& format) {
  if (format.plane_count == 1) return 1.0;
  return 1.0 + 2.0 / static_cast<double>(1 << (format.log2_sub_x + format.log2_sub_y));
}

std::size_t count(const int n) { return static_cast<std::size_t>(std::max(0, n)); }

// x264: a frame to be encoded has its planes, four or five planes of half size for the look-ahead,
// and costs and vectors for every macroblock and distance of B frames. A reference has its luma at
// four phases (all planes in 4:4:4), and the vectors of its macroblocks.
std::size_t x264_bytes(const EncoderSettings& settings, const EncoderLoad& load,
                       const PlaneFormat& format) {
  const Size size = rounded(settings, 16);
  const std::size_t macroblocks = size.pixels() / 256;
  const auto sample = static_cast<std::size_t>(format.bytes_per_sample());
  const double planes = std::max(1.5, planes_per_luma(format));
  const std::size_t padded = size.padded(96, 64);
  const std::size_t half = Size{size.width / 2, size.height / 2}.padded(96, 64);
  const std::size_t b = count(load.b_frames);
  const int threads = std::clamp(load.threads, 1, std::max(1, settings.height / 32));
  const bool whole_search = settings.preset == "placebo";
  const std::string_view preset = settings.preset;
  const bool phases = preset != "ultrafast";

  const int waiting = std::max(load.lookahead, load.reorder_search) + threads - 1 +
                      (threads > 1 ? load.b_frames + 1 : 0) + 1;
  const auto all = [&](const double of_luma) {
    return static_cast<std::size_t>(of_luma * static_cast<double>(padded)) * sample;
  };
  const std::size_t frame =
      all(planes) + 5 * half * sample + macroblocks * (60 + 2 * (b + 2) * (b + 2) + 16 * (b + 1));
  const std::size_t reference = all(planes + (phases ? (planes >= 3.0 ? 9.0 : 3.0) : 0.0)) +
                                macroblocks * (40 + 64 * (b > 0 ? 2 : 1)) +
                                (whole_search ? 4 * padded : 0);
  const int buffered =
      std::clamp(std::max(load.references, load.b_frames > 1 ? 4 : 1), 1, kMostReferences);
  constexpr std::size_t kThread = 500'000;
  const std::size_t thread =
      macroblocks * (200 + 16 * count(std::min(load.references, kMostReferences))) +
      size.pixels() * 6 / 5 + kThread;
  constexpr std::size_t kFixed = 8'000'000;
  return count(waiting + 2) * frame + count(buffered + threads + 1) * reference +
         count(threads) * thread + kFixed;
}

// x265: as above, but references keep the coefficients and partitions of their blocks instead of
// phases, and every worker has an analysis of its own.
std::size_t x265_bytes(const EncoderSettings& settings, const EncoderLoad& load,
                       const PlaneFormat& format) {
  const std::string_view preset = settings.preset;
  const std::size_t block = preset == "ultrafast" || preset == "superfast" ? 32 : 64;
  const Size size = rounded(settings, static_cast<int>(block));
  const auto sample = static_cast<std::size_t>(format.bytes_per_sample());
  const double planes = std::max(1.5, planes_per_luma(format));
  const std::size_t beside = 2 * (block + 32) + 32;
  const std::size_t above = 2 * (block + 16);
  const std::size_t padded = size.padded(beside, above);
  const std::size_t half = Size{size.width / 2, size.height / 2}.padded(beside, above);
  const std::size_t cells = size.pixels() / 256;
  const std::size_t b = count(load.b_frames);
  const int frame_threads = std::clamp(load.frame_threads, 1, kMostFrameThreads);
  const auto all = [](const double factor, const std::size_t n) {
    return static_cast<std::size_t>(factor * static_cast<double>(n));
  };
  const std::size_t frame = (all(planes, padded) + 4 * half) * sample +
                            cells * (100 + 2 * (b + 2) * (b + 2) + 24 * (b + 2)) +
                            size.pixels() / 4;
  const std::size_t reference =
      all(planes, padded) * sample + all(2.0 * planes + (block == 32 ? 5.5 : 3.0), size.pixels());
  const std::size_t worker = all(planes > 1.5 ? 3.3e6 : 2.2e6, sample);
  constexpr std::size_t kFixed = 16'000'000;
  return count(load.lookahead + load.b_frames + frame_threads + 4) * frame +
         count(std::min(load.references, kMostReferences) + frame_threads + 4) * reference +
         count(std::max(load.threads, 1)) * worker + kFixed;
}

// FFV1: intra; the picture in hand and its packet. FFmpeg's encoder writes into a buffer for the
// worst case that any version of the format has, and clears it.
std::size_t ffv1_bytes(const EncoderSettings& settings, const PlaneFormat& format) {
  const std::size_t picture = planes_bytes(format);
  const std::size_t worst_packet = std::min<std::size_t>(
      std::size_t{37} * 4 * count(settings.width) * count(settings.height), INT32_MAX);
  constexpr std::size_t kThread = 1'000'000;
  constexpr std::size_t kFixed = 8'000'000;
  return worst_packet + 3 * picture + count(settings.threads) * kThread + kFixed;
}

// SVT-AV1 sets all its buffers up when it is opened, by size and threads; what it looks ahead by is
// not to be lowered. Measured: at 640x360 and two threads 97 MB (preset 12), 111 (preset 7), 127
// (10 bit), at 1280x720 230, less with one thread; 1.6 GB at 4K.
std::size_t svt_bytes(const EncoderSettings& settings, const PlaneFormat& format) {
  const Size size = rounded(settings, 64);
  const double pixel = format.bytes_per_sample() > 1 ? 420.0 : 300.0;
  const double threads = 1.0 + 0.15 * std::max(0, settings.threads - 2);
  constexpr std::size_t kFixed = 64'000'000;
  return static_cast<std::size_t>(static_cast<double>(size.pixels()) * pixel * threads) + kFixed;
}

}  // namespace

EncoderLoad encoder_load(const EncoderSettings& settings) {
  if (settings.codec == "h264") return x264_load(settings, known_options(settings));
  if (settings.codec == "hevc") return x265_load(settings, known_options(settings));
  EncoderLoad load;
  load.threads = settings.threads;
  load.threads_given = settings.options.count("threads") > 0;
  return load;
}

std::size_t encoder_bytes(const EncoderSettings& settings) {
  const auto format = plane_format(settings.format, settings.width, settings.height);
  if (!format) throw Error(ErrorKind::kInternal, "the encoder's pixel format is not planar");
  const EncoderLoad load = encoder_load(settings);
  if (settings.codec == "h264") return x264_bytes(settings, load, *format);
  if (settings.codec == "hevc") return x265_bytes(settings, load, *format);
  if (settings.codec == "av1") return svt_bytes(settings, *format);
  return ffv1_bytes(settings, *format);
}

}  // namespace streamvsr
