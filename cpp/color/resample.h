// Size, subsampling and depth of planes, by zimg. Matrix, transfer and range stay what they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "color/planes.h"

struct zimg_filter_graph;

namespace streamvsr {

// One plane's way from one raster to another.
struct PlaneGeometry {
  int source_width = 0;  // samples, >= 1
  int source_height = 0;
  int target_width = 0;
  int target_height = 0;
  int source_depth = 8;  // 8..16
  int target_depth = 8;
  // The part of the source that the target's raster covers, in source samples; may reach beyond it.
  double left = 0;
  double top = 0;
  double width = 0;
  double height = 0;
  // Only of weight when the depth changes: full-range codes scale by (2^t - 1) / (2^s - 1), limited
  // ones by 2^(t - s); chroma does so around its middle code.
  bool full_range = false;
  bool chroma = false;

  bool operator==(const PlaneGeometry&) const = default;
};

// How plane `plane` of a picture of format `source` covers that of `target`: the luma rasters span
// the same picture, and chroma samples lie where `siting` says in both, whatever the subsampling.
// Exact for odd sizes too, where the last chroma column stands half outside the picture.
PlaneGeometry plane_geometry(const PlaneFormat& source, const PlaneFormat& target, int plane,
                             ChromaSiting siting, bool full_range);

// Purpose: resamples planes of one geometry with the filter spline36, which keeps nearly as much
// detail as Lanczos and rings less; to nearest code, or by Floyd-Steinberg error diffusion where
// the depth drops, both without chance. Thread-safety: run() from any number of threads, each with
// its own scratch. Ownership: owns the zimg graph.
class PlaneResampler {
 public:
  explicit PlaneResampler(const PlaneGeometry& geometry);

  // Bytes run() needs as scratch, 64-byte aligned.
  std::size_t scratch_bytes() const { return scratch_bytes_; }
  // Rows 32-byte aligned; strides in bytes.
  void run(const std::uint8_t* source, std::ptrdiff_t source_stride, std::uint8_t* target,
           std::ptrdiff_t target_stride, std::uint8_t* scratch) const;

 private:
  struct Free {
    void operator()(zimg_filter_graph* graph) const;
  };
  std::unique_ptr<zimg_filter_graph, Free> graph_;
  bool as_yuv_ = false;            // the graph's picture is Y, Cb, Cr, of which only Cb counts
  std::size_t scratch_bytes_ = 0;  // of the graph, and of the planes that do not count
  std::size_t graph_bytes_ = 0;
};

// A buffer as PlaneResampler wants it.
class Scratch {
 public:
  explicit Scratch(std::size_t bytes);
  std::uint8_t* data() { return data_.get(); }

 private:
  struct Free {
    void operator()(std::uint8_t* p) const;
  };
  std::unique_ptr<std::uint8_t, Free> data_;
};

// A whole picture in another size, subsampling or depth, both with this siting. Planes the source
// lacks are filled: chroma with its middle code, alpha opaque. RGB stays RGB: kConfig when
// target.rgb differs.
Planes convert(const Planes& source, const PlaneFormat& target, ChromaSiting siting,
               bool full_range = false);

}  // namespace streamvsr
