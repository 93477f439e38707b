#include "color/planes.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace streamvsr {

namespace {
// From this size on a picture is mapped.
constexpr std::size_t kMapped = std::size_t{256} << 10;
}  // namespace

std::size_t planes_bytes(const PlaneFormat& format) {
  std::size_t bytes = 0;
  for (int p = 0; p < format.plane_count; ++p)
    bytes += align_up(static_cast<std::size_t>(format.plane_width(p)) * format.bytes_per_sample()) *
             static_cast<std::size_t>(format.plane_height(p));
  return bytes;
}

void Planes::Free::operator()(std::uint8_t* p) const {
  if (mapped > 0)
    ::munmap(p, mapped);
  else
    std::free(p);
}

Planes::Planes(const PlaneFormat& format) : format_(format) {
  for (int p = 0; p < format.plane_count; ++p) {
    stride_[p] = static_cast<std::ptrdiff_t>(
        align_up(static_cast<std::size_t>(format.plane_width(p)) * format.bytes_per_sample()));
    offset_[p] = bytes_;
    bytes_ += static_cast<std::size_t>(stride_[p]) * format.plane_height(p);
  }
  if (bytes_ < kMapped) {
    storage_.reset(static_cast<std::uint8_t*>(std::aligned_alloc(kRowAlign, align_up(bytes_))));
    if (!storage_) throw std::bad_alloc();
    return;
  }
  // All of it will be written: populated at once, it costs no page faults.
  void* const mapped = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  storage_ = std::unique_ptr<std::uint8_t, Free>(static_cast<std::uint8_t*>(mapped), Free(bytes_));
}

Planes Planes::clone() const {
  Planes copy(format_);
  std::memcpy(copy.storage_.get(), storage_.get(), bytes_);
  return copy;
}

}  // namespace streamvsr
