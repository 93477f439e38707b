// Every failure of the core is an Error: what kind it is (so that Python can raise a class that
// also is the matching builtin), one sentence for the user, the file it concerns and the system's
// code.
#pragma once

#include <cerrno>
#include <stdexcept>
#include <string>
#include <string_view>

namespace streamvsr {

enum class ErrorKind {
  kNotFound,      // the input is not there
  kInput,         // the input is there and cannot be used
  kDamaged,       // the input broke while it was read, and the caller asked for strictness
  kConfig,        // a parameter, or a combination of them, that cannot work
  kOutputExists,  // something is already where the output should go
  kIo,            // the system refused a read or a write
  kBusy,          // another process is writing the same output
  kResume,        // what an interrupted run left cannot be gone on with
  kMemory,        // a memory budget cannot hold what is asked
  kModel,         // a network file that cannot be used
  kStopped,       // stop() or a signal ended the run
  kInternal,      // a broken promise of our own
};

// Purpose: the one exception type thrown by the core. Thread-safe by being a value.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message, std::string path = {}, int code = 0)
      : std::runtime_error(message), kind_(kind), path_(std::move(path)), code_(code) {}

  ErrorKind kind() const noexcept { return kind_; }
  // The file concerned; empty when none is.
  const std::string& path() const noexcept { return path_; }
  // errno of the failing call; 0 when the system was not involved.
  int code() const noexcept { return code_; }

 private:
  ErrorKind kind_;
  std::string path_;
  int code_;
};

// Throws kIo for a system call that failed: "cannot <doing> '<path>': <strerror>".
[[noreturn]] void throw_errno(int code, std::string_view doing, const std::string& path);

// Passes a system call's result on, or throws for a negative one.
inline long check_errno(long result, std::string_view doing, const std::string& path) {
  if (result < 0) throw_errno(errno, doing, path);
  return result;
}

}  // namespace streamvsr
