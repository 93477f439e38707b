#include "pipeline/sealed_file.h"

#include <fcntl.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "media/hash.h"

namespace streamvsr {

using nlohmann::json;

namespace {

// Nothing where the text is no JSON or is nested too deeply.
std::optional<json> parse(const std::string& text) {
  bool too_deep = false;
  const json::parser_callback_t watch = [&](const int depth, json::parse_event_t, json&) {
    too_deep = too_deep || depth > kMostSealedDepth;
    return !too_deep;  // the parser does not keep what is nested deeper
  };
  json all = json::parse(text, watch, false);
  if (too_deep || all.is_discarded()) return std::nullopt;
  return all;
}

}  // namespace

std::string seal(const SealedKind& kind, const std::string& entries) {
  std::optional<json> parsed = parse(entries);
  if (!parsed || !parsed->is_object())
    throw Error(ErrorKind::kConfig, "a checkpoint's entries must be a JSON object of at most " +
                                        std::to_string(kMostSealedDepth) + " levels");
  json& all = *parsed;
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
  std::optional<json> parsed = parse(text);
  if (!parsed || !parsed->is_object() || !parsed->contains("magic") ||
      (*parsed)["magic"] != kind.magic)
    throw refuse("is torn, or none of streamvsr's");
  json& all = *parsed;
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
