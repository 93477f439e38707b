// What the tests of encoders give them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "media/encoder.h"
#include "media/picture.h"

namespace streamvsr::test {

inline EncoderSettings settings_of(const std::string& codec, const std::string& preset,
                                   const int threads, const int width, const int height,
                                   const AVPixelFormat format = AV_PIX_FMT_YUV420P) {
  EncoderSettings s;
  s.codec = codec;
  s.preset = preset;
  s.threads = threads;
  s.width = width;
  s.height = height;
  s.format = format;
  return s;
}

// A frame that is ready to be sent, with value(x, y), 0..255, in every sample of every plane.
template <class Value>
FramePtr drawn_frame(const EncoderSettings& settings, const int number, Value value) {
  const PlaneFormat format = *plane_format(settings.format, settings.width, settings.height);
  Planes planes(format);
  for (int p = 0; p < format.plane_count; ++p)
    for (int y = 0; y < format.plane_height(p); ++y)
      for (int x = 0; x < format.plane_width(p); ++x) {
        const unsigned code = value(x, y);
        if (format.depth > 8)
          planes.row<std::uint16_t>(p, y)[x] =
              static_cast<std::uint16_t>(code << (format.depth - 8));
        else
          planes.row<std::uint8_t>(p, y)[x] = static_cast<std::uint8_t>(code);
      }
  FramePtr frame = to_frame(std::move(planes), settings.format);
  frame->pts = number;
  mark_plain_frame(*frame);
  return frame;
}

}  // namespace streamvsr::test
