#include "base/machine.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <locale>
#include <optional>
#include <sstream>
#include <string_view>

namespace streamvsr {

namespace {

// The number at the start of a text; nothing for "max", for other words and for one too large.
std::optional<std::size_t> number_in(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The number behind a word at the start of a line.
std::optional<std::size_t> entry(const std::string& path, const std::string_view word) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(word)) return number_in(std::string_view(line).substr(word.size()));
  return std::nullopt;
}

// The names that a version of control groups has for its files.
struct GroupFiles {
  const char *limit, *used, *reclaimable;
};
constexpr GroupFiles kFirst{"/memory.limit_in_bytes", "/memory.usage_in_bytes",
                            "total_inactive_file "};
constexpr GroupFiles kSecond{"/memory.max", "/memory.current", "inactive_file "};

// What a control group leaves. Pages of files that were not used lately count as used there, but
// are given up first.
std::size_t left_in_group(const std::string& folder, const GroupFiles& names) {
  const auto limit = number_in(first_line(folder + names.limit));
  const auto used = number_in(first_line(folder + names.used));
  if (!limit || !used) return MachineFacts::kUnknown;
  const std::size_t spare = entry(folder + "/memory.stat", names.reclaimable).value_or(0);
  const std::size_t kept = *used - std::min(*used, spare);
  return *limit - std::min(*limit, kept);
}

// The least of a group and all above it. In a container the path may name folders that cannot be
// seen from inside; those above them are.
std::size_t left_in_groups(const std::string& mount, std::string path, const GroupFiles& names) {
  std::size_t least = MachineFacts::kUnknown;
  for (;;) {
    least = std::min(least, left_in_group(mount + path, names));
    if (path.empty()) return least;
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

std::size_t left_by_groups(const std::string& root) {
  const std::string mount = root + "/sys/fs/cgroup";
  std::size_t least = MachineFacts::kUnknown;
  std::ifstream file(root + "/proc/self/cgroup");
  // number:controllers:path
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
    if (second == line.npos) continue;
    std::istringstream controllers(line.substr(first + 1, second - first - 1));
    std::string path = line.substr(second + 1);
    if (path == "/") path.clear();
    bool memory = second == first + 1;
    for (std::string name; std::getline(controllers, name, ',');) memory |= name == "memory";
    if (!memory) continue;
    if (second > first + 1) {
      least = std::min(least, left_in_groups(mount + "/memory", path, kFirst));
    } else {
      least = std::min(least, left_in_groups(mount, path, kSecond));
      least = std::min(least, left_in_groups(mount + "/unified", path, kSecond));
    }
  }
  return least;
}

// What a limit of the process leaves. It counts virtual memory, of which stacks and heaps reserve
// more than they use: half of it. column: of /proc/self/statm.
std::size_t left_by_limit(const __rlimit_resource resource, const int column) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return MachineFacts::kUnknown;
  std::istringstream pages(first_line("/proc/self/statm"));
  pages.imbue(std::locale::classic());
  std::size_t used = 0;
  for (int i = 0; i <= column; ++i) pages >> used;
  used *= static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (limit.rlim_cur - std::min<std::size_t>(limit.rlim_cur, used)) / 2;
}

}  // namespace

MachineFacts machine_facts(const std::string& root) {
  MachineFacts facts;
  if (const auto kib = entry(root + "/proc/meminfo", "MemAvailable:"); kib)
    facts.available = *kib << 10;
  facts.available = std::min(facts.available, left_by_groups(root));
  if (!root.empty()) return facts;
  constexpr int kAll = 0, kData = 5;
  facts.available = std::min(
      {facts.available, left_by_limit(RLIMIT_AS, kAll), left_by_limit(RLIMIT_DATA, kData)});
  return facts;
}

}  // namespace streamvsr
