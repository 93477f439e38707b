#include "media/picture.h"

extern "C" {
#include <libavutil/imgutils.h>
}

#include <array>
#include <bit>
#include <cstring>

namespace streamvsr {

namespace {

AVPixelFormat without_j(const AVPixelFormat format) {
  switch (format) {
    case AV_PIX_FMT_YUVJ420P:
      return AV_PIX_FMT_YUV420P;
    case AV_PIX_FMT_YUVJ422P:
      return AV_PIX_FMT_YUV422P;
    case AV_PIX_FMT_YUVJ444P:
      return AV_PIX_FMT_YUV444P;
    case AV_PIX_FMT_YUVJ440P:
      return AV_PIX_FMT_YUV440P;
    case AV_PIX_FMT_YUVJ411P:
      return AV_PIX_FMT_YUV411P;
    default:
      return format;
  }
}

constexpr std::array kPlanar = {
    AV_PIX_FMT_GRAY8,     AV_PIX_FMT_GRAY10,    AV_PIX_FMT_GRAY12,    AV_PIX_FMT_YUV420P,
    AV_PIX_FMT_YUV422P,   AV_PIX_FMT_YUV444P,   AV_PIX_FMT_YUV420P10, AV_PIX_FMT_YUV422P10,
    AV_PIX_FMT_YUV444P10, AV_PIX_FMT_YUV420P12, AV_PIX_FMT_YUV422P12, AV_PIX_FMT_YUV444P12,
    AV_PIX_FMT_NONE,
};

}  // namespace

std::optional<PlaneFormat> plane_format(const AVPixelFormat format, const int width,
                                        const int height) {
  const AVPixFmtDescriptor* const d = av_pix_fmt_desc_get(without_j(format));
  if (d == nullptr) return std::nullopt;
  constexpr std::uint64_t kNotPlanes = AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM |
                                       AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_BAYER |
                                       AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_ALPHA;
  if ((d->flags & kNotPlanes) != 0) return std::nullopt;
  const bool big_endian = (d->flags & AV_PIX_FMT_FLAG_BE) != 0;
  const int depth = d->comp[0].depth;
  if (depth < 8 || depth > 16) return std::nullopt;
  if (depth > 8 && big_endian != (std::endian::native == std::endian::big)) return std::nullopt;
  if (d->nb_components != 1 && d->nb_components != 3) return std::nullopt;
  for (int c = 0; c < d->nb_components; ++c) {
    const AVComponentDescriptor& comp = d->comp[c];
    const int step = depth > 8 ? 2 : 1;
    if (comp.depth != depth || comp.step != step || comp.shift != 0 || comp.offset != 0)
      return std::nullopt;
    if ((d->flags & AV_PIX_FMT_FLAG_RGB) == 0 && comp.plane != c) return std::nullopt;
  }
  if (d->nb_components == 3 && d->comp[0].plane == d->comp[1].plane) return std::nullopt;
  PlaneFormat planes;
  planes.width = width;
  planes.height = height;
  planes.plane_count = d->nb_components;
  planes.log2_sub_x = d->nb_components == 1 ? 0 : d->log2_chroma_w;
  planes.log2_sub_y = d->nb_components == 1 ? 0 : d->log2_chroma_h;
  planes.depth = depth;
  planes.rgb = (d->flags & AV_PIX_FMT_FLAG_RGB) != 0;
  return planes;
}

AVPixelFormat pixel_format(const PlaneFormat& format) {
  for (const AVPixFmtDescriptor* d = av_pix_fmt_desc_next(nullptr); d != nullptr;
       d = av_pix_fmt_desc_next(d)) {
    const AVPixelFormat id = av_pix_fmt_desc_get_id(d);
    if (without_j(id) != id) continue;
    if (const auto planes = plane_format(id, format.width, format.height); planes == format)
      return id;
  }
  return AV_PIX_FMT_NONE;
}

AVPixelFormat nearest_planar(const AVPixelFormat format) {
  const AVPixelFormat plain = without_j(format);
  const auto own = plane_format(plain, 1, 1);
  // Planar RGB is left to swscale too: no encoder of ours takes it.
  if (own && !own->rgb) return plain;
  return avcodec_find_best_pix_fmt_of_list(kPlanar.data(), plain, 0, nullptr);
}

Planes to_planes(const AVFrame& frame, const PlaneFormat& format) {
  Planes planes(format);
  for (int p = 0; p < format.plane_count; ++p) {
    const std::size_t row =
        static_cast<std::size_t>(format.plane_width(p)) * format.bytes_per_sample();
    // Line sizes may be negative (bottom-up sources): step from row to row as the frame says.
    for (int y = 0; y < format.plane_height(p); ++y)
      std::memcpy(planes.row<std::uint8_t>(p, y),
                  frame.data[p] + static_cast<std::ptrdiff_t>(y) * frame.linesize[p], row);
  }
  return planes;
}

FramePtr to_frame(Planes planes, const AVPixelFormat format) {
  FramePtr frame = make_frame();
  frame->format = format;
  frame->width = planes.format().width;
  frame->height = planes.format().height;
  for (int p = 0; p < planes.format().plane_count; ++p) {
    frame->data[p] = planes.data(p);
    frame->linesize[p] = static_cast<int>(planes.stride(p));
  }
  std::uint8_t* const first = planes.data(0);
  const std::size_t bytes = planes.bytes();
  auto owner = std::make_unique<Planes>(std::move(planes));
  frame->buf[0] = av_buffer_create(
      first, bytes,
      [](void* opaque, std::uint8_t*) {
        std::unique_ptr<Planes>(static_cast<Planes*>(opaque)).reset();
      },
      owner.get(), 0);
  if (frame->buf[0] == nullptr) throw std::bad_alloc();
  static_cast<void>(owner.release());  // the buffer's free callback owns it now
  return frame;
}

bool FrameFitter::fits(const AVFrame& frame) const {
  return without_j(static_cast<AVPixelFormat>(frame.format)) == format_ && frame.width == width_ &&
         frame.height == height_;
}

FramePtr FrameFitter::fit(const AVFrame& frame) {
  const auto from = static_cast<AVPixelFormat>(frame.format);
  if (!scaler_ || from != from_format_ || frame.width != from_width_ ||
      frame.height != from_height_) {
    scaler_.reset(sws_getContext(frame.width, frame.height, from, width_, height_, format_,
                                 SWS_BICUBIC | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INP,
                                 nullptr, nullptr, nullptr));
    if (!scaler_)
      throw Error(ErrorKind::kInput, std::string("no conversion from the pixel format '") +
                                         av_get_pix_fmt_name(from) + "' is known");
    // Samples that were RGB become BT.709 in limited range, as the plan tags them.
    if ((av_pix_fmt_desc_get(from)->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) != 0)
      sws_setColorspaceDetails(scaler_.get(), sws_getCoefficients(SWS_CS_ITU709), 1,
                               sws_getCoefficients(SWS_CS_ITU709), 0, 0, 1 << 16, 1 << 16);
    from_format_ = from;
    from_width_ = frame.width;
    from_height_ = frame.height;
  }
  FramePtr fitted = make_frame();
  fitted->format = format_;
  fitted->width = width_;
  fitted->height = height_;
  if (av_frame_get_buffer(fitted.get(), 0) < 0) throw std::bad_alloc();
  if (av_frame_copy_props(fitted.get(), &frame) < 0) throw std::bad_alloc();
  sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, fitted->data,
            fitted->linesize);
  return fitted;
}

ChromaSiting chroma_siting(const AVChromaLocation location) {
  switch (location) {
    case AVCHROMA_LOC_CENTER:
      return ChromaSiting::kCenter;
    case AVCHROMA_LOC_TOPLEFT:
      return ChromaSiting::kTopLeft;
    case AVCHROMA_LOC_TOP:
      return ChromaSiting::kTop;
    case AVCHROMA_LOC_BOTTOMLEFT:
      return ChromaSiting::kBottomLeft;
    case AVCHROMA_LOC_BOTTOM:
      return ChromaSiting::kBottom;
    default:
      return ChromaSiting::kLeft;
  }
}

}  // namespace streamvsr
