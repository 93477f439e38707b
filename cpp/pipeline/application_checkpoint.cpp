#include "pipeline/application_checkpoint.h"

#include "base/error.h"
#include "base/file.h"
#include "pipeline/sealed_file.h"

namespace streamvsr {

namespace {

constexpr SealedKind kKind = {"streamvsr application checkpoint", 1};

[[noreturn]] void refuse(const std::string& path) {
  throw Error(ErrorKind::kOutputExists,
              "'" + path +
                  "' is in the way and is no checkpoint of CheckpointManager's; move it "
                  "away, or give another path",
              path, EEXIST);
}

// Not by its magic alone, which another file may name.
bool is_ours_text(const std::string& text, const std::string& path) {
  if (may_be_torn(kKind, text)) return true;
  try {
    unseal(kKind, text, path);
    return true;
  } catch (const Error&) {
    return false;
  }
}

// Whether a name holds a checkpoint of this kind, in whatever state; throws for anything else.
bool is_ours(const std::string& path) {
  struct stat status{};
  if (!is_there(path, status)) return false;
  if (!S_ISREG(status.st_mode) || !is_ours_text(sealed_text(path), path)) refuse(path);
  return true;
}

void check_ours(const std::string& path) {
  const bool beside = is_ours(path);
  struct stat status{};
  // A power loss may leave anything in the `.tmp`; then what lies beside it tells whose it is.
  if (beside && is_there(path + ".tmp", status) && S_ISREG(status.st_mode) &&
      static_cast<std::size_t>(status.st_size) <= kMostSealedBytes)
    return;
  is_ours(path + ".tmp");
}

}  // namespace

void save_application_checkpoint(const std::string& path, const std::string& entries) {
  const std::string text = seal(kKind, entries);
  check_ours(path);
  replace_sealed(path, text, "the parameters",
                 "keep the job's progress and parameters in it, never its data");
}

std::optional<std::string> load_application_checkpoint(const std::string& path) {
  struct stat status{};
  if (!is_there(path, status)) return std::nullopt;
  const std::string text = S_ISREG(status.st_mode) ? sealed_text(path) : std::string();
  try {
    return unseal(kKind, text, path);
  } catch (const Error& error) {
    const bool ours = S_ISREG(status.st_mode) && is_ours_text(text, path);
    throw Error(ErrorKind::kResume,
                error.what() + std::string(ours ? "; clear_checkpoint() removes it, to start over"
                                                : "; give another path"),
                path);
  }
}

void clear_application_checkpoint(const std::string& path) {
  check_ours(path);
  remove_file(path + ".tmp");
  remove_file(path);
  sync_directory(directory_of(path));
}

}  // namespace streamvsr
