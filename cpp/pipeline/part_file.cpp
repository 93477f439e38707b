#include "pipeline/part_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "pipeline/checkpoint.h"

namespace streamvsr {

namespace {

[[noreturn]] void refuse(const std::string& path) {
  throw Error(ErrorKind::kOutputExists,
              "'" + path +
                  "' is in the way and is not the unfinished output of an earlier run; move it "
                  "away, or give another output",
              path, EEXIST);
}

bool is_our_checkpoint(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  try {
    checkpoint_from_json(text.str(), path);
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

void check_remains(const std::string& output) {
  const std::string part = part_path(output);
  const std::string checkpoint = checkpoint_path(output);
  struct stat status{};
  const bool has_checkpoint = ::lstat(checkpoint.c_str(), &status) == 0;
  if (has_checkpoint && (!S_ISREG(status.st_mode) || !is_our_checkpoint(checkpoint)))
    refuse(checkpoint);
  if (::lstat(part.c_str(), &status) != 0) return;
  // A run that was killed before its first checkpoint left nothing in its `.part`.
  if (!S_ISREG(status.st_mode) || (!has_checkpoint && status.st_size > 0)) refuse(part);
}

PartFile::PartFile(const std::string& output) : output_(output) {
  check_remains(output);
  file_ = File(part_path(output), O_CREAT | O_RDWR | O_NOFOLLOW);
  struct stat opened{};
  struct stat named{};
  const bool locked = file_.try_lock();
  // Another run may have finished, and renamed the file, between the opening and the lock.
  if (!locked || ::fstat(file_.descriptor(), &opened) != 0 ||
      ::lstat(file_.path().c_str(), &named) != 0 || opened.st_ino != named.st_ino ||
      opened.st_dev != named.st_dev)
    throw Error(ErrorKind::kIo,
                "another process is writing '" + output + "' (it holds '" + file_.path() + "')",
                file_.path(), EBUSY);
  owned_ = true;
  file_.truncate(0);
}

PartFile::~PartFile() {
  if (!owned_) return;
  remove_file(file_.path());
  remove_file(checkpoint_path(output_) + ".tmp");
  remove_file(checkpoint_path(output_));
}

void PartFile::commit(const bool overwrite) {
  rename_file(file_.path(), output_, overwrite);
  owned_ = false;
  // The output is whole and in its place: what fails from here on is no failure of the job.
  try {
    sync_directory(directory_of(output_));
    remove_file(checkpoint_path(output_));
    sync_directory(directory_of(output_));
  } catch (const Error&) {
    remove_file(checkpoint_path(output_));
  }
}

}  // namespace streamvsr
