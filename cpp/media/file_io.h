// FFmpeg's writes on a file of ours, with the system's own error kept and writes that can be
// dropped.
#pragma once

#include <exception>
#include <memory>

#include "base/file.h"
#include "media/av.h"

namespace streamvsr {

// Purpose: an AVIOContext over a File. Not movable: FFmpeg holds its address. Thread-safety: none.
// Ownership: the File stays the caller's and must outlive this.
class FileIo {
 public:
  // Writes that begin before keep_from are dropped: a muxer can be led over bytes that are in the
  // file already.
  FileIo(File& file, std::int64_t start, std::int64_t keep_from = 0);
  FileIo(const FileIo&) = delete;
  FileIo& operator=(const FileIo&) = delete;
  // Changes the border; what is buffered goes by the old one.
  void keep_from(std::int64_t border);
  // Goes on at a place, keeping what is written from there.
  void restart(std::int64_t place);

  AVIOContext* context() const { return context_.get(); }
  // Rethrows the error of a write that failed: FFmpeg would only pass a code on, and not always the
  // right one.
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }
  std::int64_t position() const { return avio_tell(context_.get()); }
  std::int64_t written() const { return written_; }  // bytes that reached the file

 private:
  struct Free {
    void operator()(AVIOContext* context) const;
  };
  int write(const std::uint8_t* data, int size);
  std::int64_t seek(std::int64_t offset, int whence);

  File& file_;
  std::int64_t position_;
  std::int64_t end_;
  std::int64_t keep_from_;
  std::int64_t written_ = 0;
  std::exception_ptr failure_;
  std::unique_ptr<AVIOContext, Free> context_;
};

}  // namespace streamvsr
