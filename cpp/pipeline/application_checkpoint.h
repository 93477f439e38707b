// An application's own checkpoint, kept as the job's is: docs/checkpoint.md.
#pragma once

#include <optional>
#include <string>

namespace streamvsr {

// Entries are a JSON object in UTF-8. The file and its `.tmp` are touched only where they are such
// a checkpoint, whole or damaged, or nothing; anything else throws kOutputExists.

// Replaces the file durably. Throws kConfig beyond kMostSealedBytes.
void save_application_checkpoint(const std::string& path, const std::string& entries);
// None where there is no file. Throws kResume for one that is damaged, foreign or of another
// version.
std::optional<std::string> load_application_checkpoint(const std::string& path);
// Removes it and its `.tmp`, whatever their state, durably.
void clear_application_checkpoint(const std::string& path);

}  // namespace streamvsr
