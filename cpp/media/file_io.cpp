#include "media/file_io.h"

#include <algorithm>
#include <new>

namespace streamvsr {

namespace {
constexpr int kBuffer = 1 << 18;  // bytes
}

void FileIo::Free::operator()(AVIOContext* context) const {
  av_freep(&context->buffer);
  avio_context_free(&context);
}

FileIo::FileIo(File& file, const std::int64_t start, const std::int64_t keep_from)
    : file_(file), position_(start), end_(std::max(start, keep_from)), keep_from_(keep_from) {
  auto* const buffer = static_cast<unsigned char*>(av_malloc(kBuffer));
  if (buffer == nullptr) throw std::bad_alloc();
#if LIBAVFORMAT_VERSION_MAJOR >= 61
  using Data = const std::uint8_t*;
#else
  using Data = std::uint8_t*;
#endif
  context_.reset(avio_alloc_context(
      buffer, kBuffer, 1, this, nullptr,
      [](void* self, Data data, int size) { return static_cast<FileIo*>(self)->write(data, size); },
      [](void* self, std::int64_t offset, int whence) {
        return static_cast<FileIo*>(self)->seek(offset, whence);
      }));
  if (!context_) {
    av_free(buffer);
    throw std::bad_alloc();
  }
  if (start != 0) avio_seek(context_.get(), start, SEEK_SET);
}

void FileIo::keep_from(const std::int64_t border) {
  avio_flush(context_.get());
  keep_from_ = border;
}

void FileIo::restart(const std::int64_t place) {
  keep_from(place);
  avio_seek(context_.get(), place, SEEK_SET);
}

int FileIo::write(const std::uint8_t* const data, const int size) {
  try {
    if (failure_) return AVERROR(EIO);
    // One buffer may straddle the border: only its part behind it is kept.
    const std::int64_t skip = std::clamp<std::int64_t>(keep_from_ - position_, 0, size);
    if (skip < size) {
      file_.write_at({data + skip, static_cast<std::size_t>(size - skip)}, position_ + skip);
      written_ += size - skip;
    }
    position_ += size;
    end_ = std::max(end_, position_);
    return size;
  } catch (const Error& error) {
    failure_ = std::current_exception();
    return AVERROR(error.code() != 0 ? error.code() : EIO);
  } catch (...) {
    failure_ = std::current_exception();
    return AVERROR(EIO);
  }
}

std::int64_t FileIo::seek(const std::int64_t offset, const int whence) {
  switch (whence) {
    case AVSEEK_SIZE:
      return end_;
    case SEEK_SET:
      position_ = offset;
      break;
    case SEEK_CUR:
      position_ += offset;
      break;
    case SEEK_END:
      position_ = end_ + offset;
      break;
    default:
      return AVERROR(EINVAL);
  }
  return position_;
}

}  // namespace streamvsr
