#include "color/convert.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/error.h"

namespace streamvsr {

namespace {

template <class Sample>
void fill(Planes& picture, const int plane, const int code) {
  const PlaneFormat& format = picture.format();
  for (int y = 0; y < format.plane_height(plane); ++y)
    std::fill_n(picture.row<Sample>(plane, y), format.plane_width(plane),
                static_cast<Sample>(code));
}

// Opaque, or no colour.
void fill_neutral(Planes& picture, const int plane) {
  const int depth = picture.format().depth;
  const int code = plane == 3 ? (1 << depth) - 1 : 1 << (depth - 1);
  if (depth > 8)
    fill<std::uint16_t>(picture, plane, code);
  else
    fill<std::uint8_t>(picture, plane, code);
}

void check_matrix(const int matrix) {
  if (!known_matrix(matrix))
    throw Error(ErrorKind::kConfig, "pictures whose colour matrix has the code point " +
                                        std::to_string(matrix) +
                                        " of ITU-T H.273 cannot be converted here");
}

// Three planes, chroma whole: zimg takes nothing else. Gray has chroma at full size.
PlaneFormat whole(PlaneFormat format) {
  if (format.plane_count == 1) format.log2_sub_x = format.log2_sub_y = 0;
  format.plane_count = 3;
  const auto up = [](const int size, const int log2_sub) {
    return ((size - 1) | ((1 << log2_sub) - 1)) + 1;
  };
  format.width = up(format.width, format.log2_sub_x);
  format.height = up(format.height, format.log2_sub_y);
  return format;
}

zimg_chroma_location_e location(const ChromaSiting siting) {
  switch (siting) {
    case ChromaSiting::kCenter:
      return ZIMG_CHROMA_CENTER;
    case ChromaSiting::kTopLeft:
      return ZIMG_CHROMA_TOP_LEFT;
    case ChromaSiting::kTop:
      return ZIMG_CHROMA_TOP;
    case ChromaSiting::kBottomLeft:
      return ZIMG_CHROMA_BOTTOM_LEFT;
    case ChromaSiting::kBottom:
      return ZIMG_CHROMA_BOTTOM;
    default:
      return ZIMG_CHROMA_LEFT;
  }
}

zimg_image_format image_format(const PlaneFormat& planes, const ColorDescription& color) {
  zimg_image_format format;
  zimg_image_format_default(&format, ZIMG_API_VERSION);
  format.width = static_cast<unsigned>(planes.width);
  format.height = static_cast<unsigned>(planes.height);
  format.pixel_type = planes.depth > 8 ? ZIMG_PIXEL_WORD : ZIMG_PIXEL_BYTE;
  format.depth = static_cast<unsigned>(planes.depth);
  format.subsample_w = static_cast<unsigned>(planes.log2_sub_x);
  format.subsample_h = static_cast<unsigned>(planes.log2_sub_y);
  format.color_family = planes.rgb ? ZIMG_COLOR_RGB : ZIMG_COLOR_YUV;
  format.matrix_coefficients = static_cast<zimg_matrix_coefficients_e>(color.matrix);
  format.pixel_range = color.full_range ? ZIMG_RANGE_FULL : ZIMG_RANGE_LIMITED;
  format.chroma_location = location(color.siting);
  return format;
}

// zimg's planes are R, G, B; ours G, B, R.
int plane_of(const int zimg_plane, const bool rgb) {
  return rgb ? (zimg_plane + 2) % 3 : zimg_plane;
}

// A larger picture with the last column and row repeated, or a smaller one cut off.
template <class Sample>
void fit_plane(const Planes& from, Planes& to, const int plane) {
  const int width = to.format().plane_width(plane);
  const int known = std::min(width, from.format().plane_width(plane));
  const int last = from.format().plane_height(plane) - 1;
  for (int y = 0; y < to.format().plane_height(plane); ++y) {
    const Sample* const in = from.row<Sample>(plane, std::min(y, last));
    Sample* const out = to.row<Sample>(plane, y);
    std::copy_n(in, known, out);
    std::fill(out + known, out + width, in[known - 1]);
  }
}

Planes fit_size(const Planes& from, const PlaneFormat& format) {
  Planes to(format);
  for (int p = 0; p < format.plane_count; ++p) {
    if (p >= from.format().plane_count)
      fill_neutral(to, p);
    else if (format.depth > 8)
      fit_plane<std::uint16_t>(from, to, p);
    else
      fit_plane<std::uint8_t>(from, to, p);
  }
  return to;
}

}  // namespace

// Purpose: other matrix and range, and whatever else differs. Thread-safety: run() from any number
// of threads.
class PictureConverter::Recolour {
 public:
  Recolour(const PlaneFormat& source, const ColorDescription& from, const PlaneFormat& target,
           const ColorDescription& to, const Rounding rounding)
      : source_(whole(source)), target_(whole(target)) {
    check_matrix(from.matrix);
    check_matrix(to.matrix);
    zimg_image_format in = image_format(source_, from);
    const zimg_image_format out = image_format(target_, to);
    // Each is rounded up by itself: what is the picture of the one must stay that of the other.
    in.active_region = {0, 0, static_cast<double>(source.width) * target_.width / target.width,
                        static_cast<double>(source.height) * target_.height / target.height};
    zimg_graph_builder_params params;
    zimg_graph_builder_params_default(&params, ZIMG_API_VERSION);
    params.resample_filter = params.resample_filter_uv = ZIMG_RESIZE_SPLINE36;
    params.dither_type = rounding == Rounding::kDiffused && target.depth < source.depth
                             ? ZIMG_DITHER_ERROR_DIFFUSION
                             : ZIMG_DITHER_NONE;
    graph_.reset(zimg_filter_graph_build(&in, &out, &params));
    if (!graph_ ||
        zimg_filter_graph_get_tmp_size(graph_.get(), &scratch_bytes_) != ZIMG_ERROR_SUCCESS)
      throw_zimg("prepare a change of matrix");
  }

  std::size_t scratch_bytes() const { return scratch_bytes_; }
  const PlaneFormat& source() const { return source_; }
  const PlaneFormat& target() const { return target_; }

  void run(const Planes& source, Planes& target, std::uint8_t* const scratch) const {
    zimg_image_buffer_const from = {};
    zimg_image_buffer to = {};
    from.version = to.version = ZIMG_API_VERSION;
    for (int p = 0; p < 3; ++p) {
      const int in = plane_of(p, source_.rgb);
      const int out = plane_of(p, target_.rgb);
      from.plane[p] = {source.data(in), source.stride(in), ZIMG_BUFFER_MAX};
      to.plane[p].data = target.data(out);
      to.plane[p].stride = target.stride(out);
      to.plane[p].mask = ZIMG_BUFFER_MAX;
    }
    if (zimg_filter_graph_process(graph_.get(), &from, &to, scratch, nullptr, nullptr, nullptr,
                                  nullptr) != ZIMG_ERROR_SUCCESS)
      throw_zimg("change a picture's matrix");
  }

 private:
  PlaneFormat source_, target_;
  ZimgGraph graph_;
  std::size_t scratch_bytes_ = 0;
};

PictureConverter::PictureConverter(const PlaneFormat& source, const ColorDescription& from,
                                   const PlaneFormat& target, const ColorDescription& to,
                                   const Rounding rounding)
    : target_(target) {
  const bool recoloured =
      source.rgb != target.rgb ||
      (!source.rgb && (from.matrix != to.matrix || from.full_range != to.full_range));
  if (recoloured)
    recolour_ = std::make_shared<const Recolour>(source, resolved(from, source), target,
                                                 resolved(to, target), rounding);
  for (int p = 0; p < std::min(source.plane_count, target.plane_count); ++p) {
    if (recoloured && p < 3) continue;
    // Alpha spans all its codes in every format.
    PlaneGeometry geometry =
        plane_geometry(source, target, p, from.siting, to.siting, from.full_range || p == 3);
    geometry.rounding = rounding;
    planes_.emplace_back(p, PlaneResampler(geometry));
  }
}

std::size_t PictureConverter::scratch_bytes() const {
  std::size_t bytes = recolour_ ? recolour_->scratch_bytes() : 0;
  for (const auto& [plane, by] : planes_) bytes = std::max(bytes, by.scratch_bytes());
  return bytes;
}

std::size_t PictureConverter::bytes() const {
  const std::size_t scratch = scratch_bytes();
  // Where sizes are odd, or planes are missing.
  return recolour_ ? scratch + planes_bytes(recolour_->source()) + planes_bytes(recolour_->target())
                   : scratch;
}

Planes PictureConverter::run(const Planes& source) const {
  Scratch scratch(scratch_bytes());
  if (recolour_ && source.format() == recolour_->source() && target_ == recolour_->target()) {
    Planes result(target_);
    recolour_->run(source, result, scratch.data());
    return result;
  }
  Planes result;
  int known = 0;
  if (recolour_) {
    Planes out(recolour_->target());
    recolour_->run(fit_size(source, recolour_->source()), out, scratch.data());
    result = fit_size(out, target_);
    known = 3;
  } else {
    result = Planes(target_);
  }
  for (const auto& [plane, by] : planes_) {
    by.run(source.data(plane), source.stride(plane), result.data(plane), result.stride(plane),
           scratch.data());
    known = plane + 1;
  }
  for (int p = known; p < target_.plane_count; ++p) fill_neutral(result, p);
  return result;
}

Planes convert(const Planes& source, const ColorDescription& from, const PlaneFormat& target,
               const ColorDescription& to, const Rounding rounding) {
  return PictureConverter(source.format(), from, target, to, rounding).run(source);
}

}  // namespace streamvsr
