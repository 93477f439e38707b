#include "pipeline/identity_table.h"

#include <algorithm>
#include <cstdlib>

#include "base/numbers.h"
#include "media/hash.h"
#include "pipeline/plan.h"
#include "pipeline/rate_control.h"

namespace streamvsr {

namespace {

using Sources = IdentitySources;

std::string size_of(const int width, const int height) {
  return std::to_string(width) + "x" + std::to_string(height);
}

std::string options_of(const std::map<std::string, std::string>& options) {
  std::string text;
  for (const auto& [key, value] : options)
    text.append(text.empty() ? "" : ", ").append(key).append("=").append(value);
  return text.empty() ? "none" : text;
}

// Variables that keep oneDNN and torch from instructions the processor has.
std::string isa_limits() {
  std::string text;
  for (const char* const name : {"ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY"})
    if (const char* const value = std::getenv(name); value != nullptr)
      text.append(text.empty() ? "" : ", ").append(name).append("=").append(value);
  return text.empty() ? "none" : text;
}

std::string model(const Sources& s) {
  const JobConfig& config = s.plan.config;
  return config.network_file.empty() ? config.network : sha256_of_file(config.network_file);
}
// The pictures before they are resampled to the output's size.
std::string enhanced_size(const Sources& s) {
  return size_of(s.plan.enhanced_format.width, s.plan.enhanced_format.height);
}
std::string output_size(const Sources& s) {
  return size_of(s.plan.encoder.width, s.plan.encoder.height);
}
std::string precision(const Sources& s) {
  const std::string type = s.enhancer.numeric_type();
  return type.empty() ? s.plan.config.precision : type;
}
std::string steadying(const Sources& s) { return s.plan.config.steadying; }
std::string enhancer(const Sources& s) { return s.enhancer.describe(); }
std::string crf(const Sources& s) {
  const double crf = s.plan.encoder.crf;
  return crf < 0.0 ? "the codec's default" : number_text(crf);
}
std::string preset(const Sources& s) {
  const std::string& preset = s.plan.encoder.preset;
  return preset.empty() ? "the codec's default" : preset;
}
std::string ratio(const Sources& s) {
  const double ratio = s.plan.config.disk_ratio;
  return ratio > 0.0 ? number_text(ratio) : "none";
}
// Those that the output has, whatever the words that chose them.
std::string streams(const Sources& s) {
  std::string text;
  for (const PlannedStream& planned : s.plan.streams.streams)
    text.append(text.empty() ? "" : ", ").append(std::to_string(planned.input));
  constexpr std::size_t kMost = 200;  // characters
  return text.size() <= kMost ? text : text.substr(0, kMost) + "... " + sha256(text);
}
std::string rehearsed(const Sources& s) {
  if (!s.plan.budget.limited()) return "";
  return std::to_string(std::min(RateControl::most_rehearsed(*rate_curve(s.plan.encoder.codec)),
                                 s.plan.memory.rehearsal / planes_bytes(s.plan.output_format)));
}
std::string draft(const Sources& s) {
  if (!s.plan.draft) return "";
  return std::to_string(s.plan.memory.draft) + " bytes, " + std::to_string(s.plan.draft->threads) +
         " threads";
}
std::string lookahead(const Sources& s) {
  return s.plan.encoder.lookahead > 0 ? std::to_string(s.plan.encoder.lookahead) : "";
}
std::string headers(const Sources& s) {
  const std::string sets(reinterpret_cast<const char*>(s.plan.encoded->extradata),
                         static_cast<std::size_t>(std::max(0, s.plan.encoded->extradata_size)));
  return sha256(sets).substr(0, 16);
}

constexpr auto kJob = &Identity::job;
constexpr auto kEnvironment = &Identity::environment;
constexpr const char* kSteady = "mask and temporal window";

constexpr IdentityOption exempt(const char* const option, const char* const reason) {
  return {option, nullptr, "", nullptr, reason};
}

constexpr IdentityOption kOptions[] = {
    {"scale", kJob, "enhanced size", enhanced_size},
    {"model", kJob, "model", model},
    {"model_id", kJob, "model", model},
    {"precision", kJob, "precision", precision},
    {"engine", kEnvironment, "enhancer", enhancer},
    {"device", kEnvironment, "enhancer", enhancer},
    // Its pieces, where they change a value.
    {"max_vram_mb", kEnvironment, "enhancer", enhancer},
    // Of what torch runs on the CPU.
    {"compute_threads", kEnvironment, "enhancer", enhancer},
    {"temporal_window", kJob, kSteady, steadying},
    {"temporal_strength", kJob, kSteady, steadying},
    {"temporal_flow", kJob, kSteady, steadying},
    {"background_lock", kJob, kSteady, steadying},
    {"mask_strength", kJob, kSteady, steadying},
    {"mask_highlights", kJob, kSteady, steadying},
    {"mask_shadows", kJob, kSteady, steadying},
    {"mask_edges", kJob, kSteady, steadying},
    {"mask_motion", kJob, kSteady, steadying},
    {"codec", kJob, "codec", [](const Sources& s) { return s.plan.encoder.codec; }},
    {"crf", kJob, "crf", crf},
    {"encoder_preset", kJob, "encoder_preset", preset},
    {"encoder_options", kJob, "encoder_options",
     [](const Sources& s) { return options_of(s.plan.encoder.options); }},
    {"encoder_threads", kJob, "encoder_threads",
     [](const Sources& s) { return std::to_string(s.plan.encoder.threads); }},
    {"pixel_format", kJob, "pixel_format",
     [](const Sources& s) { return std::string(av_get_pix_fmt_name(s.plan.encoder.format)); }},
    {"width", kJob, "output size", output_size},
    {"height", kJob, "output size", output_size},
    {"color_matrix", kJob, "color_matrix",
     [](const Sources& s) { return s.plan.config.color_matrix; }},
    {"interlaced", kJob, "interlaced", [](const Sources& s) { return s.plan.config.interlaced; }},
    {"rotation", kJob, "rotation",
     [](const Sources& s) { return std::string(s.plan.config.apply_rotation ? "apply" : "keep"); }},
    {"streams", kJob, "streams", streams},
    {"container", kJob, "container",
     [](const Sources& s) { return std::string(container_name(s.plan.container)); }},
    {"segment_seconds", kJob, "segment_seconds",
     [](const Sources& s) { return number_text(s.plan.config.segment_seconds); }},
    {"disk_ratio", kJob, "disk_ratio", ratio},
    exempt("size_change", "refusing ends the job; pictures that pass are the same"),
    exempt("strict", "damage ends the job; pictures that pass are the same"),
    exempt("resume", "says whether a job is resumed, not what it makes"),
    exempt("overwrite", "says whether an output may be replaced, not what it holds"),
    exempt("max_memory_mb", "what it lowers are entries of their own, which a resume keeps"),
    exempt("max_frames_mb", "stages wait for each other more or less; results are the same"),
    exempt("memory_warning_mb", "warns, and makes stages wait for each other more"),
    exempt("max_disk_fraction", "ends a job early; what it wrote by then is the same"),
    exempt("decoder_threads", "decoders give the same pictures with any number of threads"),
    {"", kJob, "pictures rehearsed", rehearsed},
    {"", kJob, "draft", draft},
    {"", kJob, "encoder's look-ahead", lookahead},
    {"", kEnvironment, "streamvsr", [](const Sources&) { return std::string(STREAMVSR_VERSION); }},
    {"", kEnvironment, "FFmpeg", [](const Sources&) { return ffmpeg_version(); }},
    {"", kEnvironment, "processor", [](const Sources&) { return processor_features(); }},
    {"", kEnvironment, "limits of the processor's use",
     [](const Sources&) { return isa_limits(); }},
    {"", kEnvironment, "encoder's headers", headers}};

}  // namespace

std::span<const IdentityOption> identity_options() { return kOptions; }

}  // namespace streamvsr
