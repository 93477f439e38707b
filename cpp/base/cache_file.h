// Small files of measured facts in the user's cache folder. Losing one costs a new measurement.
#pragma once

#include <optional>
#include <string>

namespace streamvsr {

// $XDG_CACHE_HOME/streamvsr/KIND, else ~/.cache/streamvsr/KIND; empty where neither is known.
std::string cache_folder(const std::string& kind);

// The body that was written under this key with the same magic, without its last line feed.
// Nothing where the file is missing, torn, of another version or about another key.
std::optional<std::string> read_cache_file(const std::string& folder, const std::string& magic,
                                           const std::string& key);
// Replaces the file as a whole, also with several writers. Does nothing where the folder cannot be
// written: a job never fails for a cache. magic, key: one line each; body: some lines.
void write_cache_file(const std::string& folder, const std::string& magic, const std::string& key,
                      const std::string& body) noexcept;

}  // namespace streamvsr
