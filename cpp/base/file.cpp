#include "base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <locale>
#include <sstream>

#include "base/error.h"

namespace streamvsr {

namespace {

// Repeats a call that a signal interrupted.
template <class Call>
auto uninterrupted(const Call& call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

}  // namespace

File::File(const std::string& path, const int flags, const unsigned mode)
    : descriptor_(static_cast<int>(
          check_errno(uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); }),
                      "open", path))),
      path_(path) {}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void File::write_at(std::span<const std::uint8_t> bytes, std::int64_t offset) {
  while (!bytes.empty()) {
    const ssize_t n = check_errno(
        uninterrupted([&] { return ::pwrite(descriptor_, bytes.data(), bytes.size(), offset); }),
        "write", path_);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += n;
  }
}

std::size_t File::read_at(const std::span<std::uint8_t> bytes, const std::int64_t offset) const {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n =
        check_errno(uninterrupted([&] {
                      return ::pread(descriptor_, bytes.data() + done, bytes.size() - done,
                                     offset + static_cast<std::int64_t>(done));
                    }),
                    "read", path_);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

std::int64_t File::size() const {
  struct stat status{};
  check_errno(::fstat(descriptor_, &status), "look at", path_);
  return status.st_size;
}

void File::truncate(const std::int64_t size) {
  check_errno(uninterrupted([&] { return ::ftruncate(descriptor_, size); }), "cut", path_);
}
void File::sync() {
  check_errno(uninterrupted([&] { return ::fsync(descriptor_); }), "make durable", path_);
}
void File::sync_data() {
  check_errno(uninterrupted([&] { return ::fdatasync(descriptor_); }), "make durable", path_);
}

bool File::try_lock() {
  if (uninterrupted([&] { return ::flock(descriptor_, LOCK_EX | LOCK_NB); }) == 0) return true;
  if (errno == EWOULDBLOCK) return false;
  throw_errno(errno, "lock", path_);
}

int File::lock_owner() const {
  struct stat status{};
  check_errno(::fstat(descriptor_, &status), "look at", path_);
  // "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF", device numbers in hexadecimal: proc(5).
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);
    words.imbue(std::locale::classic());
    std::string number, kind, mode, access, where;
    int pid = 0;
    if (!(words >> number >> kind >> mode >> access >> pid >> where) || kind != "FLOCK") continue;
    const std::size_t colon = where.rfind(':');
    if (colon != std::string::npos && where.substr(colon + 1) == std::to_string(status.st_ino))
      return pid;
  }
  return 0;
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

void sync_directory(const std::string& directory) {
  File(directory, O_RDONLY | O_DIRECTORY).sync();
}

void rename_file(const std::string& from, const std::string& to, const bool replace) {
  if (replace) {
    check_errno(::rename(from.c_str(), to.c_str()), "rename the finished file to", to);
    return;
  }
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return;
  if (errno == EEXIST)
    throw Error(ErrorKind::kOutputExists, "the output '" + to + "' exists already", to, EEXIST);
  if (errno != EINVAL && errno != ENOSYS) throw_errno(errno, "rename the finished file to", to);
  // A file system without RENAME_NOREPLACE: a hard link fails just as safely where the name is
  // taken.
  if (::link(from.c_str(), to.c_str()) != 0) {
    if (errno == EEXIST)
      throw Error(ErrorKind::kOutputExists, "the output '" + to + "' exists already", to, EEXIST);
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
      throw_errno(errno, "rename the finished file to", to);
    // Neither (FAT): only a look remains.
    if (::access(to.c_str(), F_OK) == 0)
      throw Error(ErrorKind::kOutputExists, "the output '" + to + "' exists already", to, EEXIST);
    check_errno(::rename(from.c_str(), to.c_str()), "rename the finished file to", to);
    return;
  }
  check_errno(::unlink(from.c_str()), "remove", from);
}

void remove_file(const std::string& path) noexcept { ::unlink(path.c_str()); }

namespace {

// A new file: what has the name already, left by a run that was killed or put there by another
// program, is removed and never written through.
File new_file(const std::string& path) {
  constexpr int kFlags = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW;
  try {
    return File(path, kFlags);
  } catch (const Error& error) {
    if (error.code() != EEXIST) throw;
  }
  remove_file(path);
  return File(path, kFlags);
}

}  // namespace

void replace_file(const std::string& path, const std::string_view content) {
  const std::string temporary = path + ".tmp";
  {
    File file = new_file(temporary);
    file.write_at({reinterpret_cast<const std::uint8_t*>(content.data()), content.size()}, 0);
    file.sync();
  }
  rename_file(temporary, path, true);
  sync_directory(directory_of(path));
}

}  // namespace streamvsr
