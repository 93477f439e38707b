// Size, subsampling and depth of single planes, by zimg.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "color/planes.h"
#include "color/zimg.h"

namespace streamvsr {

// What becomes of a value between two codes.
enum class Rounding {
  kDiffused,  // where a picture's depth drops, Floyd-Steinberg's error diffusion; without chance
  kNearest,
};

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
  Rounding rounding = Rounding::kDiffused;

  bool operator==(const PlaneGeometry&) const = default;
};

// How plane `plane` of a picture of format `source` covers that of `target`: the luma rasters span
// the same picture, and chroma samples lie where `from` and `to` say, whatever the subsampling.
// Exact for odd sizes too, where the last chroma column stands half outside the picture.
PlaneGeometry plane_geometry(const PlaneFormat& source, const PlaneFormat& target, int plane,
                             ChromaSiting from, ChromaSiting to, bool full_range);

// Purpose: resamples planes of one geometry with the filter spline36, which keeps nearly as much
// detail as Lanczos and rings less. Thread-safety: run() from any number of threads, each with
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
  ZimgGraph graph_;
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

}  // namespace streamvsr
