// Jobs as a plan of the memory sees them.
#pragma once

#include <string>

#include "color/planes.h"
#include "media/picture.h"
#include "pipeline/memory_plan.h"

namespace streamvsr {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kGiB = std::size_t{1} << 30;

// Purpose: a job of one size and codec, as plan_memory() wants it.
struct Example {
  ParametersPtr parameters{avcodec_parameters_alloc()};
  MemoryNeeds needs;
  EncoderSettings encoder;
  int decoder_threads = 8;

  Example(const int width, const int height, const std::string& codec, const std::string& preset,
          const int scale = 2, const AVPixelFormat format = AV_PIX_FMT_YUV420P) {
    parameters->codec_id = AV_CODEC_ID_HEVC;
    parameters->width = width;
    parameters->height = height;
    parameters->video_delay = 2;
    needs.decoder = {parameters.get(), format, width, height, false, false, 100'000};
    needs.source_picture = planes_bytes(*plane_format(format, width, height));
    needs.enhanced_picture = planes_bytes(*plane_format(format, scale * width, scale * height));
    needs.batch = 4;
    needs.fragment_frames = 25;
    encoder.codec = codec;
    encoder.preset = preset;
    encoder.threads = 8;
    encoder.width = scale * width;
    encoder.height = scale * height;
    encoder.format = format;
  }
  MemoryPlan plan(const std::size_t megabytes) {
    needs.limit = megabytes * kMiB;
    return plan_memory(needs, encoder, decoder_threads);
  }
  // Without a limit, with so much free.
  MemoryPlan automatic(const std::size_t available,
                       const std::optional<MemoryChoice>& kept = std::nullopt) {
    needs.limit = 0;
    needs.machine.available = available;
    return plan_memory(needs, encoder, decoder_threads, kept);
  }
};

// The number behind the last "max_memory_mb=" of a refusal; 0: there is none.
inline std::size_t asked_for(const Error& error) {
  const std::string text = error.what();
  const std::string key = "max_memory_mb=";
  const std::size_t at = text.rfind(key);
  return at == text.npos ? 0 : std::stoul(text.substr(at + key.size()));
}

}  // namespace streamvsr
