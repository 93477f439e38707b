// Files as the crash-safe output needs them: descriptors that close themselves, whole writes,
// durable renames.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace streamvsr {

// Purpose: owns a file descriptor. Thread-safety: none. Every failure throws kIo with path and
// errno.
class File {
 public:
  File() = default;
  // flags and mode as open(2); O_CLOEXEC is added.
  File(const std::string& path, int flags, unsigned mode = 0666);
  ~File();
  File(File&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}
  File& operator=(File&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(path_, other.path_);
    return *this;
  }

  int descriptor() const { return descriptor_; }
  const std::string& path() const { return path_; }
  void write_at(std::span<const std::uint8_t> bytes, std::int64_t offset);
  // Reads up to bytes.size(); returns how many there were.
  std::size_t read_at(std::span<std::uint8_t> bytes, std::int64_t offset) const;
  std::int64_t size() const;
  void truncate(std::int64_t size);
  void sync();       // data and metadata durable (fsync)
  void sync_data();  // data durable (fdatasync)
  // False when another open description holds the lock (flock, exclusive); it goes with the
  // descriptor.
  bool try_lock();
  // The process that holds a lock on this file, as the kernel lists it; 0 when it lists none (a
  // network file system, another container).
  int lock_owner() const;

 private:
  int descriptor_ = -1;
  std::string path_;
};

// The directory a path lies in; "." for a bare name.
std::string directory_of(const std::string& path);
// Makes renames and removals in a directory durable.
void sync_directory(const std::string& directory);
// Renames; without replace, fails with EEXIST when something is at `to`, without a race.
void rename_file(const std::string& from, const std::string& to, bool replace);
// Removes a file; one that is not there is no error.
void remove_file(const std::string& path) noexcept;
// Writes a small file so that after a crash either the old or the new content is there.
void replace_file(const std::string& path, std::string_view content);

}  // namespace streamvsr
