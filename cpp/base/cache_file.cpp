#include "base/cache_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>

#include "base/file.h"

namespace streamvsr {

namespace {

constexpr std::size_t kMost = 4096;  // bytes of a file

std::uint64_t fnv1a(const std::string& text) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return hash;
}

std::string hex(const std::uint64_t value) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(value));
  return text.data();
}

std::string path_of(const std::string& folder, const std::string& key) {
  return folder + "/" + hex(fnv1a(key));
}

std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\n') c = ' ';
  return text;
}

std::string head(const std::string& magic, const std::string& key) {
  return one_line(magic) + "\n" + one_line(key) + "\n";
}

}  // namespace

std::string cache_folder(const std::string& kind) {
  const auto set = [](const char* const name) {
    const char* const value = std::getenv(name);
    return std::string(value != nullptr && value[0] == '/' ? value : "");
  };
  if (const std::string cache = set("XDG_CACHE_HOME"); !cache.empty())
    return cache + "/streamvsr/" + kind;
  const std::string home = set("HOME");
  return home.empty() ? "" : home + "/.cache/streamvsr/" + kind;
}

std::optional<std::string> read_cache_file(const std::string& folder, const std::string& magic,
                                           const std::string& key) {
  if (folder.empty()) return std::nullopt;
  std::ifstream file(path_of(folder, key), std::ios::binary);
  std::string text(kMost, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  const std::size_t end = text.rfind('\n', text.size() < 2 ? 0 : text.size() - 2);
  if (end == std::string::npos || end == 0) return std::nullopt;
  const std::string whole = text.substr(0, end + 1);
  if (text.substr(end + 1) != hex(fnv1a(whole)) + "\n") return std::nullopt;
  const std::string expected = head(magic, key);
  if (!whole.starts_with(expected)) return std::nullopt;
  std::string body = whole.substr(expected.size());
  if (!body.empty()) body.pop_back();
  return body;
}

void write_cache_file(const std::string& folder, const std::string& magic, const std::string& key,
                      const std::string& body) noexcept {
  if (folder.empty()) return;
  std::string temporary;
  try {
    const std::string whole = head(magic, key) + body + "\n";
    const std::string text = whole + hex(fnv1a(whole)) + "\n";
    if (text.size() > kMost) return;
    std::filesystem::create_directories(folder);
    static std::atomic<unsigned> count{0};
    temporary = path_of(folder, key) + "." + std::to_string(::getpid()) + "." +
                std::to_string(count++) + ".tmp";
    {
      File file(temporary, O_WRONLY | O_CREAT | O_EXCL);
      file.write_at(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()), 0);
    }
    rename_file(temporary, path_of(folder, key), true);
  } catch (...) {
    if (!temporary.empty()) remove_file(temporary);
  }
}

}  // namespace streamvsr
