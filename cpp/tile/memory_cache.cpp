#include "tile/memory_cache.h"

#include <algorithm>
#include <locale>
#include <sstream>

#include "base/cache_file.h"

namespace streamvsr {

namespace {

constexpr const char* kMagic = "streamvsr-memory 1";

}  // namespace

std::string memory_cache_folder() { return cache_folder("memory"); }

std::optional<Learned> recall(const std::string& folder, const std::string& key) {
  const std::optional<std::string> body = read_cache_file(folder, kMagic, key);
  if (!body) return std::nullopt;
  std::istringstream in(*body);
  in.imbue(std::locale::classic());
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
  try {
    std::ostringstream out;
    out.imbue(std::locale::classic());
    out.precision(17);
    const CutNeeds needs = learned.needs.value_or(CutNeeds{});
    std::string why_not = learned.why_not;
    std::ranges::replace(why_not, '\n', ' ');
    out << learned.model.fixed << " " << learned.model.a_sample << " " << (learned.needs ? 1 : 0)
        << " " << needs.halo << " " << needs.align << " " << needs.alike_above << " "
        << learned.failed_samples << " " << learned.failed_bytes << "\n"
        << why_not;
    write_cache_file(folder, kMagic, key, out.str());
  } catch (...) {  // out of memory: the fact is measured again
  }
}

}  // namespace streamvsr
