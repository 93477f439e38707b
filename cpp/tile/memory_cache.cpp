#include "tile/memory_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <locale>
#include <span>
#include <sstream>

#include "base/file.h"

namespace streamvsr {

namespace {

constexpr const char* kMagic = "streamvsr-memory 1";
constexpr std::size_t kMost = 4096;  // bytes of a file

std::uint64_t mark(const std::string& text) {  // FNV-1a
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
  return folder + "/" + hex(mark(key));
}

std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\n') c = ' ';
  return text;
}

}  // namespace

std::string memory_cache_folder() {
  const auto set = [](const char* const name) {
    const char* const value = std::getenv(name);
    return std::string(value != nullptr && value[0] == '/' ? value : "");
  };
  if (const std::string cache = set("XDG_CACHE_HOME"); !cache.empty())
    return cache + "/streamvsr/memory";
  const std::string home = set("HOME");
  return home.empty() ? "" : home + "/.cache/streamvsr/memory";
}

std::optional<Learned> recall(const std::string& folder, const std::string& key) {
  if (folder.empty()) return std::nullopt;
  std::ifstream file(path_of(folder, key), std::ios::binary);
  std::string text(kMost, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  const std::size_t end = text.rfind('\n', text.size() < 2 ? 0 : text.size() - 2);
  if (end == std::string::npos || end == 0) return std::nullopt;
  const std::string body = text.substr(0, end + 1);
  if (text.substr(end + 1) != hex(mark(body)) + "\n") return std::nullopt;
  std::istringstream in(body);
  in.imbue(std::locale::classic());
  std::string magic;
  std::string about;
  if (!std::getline(in, magic) || magic != kMagic || !std::getline(in, about) ||
      about != one_line(key))
    return std::nullopt;
  Learned learned;
  int cuttable = 0;
  CutNeeds needs;
  in >> learned.model.fixed >> learned.model.a_sample >> cuttable >> needs.halo >> needs.align >>
      needs.alike_above >> learned.failed_samples >> learned.failed_bytes;
  if (!in || needs.halo < 0 || needs.align < 1) return std::nullopt;
  in.ignore();
  std::getline(in, learned.why_not);
  if (cuttable != 0) learned.needs = needs;
  return learned;
}

void remember(const std::string& folder, const std::string& key, const Learned& learned) noexcept {
  if (folder.empty()) return;
  std::string temporary;
  try {
    std::ostringstream out;
    out.imbue(std::locale::classic());
    out.precision(17);
    const CutNeeds needs = learned.needs.value_or(CutNeeds{});
    out << kMagic << "\n"
        << one_line(key) << "\n"
        << learned.model.fixed << " " << learned.model.a_sample << " " << (learned.needs ? 1 : 0)
        << " " << needs.halo << " " << needs.align << " " << needs.alike_above << " "
        << learned.failed_samples << " " << learned.failed_bytes << "\n"
        << one_line(learned.why_not) << "\n";
    const std::string text = out.str() + hex(mark(out.str())) + "\n";
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
