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

// Layouts of samples that swscale takes apart, RGB among them.
constexpr std::array kUnpacked = {
    AV_PIX_FMT_GRAY8,     AV_PIX_FMT_GRAY10,    AV_PIX_FMT_GRAY12,    AV_PIX_FMT_GRAY14,
    AV_PIX_FMT_GRAY16,    AV_PIX_FMT_YUV410P,   AV_PIX_FMT_YUV411P,   AV_PIX_FMT_YUV440P,
    AV_PIX_FMT_YUV420P,   AV_PIX_FMT_YUV422P,   AV_PIX_FMT_YUV444P,   AV_PIX_FMT_YUV420P10,
    AV_PIX_FMT_YUV422P10, AV_PIX_FMT_YUV444P10, AV_PIX_FMT_YUV420P12, AV_PIX_FMT_YUV422P12,
    AV_PIX_FMT_YUV444P12, AV_PIX_FMT_YUV420P16, AV_PIX_FMT_YUV422P16, AV_PIX_FMT_YUV444P16,
    AV_PIX_FMT_GBRP,      AV_PIX_FMT_GBRP10,    AV_PIX_FMT_GBRP12,    AV_PIX_FMT_GBRP16,
    AV_PIX_FMT_NONE,
};

// The planar layout of the same samples, alpha left out; for what has none (palettes, floating
// point, fewer bits) the one that loses least.
AVPixelFormat unpacked(const AVPixelFormat format) {
  const AVPixelFormat plain = without_j(format);
  if (plane_format(plain, 1, 1)) return plain;
  const AVPixFmtDescriptor* const d = av_pix_fmt_desc_get(plain);
  const auto colours = [](const AVPixFmtDescriptor& of) {
    return of.nb_components - ((of.flags & AV_PIX_FMT_FLAG_ALPHA) != 0 ? 1 : 0);
  };
  constexpr std::uint64_t kKind =
      AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_BAYER;
  for (const AVPixelFormat candidate : kUnpacked) {
    const AVPixFmtDescriptor* const c = av_pix_fmt_desc_get(candidate);
    if (d != nullptr && c != nullptr && colours(*c) == colours(*d) &&
        (c->flags & kKind) == (d->flags & kKind) && c->comp[0].depth == d->comp[0].depth &&
        c->log2_chroma_w == d->log2_chroma_w && c->log2_chroma_h == d->log2_chroma_h)
      return candidate;
  }
  return avcodec_find_best_pix_fmt_of_list(kUnpacked.data(), plain, 0, nullptr);
}

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
  const AVPixelFormat samples = unpacked(format);
  const auto planes = plane_format(samples, 1, 1);
  if (!planes || !planes->rgb) return samples;
  PlaneFormat target = *planes;
  target.rgb = false;
  target.depth = std::min(target.depth, 12);  // the deepest that an encoder takes
  return pixel_format(target);
}

bool has_alpha(const AVFrame& frame) {
  const auto format = static_cast<AVPixelFormat>(frame.format);
  if (format != AV_PIX_FMT_PAL8)
    return (av_pix_fmt_desc_get(format)->flags & AV_PIX_FMT_FLAG_ALPHA) != 0;
  // Every palette has room for alpha; few use it.
  std::array<std::uint32_t, 256> palette{};
  std::memcpy(palette.data(), frame.data[1], sizeof palette);
  for (int y = 0; y < frame.height; ++y) {
    const std::uint8_t* const row =
        frame.data[0] + static_cast<std::ptrdiff_t>(y) * frame.linesize[0];
    for (int x = 0; x < frame.width; ++x)
      if (palette[row[x]] >> 24 != 0xFF) return true;
  }
  return false;
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

ColorDescription color_description(const AVFrame& frame) {
  const auto format = static_cast<AVPixelFormat>(frame.format);
  ColorDescription color;
  const auto planes = plane_format(unpacked(format), frame.width, frame.height);
  const bool rgb = planes && planes->rgb;
  color.matrix = rgb ? ColorDescription::kRgb : frame.colorspace;
  color.full_range = rgb || frame.color_range == AVCOL_RANGE_JPEG || without_j(format) != format;
  color.siting = chroma_siting(frame.chroma_location);
  return color;
}

FramePtr FrameFitter::unpack(const AVFrame& frame, const AVPixelFormat to) {
  const Layout layout{frame.width, frame.height, static_cast<AVPixelFormat>(frame.format)};
  if (!scaler_ || layout != unpacked_) {
    scaler_.reset(sws_getContext(
        layout.width, layout.height, layout.format, layout.width, layout.height, to,
        SWS_POINT | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INP | SWS_FULL_CHR_H_INT,
        nullptr, nullptr, nullptr));
    if (!scaler_)
      throw Error(ErrorKind::kInput, std::string("no conversion from the pixel format '") +
                                         av_get_pix_fmt_name(layout.format) + "' is known");
    unpacked_ = layout;
  }
  FramePtr apart = make_frame();
  apart->format = to;
  apart->width = layout.width;
  apart->height = layout.height;
  if (av_frame_get_buffer(apart.get(), 0) < 0) throw std::bad_alloc();
  sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, apart->data,
            apart->linesize);
  return apart;
}

Planes FrameFitter::fit(const AVFrame& frame) {
  const AVPixelFormat samples = unpacked(static_cast<AVPixelFormat>(frame.format));
  const auto planes = plane_format(samples, frame.width, frame.height);
  if (!planes)
    throw Error(ErrorKind::kInput,
                std::string("no conversion from the pixel format '") +
                    av_get_pix_fmt_name(static_cast<AVPixelFormat>(frame.format)) + "' is known");
  const bool apart = without_j(static_cast<AVPixelFormat>(frame.format)) == samples;
  Planes source = to_planes(apart ? frame : *unpack(frame, samples), *planes);
  ColorDescription color = color_description(frame);
  if (color.matrix == ColorDescription::kUnspecified) color.matrix = color_.matrix;
  if (*planes == format_ && color == color_) return source;
  if (!converter_ || *planes != converted_ || color != converted_color_) {
    converter_.emplace(*planes, color, format_, color_, Rounding::kDiffused);
    converted_ = *planes;
    converted_color_ = color;
  }
  return converter_->run(source);
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
