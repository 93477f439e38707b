#include "color/resample.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "color/zimg.h"

namespace streamvsr {

namespace {

zimg_image_format image_format(const int width, const int height, const int depth,
                               const bool full_range, const bool as_yuv) {
  zimg_image_format format;
  zimg_image_format_default(&format, ZIMG_API_VERSION);
  format.width = static_cast<unsigned>(width);
  format.height = static_cast<unsigned>(height);
  format.pixel_type = depth > 8 ? ZIMG_PIXEL_WORD : ZIMG_PIXEL_BYTE;
  format.depth = static_cast<unsigned>(depth);
  format.pixel_range = full_range ? ZIMG_RANGE_FULL : ZIMG_RANGE_LIMITED;
  format.color_family = as_yuv ? ZIMG_COLOR_YUV : ZIMG_COLOR_GREY;
  return format;
}

// Where a chroma sample lies inside its cell of `cell` luma samples, from the cell's middle, in
// cells.
double offset_x(const ChromaSiting siting, const int cell) {
  const bool left = siting == ChromaSiting::kLeft || siting == ChromaSiting::kTopLeft ||
                    siting == ChromaSiting::kBottomLeft;
  return left ? 0.5 / cell - 0.5 : 0.0;
}
double offset_y(const ChromaSiting siting, const int cell) {
  if (siting == ChromaSiting::kTopLeft || siting == ChromaSiting::kTop) return 0.5 / cell - 0.5;
  if (siting == ChromaSiting::kBottomLeft || siting == ChromaSiting::kBottom) {
    return 0.5 - 0.5 / cell;
  }
  return 0.0;
}

}  // namespace

PlaneGeometry plane_geometry(const PlaneFormat& source, const PlaneFormat& target, const int plane,
                             const ChromaSiting from, const ChromaSiting to,
                             const bool full_range) {
  const bool chroma = !source.rgb && (plane == 1 || plane == 2);
  PlaneGeometry geometry;
  geometry.source_width = source.plane_width(plane);
  geometry.source_height = source.plane_height(plane);
  geometry.target_width = target.plane_width(plane);
  geometry.target_height = target.plane_height(plane);
  geometry.source_depth = source.depth;
  geometry.target_depth = target.depth;
  geometry.full_range = full_range;
  geometry.chroma = chroma;
  const auto cells = [&](const int log2_source, const int log2_target, const int source_size,
                         const int target_size, const int target_samples, const auto offset,
                         double& begin, double& size) {
    const int source_cell = chroma ? 1 << log2_source : 1;
    const int target_cell = chroma ? 1 << log2_target : 1;
    // Source samples a target sample spans.
    const double step = static_cast<double>(source_size) / target_size * target_cell / source_cell;
    begin = offset(to, target_cell) * step - offset(from, source_cell);
    size = step * target_samples;
  };
  cells(source.log2_sub_x, target.log2_sub_x, source.width, target.width, geometry.target_width,
        offset_x, geometry.left, geometry.width);
  cells(source.log2_sub_y, target.log2_sub_y, source.height, target.height, geometry.target_height,
        offset_y, geometry.top, geometry.height);
  return geometry;
}

PlaneResampler::PlaneResampler(const PlaneGeometry& geometry) {
  // zimg scales a gray plane's codes from zero. Full-range chroma scales around its middle, which
  // zimg does for a chroma plane, so it goes in as one; the other two planes are filled with what
  // is at hand.
  as_yuv_ =
      geometry.chroma && geometry.full_range && geometry.source_depth != geometry.target_depth;
  zimg_image_format from = image_format(geometry.source_width, geometry.source_height,
                                        geometry.source_depth, geometry.full_range, as_yuv_);
  const zimg_image_format to = image_format(geometry.target_width, geometry.target_height,
                                            geometry.target_depth, geometry.full_range, as_yuv_);
  from.active_region = {geometry.left, geometry.top, geometry.width, geometry.height};
  zimg_graph_builder_params params;
  zimg_graph_builder_params_default(&params, ZIMG_API_VERSION);
  params.resample_filter = ZIMG_RESIZE_SPLINE36;
  params.resample_filter_uv = ZIMG_RESIZE_SPLINE36;
  params.dither_type =
      geometry.rounding == Rounding::kDiffused && geometry.target_depth < geometry.source_depth
          ? ZIMG_DITHER_ERROR_DIFFUSION
          : ZIMG_DITHER_NONE;
  graph_.reset(zimg_filter_graph_build(&from, &to, &params));
  if (!graph_) throw_zimg("prepare a conversion");
  if (zimg_filter_graph_get_tmp_size(graph_.get(), &graph_bytes_) != ZIMG_ERROR_SUCCESS) {
    throw_zimg("prepare a conversion");
  }
  graph_bytes_ = align_up(graph_bytes_);
  scratch_bytes_ = graph_bytes_;
  if (as_yuv_) {
    const std::size_t row = align_up(static_cast<std::size_t>(geometry.target_width) * 2);
    scratch_bytes_ += row * static_cast<std::size_t>(geometry.target_height);
  }
}

void PlaneResampler::run(const std::uint8_t* source, const std::ptrdiff_t source_stride,
                         std::uint8_t* target, const std::ptrdiff_t target_stride,
                         std::uint8_t* scratch) const {
  zimg_image_buffer_const from = {};
  zimg_image_buffer to = {};
  from.version = to.version = ZIMG_API_VERSION;
  for (int plane = 0; plane < (as_yuv_ ? 3 : 1); ++plane) {
    from.plane[plane] = {source, source_stride, ZIMG_BUFFER_MAX};
    // Luma and Cr of the borrowed picture share a plane that nobody reads.
    const bool counts = !as_yuv_ || plane == 1;
    to.plane[plane].data = counts ? target : scratch + graph_bytes_;
    to.plane[plane].stride = target_stride;
    to.plane[plane].mask = ZIMG_BUFFER_MAX;
  }
  if (zimg_filter_graph_process(graph_.get(), &from, &to, scratch, nullptr, nullptr, nullptr,
                                nullptr) != ZIMG_ERROR_SUCCESS) {
    throw_zimg("convert a plane");
  }
}

Scratch::Scratch(const std::size_t bytes)
    : data_(static_cast<std::uint8_t*>(
          std::aligned_alloc(kRowAlign, align_up(std::max<std::size_t>(bytes, 1))))) {
  if (!data_) throw std::bad_alloc();
}

void Scratch::Free::operator()(std::uint8_t* p) const { std::free(p); }

}  // namespace streamvsr
