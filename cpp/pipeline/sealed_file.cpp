#include "pipeline/sealed_file.h"

#include <fcntl.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "media/hash.h"

namespace streamvsr {

using nlohmann::json;

std::string seal(const SealedKind& kind, const std::string& entries) {
  json all = json::parse(entries);
  all["magic"] = kind.magic;
  all["version"] = kind.version;
  // The magic first, so that even a torn file is known.
  nlohmann::ordered_json text = {{"magic", kind.magic}, {"version", kind.version}};
  for (const auto& [key, value] : all.items()) text[key] = value;
  text["checksum"] = sha256(all.dump());
  return text.dump(1) + "\n";
}

std::string unseal(const SealedKind& kind, const std::string& text, const std::string& path) {
  const auto refuse = [&](const std::string& why) {
    return Error(ErrorKind::kResume, "the checkpoint '" + path + "' " + why, path);
  };
  json all = json::parse(text, nullptr, false);
  if (!all.is_object() || !all.contains("magic") || all["magic"] != kind.magic)
    throw refuse("is torn, or none of streamvsr's");
  if (!all.contains("version") || all["version"] != kind.version)
    throw refuse("has version " + (all.contains("version") ? all["version"].dump() : "none") +
                 ", and this program reads version " + std::to_string(kind.version));
  const json checksum = all.contains("checksum") ? all["checksum"] : json();
  all.erase("checksum");
  std::string entries = all.dump();
  if (checksum != sha256(entries)) throw refuse("was altered: its checksum does not fit");
  return entries;
}

void replace_sealed(const std::string& path, const std::string& text, const std::string& whose,
                    const std::string& way) {
  if (text.size() > kMostSealedBytes)
    throw Error(ErrorKind::kConfig,
                whose + " need a checkpoint of " + std::to_string(text.size()) +
                    " bytes, above the limit of " + std::to_string(kMostSealedBytes) + ": " + way,
                path);
  replace_file(path, text);
}

std::string sealed_text(const std::string& path) {
  const File file(path, O_RDONLY | O_NOFOLLOW);
  std::string text(kMostSealedBytes + 1, '\0');
  text.resize(file.read_at({reinterpret_cast<std::uint8_t*>(text.data()), text.size()}, 0));
  return text;
}

bool names_kind(const SealedKind& kind, const std::string& text) {
  return text.find(kind.magic) != std::string::npos;
}

bool may_be_torn(const SealedKind& kind, const std::string& text) {
  const std::string begin = std::string("{\n \"magic\": \"") + kind.magic + "\"";
  const std::string head = text.substr(0, begin.size());
  return text.size() <= kMostSealedBytes &&
         (begin.starts_with(head) || head.find_first_not_of('\0') == std::string::npos);
}

bool is_there(const std::string& path, struct stat& status) {
  if (::lstat(path.c_str(), &status) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  throw_errno(errno, "look at", path);
}

}  // namespace streamvsr
