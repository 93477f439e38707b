#include "pipeline/memory_remedies.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

#include "media/encoder_memory.h"

namespace streamvsr {

namespace {

constexpr std::string_view kPresets[] = {"placebo",   "veryslow", "slower", "slow",
                                         "medium",    "fast",     "faster", "veryfast",
                                         "superfast", "ultrafast"};
// Options that x264's and x265's wrappers of FFmpeg take for look-ahead and threads, and those that
// hold lists of such.
constexpr std::string_view kCostly[] = {"rc-lookahead", "threads", "x264opts", "x264-params",
                                        "x265-params"};
constexpr double kMostCrf = 51.0;  // of h264

// Purpose: tries changes of a job until they fit. Thread-safety: none.
struct Remedies {
  const MemoryNeeds& needs;
  std::size_t most;
  int decoder_threads;
  std::vector<std::string> found{};

  bool fits(const EncoderSettings& encoder, const MemoryNeeds& changed) const {
    return least_memory(changed, encoder, decoder_threads) <= most;
  }
  void take(const std::string& text, const EncoderSettings& encoder, const MemoryNeeds& changed) {
    if (fits(encoder, changed)) found.push_back(text);
  }
};

void try_options(Remedies& remedies, const EncoderSettings& encoder) {
  const EncoderLoad load = encoder_load(encoder);
  EncoderSettings without = encoder;
  std::string left_out;
  if (load.lookahead_given || load.threads_given)
    for (const std::string_view name : kCostly)
      if (without.options.erase(std::string(name)) > 0)
        left_out += (left_out.empty() ? "" : ", ") + std::string(name);
  if (!left_out.empty())
    remedies.take("leave out the encoder options " + left_out, without, remedies.needs);
}

void try_threads(Remedies& remedies, const EncoderSettings& encoder) {
  MemoryNeeds changed = remedies.needs;
  if (changed.encoder_threads_given) {
    changed.encoder_threads_given = false;
    remedies.take("set encoder_threads=0", encoder, changed);
  }
  changed = remedies.needs;
  if (changed.decoder_threads_given) {
    changed.decoder_threads_given = false;
    remedies.take("set decoder_threads=0", encoder, changed);
  }
}

void try_presets(Remedies& remedies, const EncoderSettings& encoder) {
  if (encoder.codec != "h264" && encoder.codec != "hevc") return;  // others' presets take the same
  const std::string now = encoder.preset.empty() ? "medium" : encoder.preset;
  const auto* const found = std::find(std::begin(kPresets), std::end(kPresets), now);
  if (found == std::end(kPresets)) return;
  for (const auto* preset = found + 1; preset != std::end(kPresets); ++preset) {
    EncoderSettings faster = encoder;
    faster.preset = *preset;
    if (!remedies.fits(faster, remedies.needs)) continue;
    remedies.found.push_back("set encoder_preset='" + faster.preset + "'");
    return;
  }
}

void try_codec(Remedies& remedies, const EncoderSettings& encoder) {
  if (encoder.codec == "h264" || !encoder.options.empty() || encoder.crf > kMostCrf) return;
  EncoderSettings other = encoder;
  other.codec = "h264";
  const bool named = other.preset.empty() || std::find(std::begin(kPresets), std::end(kPresets),
                                                       other.preset) != std::end(kPresets);
  if (!named || choose_pixel_format(other.codec, other.format, "") != other.format) return;
  remedies.take("set codec='h264'", other, remedies.needs);
}

std::string any_of(const std::vector<std::string>& remedies) {
  std::string text;
  for (std::size_t i = 0; i < remedies.size(); ++i)
    text += (i == 0 ? "" : i + 1 == remedies.size() ? ", or " : ", ") + remedies[i];
  return text;
}

}  // namespace

std::string mib(const std::size_t bytes) {
  constexpr std::size_t kMiB = std::size_t{1} << 20;
  return std::to_string(bytes / kMiB + (bytes % kMiB == 0 ? 0 : 1));
}

void refuse_memory(const MemoryNeeds& needs, const std::size_t most, const MemoryPlan& least,
                   const EncoderSettings& encoder, const int decoder_threads) {
  const std::string need = mib(least.used());
  const std::string parts = " (the encoder " + mib(least.encoder) + ", the decoder " +
                            mib(least.decoder) + ", pictures between them " +
                            mib(least.source + least.enhanced) + ", packets " + mib(least.packets) +
                            ", the rest " + mib(least.fixed) + ")";
  Remedies remedies{needs, most, decoder_threads};
  std::string text;
  if (needs.limit > 0) {
    text = "max_memory_mb=" + mib(needs.limit) + " is too small for this job: it needs " + need +
           " MB" + parts + "; ";
    remedies.found.push_back("set max_memory_mb=" + need + " or more");
  } else {
    text = "this job needs " + need + " MB of memory" + parts + ", and of the " +
           mib(needs.machine.available) + " MB that are free it takes " + mib(most) +
           " MB at most; free memory, or ";
    if (least.used() + needs.workspace < needs.machine.available)
      remedies.found.push_back("set max_memory_mb=" + need + " to take more");
  }
  try_options(remedies, encoder);
  try_threads(remedies, encoder);
  try_presets(remedies, encoder);
  try_codec(remedies, encoder);
  if (remedies.found.empty()) remedies.found.push_back("choose a smaller output");
  throw Error(ErrorKind::kMemory, text + any_of(remedies.found));
}

void refuse_frames(const std::size_t most, const MemoryPlan& least) {
  throw Error(ErrorKind::kMemory,
              "max_frames_mb=" + mib(most) +
                  " is too small for this job: the pictures between its "
                  "stages take " +
                  mib(least.source + least.enhanced) +
                  " MB; set max_frames_mb=" + mib(least.source + least.enhanced) + " or more");
}

}  // namespace streamvsr
