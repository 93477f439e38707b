// Between FFmpeg's frames and our planes: which pixel formats are planes of ours, and the copies.
#pragma once

#include <optional>

#include "color/convert.h"
#include "media/av.h"

namespace streamvsr {

// The planes of a pixel format, or nothing for one that is not planar integer samples in native
// byte order. Full-range twins (yuvj420p, ...) have the planes of their plain format.
std::optional<PlaneFormat> plane_format(AVPixelFormat format, int width, int height);

// FFmpeg's format for planes of ours; AV_PIX_FMT_NONE when it has none.
AVPixelFormat pixel_format(const PlaneFormat& format);

// The format that pictures of another are handed out in: itself (without alpha) where it is planar,
// the planar one with the same samples where there is one, luma and chroma of the same depth for
// RGB, since no encoder of ours takes that.
AVPixelFormat nearest_planar(AVPixelFormat format);
// Whether a decoded picture has an alpha channel; one with a palette, whether it uses it.
bool has_alpha(const AVFrame& frame);

// Copies a frame that has exactly the planes of a format of ours.
Planes to_planes(const AVFrame& frame, const PlaneFormat& format);

// A frame that owns the planes: no copy.
FramePtr to_frame(Planes planes, AVPixelFormat format);

// What a frame's samples mean, in planes of ours made of it without a change of colour.
ColorDescription color_description(const AVFrame& frame);

// Purpose: brings frames of any format, size and matrix to planes of one: swscale takes packed and
// foreign layouts apart, without a change of any code; the rest is zimg's. Thread-safety: none.
class FrameFitter {
 public:
  // color: of the planes given out; a frame that tells no matrix has the same.
  FrameFitter(const PlaneFormat& format, const ColorDescription& color)
      : format_(format), color_(color) {}
  Planes fit(const AVFrame& frame);

 private:
  FramePtr unpack(const AVFrame& frame, AVPixelFormat to);

  PlaneFormat format_;
  ColorDescription color_;
  ScalerPtr scaler_;
  struct Layout {
    int width = 0, height = 0;
    AVPixelFormat format = AV_PIX_FMT_NONE;
    bool operator==(const Layout&) const = default;
  } unpacked_;  // what scaler_ takes
  std::optional<PictureConverter> converter_;
  PlaneFormat converted_;  // what converter_ takes
  ColorDescription converted_color_;
};

// H.273's chroma positions as the colour layer names them; unspecified is left, as H.264 and HEVC
// default to.
ChromaSiting chroma_siting(AVChromaLocation location);

}  // namespace streamvsr
