// A picture in memory: integer planes, nothing of FFmpeg.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace streamvsr {

// How a picture's samples lie. Values are part of the contract between the stages.
struct PlaneFormat {
  int width = 0;        // of the first plane, samples; >= 1
  int height = 0;       // of the first plane, rows; >= 1
  int plane_count = 3;  // 1: gray. 3: Y, Cb, Cr (or G, B, R when rgb). 4: with alpha, full size.
  int log2_sub_x = 1;   // chroma's horizontal subsampling, planes 1 and 2
  int log2_sub_y = 1;   // chroma's vertical subsampling
  int depth = 8;  // bits used of each sample: 8 is stored as uint8, 9..16 as uint16, native endian
  bool rgb = false;  // planes are G, B, R in FFmpeg's planar order

  int bytes_per_sample() const { return depth > 8 ? 2 : 1; }
  int plane_width(int plane) const {
    return plane == 1 || plane == 2 ? (width + (1 << log2_sub_x) - 1) >> log2_sub_x : width;
  }
  int plane_height(int plane) const {
    return plane == 1 || plane == 2 ? (height + (1 << log2_sub_y) - 1) >> log2_sub_y : height;
  }
  bool operator==(const PlaneFormat&) const = default;
};

// zimg wants rows of 32 bytes, AVX-512 loads are happiest on 64.
inline constexpr std::size_t kRowAlign = 64;
constexpr std::size_t align_up(const std::size_t n) {
  return (n + kRowAlign - 1) / kRowAlign * kRowAlign;
}

// Bytes of memory that a picture of this format takes.
std::size_t planes_bytes(const PlaneFormat& format);

// Where chroma samples lie relative to luma, as ITU-T H.273 and zimg name the positions.
enum class ChromaSiting { kLeft, kCenter, kTopLeft, kTop, kBottomLeft, kBottom };

// Purpose: owns one picture. Rows are 64-byte aligned; stride is in bytes, positive, equal for no
// two planes by promise. A large one's memory comes from the system and goes back to it at once:
// made on one thread and freed on another, it would stay in the allocator's heaps. Thread-safety:
// like a vector. Moving is cheap; copying is explicit through clone().
class Planes {
 public:
  Planes() = default;
  explicit Planes(const PlaneFormat& format);
  Planes(Planes&&) noexcept = default;
  Planes& operator=(Planes&&) noexcept = default;

  Planes clone() const;

  const PlaneFormat& format() const { return format_; }
  bool empty() const { return storage_ == nullptr; }
  std::uint8_t* data(int plane) { return storage_.get() + offset_[plane]; }
  const std::uint8_t* data(int plane) const { return storage_.get() + offset_[plane]; }
  std::ptrdiff_t stride(int plane) const { return stride_[plane]; }
  template <class Sample>
  Sample* row(int plane, int y) {
    return reinterpret_cast<Sample*>(data(plane) + y * stride_[plane]);
  }
  template <class Sample>
  const Sample* row(int plane, int y) const {
    return reinterpret_cast<const Sample*>(data(plane) + y * stride_[plane]);
  }
  // Bytes of memory held.
  std::size_t bytes() const { return bytes_; }

 private:
  struct Free {
    Free() noexcept : mapped(0) {}
    explicit Free(std::size_t bytes) noexcept : mapped(bytes) {}
    std::size_t mapped;  // bytes, by mmap; 0: from the heap
    void operator()(std::uint8_t* p) const;
  };
  PlaneFormat format_;
  std::unique_ptr<std::uint8_t, Free> storage_;
  std::size_t offset_[4] = {};
  std::ptrdiff_t stride_[4] = {};
  std::size_t bytes_ = 0;
};

}  // namespace streamvsr
