// Small JSON objects on the disk that are whole or known not to be: a magic, a version, a checksum,
// and a replacement that is durable. The job's checkpoint and an application's are such files.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace streamvsr {

struct SealedKind {
  const char* magic;  // none is part of another
  int version;        // the one that is written and read
};

constexpr std::size_t kMostSealedBytes = 64 << 10;
// Levels of lists and mappings in each other: writing JSON takes stack for each.
constexpr int kMostSealedDepth = 128;
// What a checkpoint takes on the disk: itself and the one that replaces it.
constexpr std::int64_t kCheckpointBytes = 2 * static_cast<std::int64_t>(kMostSealedBytes);

// The file's text. entries: a JSON object in UTF-8, without "magic", "version" and "checksum", of
// at most kMostSealedDepth levels; else throws kConfig.
std::string seal(const SealedKind& kind, const std::string& entries);
// The entries again, with magic and version. Throws kResume for text that is torn, altered, of
// another kind or version.
std::string unseal(const SealedKind& kind, const std::string& text, const std::string& path);
// Replaces the file durably. Throws kConfig, before anything is written, for text beyond
// kMostSealedBytes: "<whose> need a checkpoint of ...: <way>".
void replace_sealed(const std::string& path, const std::string& text, const std::string& whose,
                    const std::string& way);

// Of a regular file no more than one byte beyond the limit.
std::string sealed_text(const std::string& path);
// Whether a text that cannot be unsealed was meant to be of this kind.
bool names_kind(const SealedKind& kind, const std::string& text);
// Whether a file is what a power loss or a kill makes of one being written: its beginning, or
// places that were never filled.
bool may_be_torn(const SealedKind& kind, const std::string& text);

// Whether something has a name; what cannot be told throws.
bool is_there(const std::string& path, struct stat& status);

}  // namespace streamvsr
