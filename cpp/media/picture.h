// Between FFmpeg's frames and our planes: which pixel formats are planes of ours, and the copies.
#pragma once

#include <optional>

#include "color/planes.h"
#include "media/av.h"

namespace streamvsr {

// The planes of a pixel format, or nothing for one that is not planar integer samples in native
// byte order. Full-range twins (yuvj420p, ...) have the planes of their plain format.
std::optional<PlaneFormat> plane_format(AVPixelFormat format, int width, int height);

// FFmpeg's format for planes of ours; AV_PIX_FMT_NONE when it has none.
AVPixelFormat pixel_format(const PlaneFormat& format);

// The format of ours that loses least: the format itself (without alpha) where it is planar.
AVPixelFormat nearest_planar(AVPixelFormat format);

// Copies a frame that has exactly the planes of a format of ours.
Planes to_planes(const AVFrame& frame, const PlaneFormat& format);

// A frame that owns the planes: no copy.
FramePtr to_frame(Planes planes, AVPixelFormat format);

// Purpose: brings frames of any format and size to one planar format and size by swscale (bicubic,
// bit-exact). Thread-safety: none. Not used for frames that fit already.
class FrameFitter {
 public:
  FrameFitter(AVPixelFormat format, int width, int height)
      : format_(format), width_(width), height_(height) {}
  bool fits(const AVFrame& frame) const;
  FramePtr fit(const AVFrame& frame);

 private:
  AVPixelFormat format_;
  int width_;
  int height_;
  ScalerPtr scaler_;
  int from_width_ = 0;
  int from_height_ = 0;
  AVPixelFormat from_format_ = AV_PIX_FMT_NONE;
};

// H.273's chroma positions as the colour layer names them; unspecified is left, as H.264 and HEVC
// default to.
ChromaSiting chroma_siting(AVChromaLocation location);

}  // namespace streamvsr
