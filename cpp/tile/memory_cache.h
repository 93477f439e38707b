// What was learned about networks' memory, in the user's cache folder: docs/device-budget.md.
#pragma once

#include <optional>
#include <string>

#include "tile/planner.h"

namespace streamvsr {

// cache_folder("memory").
std::string memory_cache_folder();

// key: what tells network, device and type apart. Nothing where the folder holds nothing usable
// about it; what is torn, of another version or about another key is as if it were not there.
std::optional<Learned> recall(const std::string& folder, const std::string& key);
// Replaces what is there; whole even with several writers. A folder that cannot be written is none
// of a job's concern: nothing happens then.
void remember(const std::string& folder, const std::string& key, const Learned& learned) noexcept;

}  // namespace streamvsr
