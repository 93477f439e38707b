#include "media/decoder_memory.h"

#include <algorithm>
#include <cstdint>

#include "media/video_codec.h"

extern "C" {
#include <libavutil/imgutils.h>
}

namespace streamvsr {

namespace {

struct Level {
  int level;
  std::int64_t size;
};
// H.264, table A-1: level times ten, macroblocks of all reference pictures.
constexpr Level kAvcLevels[] = {{9, 396},     {10, 396},    {11, 900},    {12, 2376},  {13, 2376},
                                {20, 2376},   {21, 4752},   {22, 8100},   {30, 8100},  {31, 18000},
                                {32, 20480},  {40, 32768},  {41, 32768},  {42, 34816}, {50, 110400},
                                {51, 184320}, {52, 184320}, {60, 696320}, {62, 696320}};
// HEVC, table A.8: level times thirty, luma samples of a picture, of which there may be six.
constexpr Level kHevcLevels[] = {{30, 36864},    {60, 122880},    {63, 245760},   {90, 552960},
                                 {93, 983040},   {120, 2228224},  {123, 2228224}, {150, 8912896},
                                 {156, 8912896}, {180, 35651584}, {186, 35651584}};
constexpr int kMostReferences = 16;

template <std::size_t count>
std::int64_t at_level(const Level (&levels)[count], const int level) {
  for (const Level& l : levels)
    if (level > 0 && level <= l.level) return l.size;
  return levels[count - 1].size;
}

int references(const DecoderLoad& load) {
  const std::int64_t pixels = std::max<std::int64_t>(1, std::int64_t{load.width} * load.height);
  const AVCodecDescriptor* const descriptor = avcodec_descriptor_get(load.parameters->codec_id);
  if (descriptor != nullptr && (descriptor->props & AV_CODEC_PROP_INTRA_ONLY) != 0) return 1;
  const int level = load.parameters->level;
  switch (load.parameters->codec_id) {
    case AV_CODEC_ID_H264: {
      const std::int64_t blocks = std::max<std::int64_t>(1, pixels / 256);
      return static_cast<int>(
          std::clamp<std::int64_t>(at_level(kAvcLevels, level) / blocks, 1, kMostReferences));
    }
    case AV_CODEC_ID_HEVC: {
      const std::int64_t most = at_level(kHevcLevels, level);
      const int factor = pixels <= most / 4       ? 16
                         : pixels <= most / 2     ? 12
                         : pixels <= 3 * most / 4 ? 8
                                                  : 6;
      return std::min(factor, kMostReferences);
    }
    case AV_CODEC_ID_VP9:
    case AV_CODEC_ID_AV1:
      return 9;
    default:
      return 4;
  }
}

}  // namespace

std::size_t decoder_bytes(const DecoderLoad& load, const int threads) {
  const auto parallel =
      static_cast<std::size_t>(decoding_threads(load.parameters->codec_id, threads));
  const std::size_t pixels = static_cast<std::size_t>(load.width + 64) * (load.height + 64);
  const int bytes = av_image_get_buffer_size(load.format, load.width + 64, load.height + 64, 64);
  const std::size_t picture = static_cast<std::size_t>(std::max(0, bytes));
  // Vectors, modes and exported quantisers of a picture's blocks.
  const std::size_t beside = pixels;
  const int delay = std::max(1, load.parameters->video_delay);
  // Beyond those referred to: on their way out, in each thread, held back, and in hand.
  const std::size_t pictures = static_cast<std::size_t>(references(load) + delay) + parallel +
                               (load.deinterlaced ? 4 : 0) +
                               (parallel > 1 ? static_cast<std::size_t>(delay) + 2 : 0) + 2;
  // Full chroma in 16 bits, and the result.
  constexpr std::size_t kConverting = 12;
  constexpr std::size_t kThread = 1'500'000;
  constexpr std::size_t kFixed = 4'000'000;
  return pictures * (picture + beside) + (load.converted ? 2 * picture + kConverting * pixels : 0) +
         (parallel + 3) * load.largest_packet + parallel * (kThread + pixels / 4) + kFixed;
}

}  // namespace streamvsr
