// How much memory a decoder takes, by what the container and the first picture say of the stream.
#pragma once

#include <cstddef>

#include "media/av.h"

namespace streamvsr {

struct DecoderLoad {
  const AVCodecParameters* parameters = nullptr;  // of the stream
  AVPixelFormat format = AV_PIX_FMT_NONE;         // as decoded
  int width = 0, height = 0;                      // as decoded, samples
  bool converted = false;                         // to another format before it is handed out
  bool deinterlaced = false;                      // see deinterlacer.h
  std::size_t largest_packet = 0;                 // bytes
};

// Bytes that a Decoder with so many threads holds at most: reference pictures, pictures in its
// threads, those it holds back (Note [damage]), packets.
std::size_t decoder_bytes(const DecoderLoad& load, int threads);

}  // namespace streamvsr
