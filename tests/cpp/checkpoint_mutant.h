// Checkpoints that no run wrote and whose checksum is right.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "pipeline/checkpoint.h"

namespace streamvsr::test {

// Purpose: draws mutants of a checkpoint; the same seed draws the same ones. Thread-safety: none.
class CheckpointMutator {
 public:
  explicit CheckpointMutator(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(const std::uint64_t count) { return random_() % count; }

  // One to three changes; sealed again.
  std::string mutant(const std::string& text) {
    nlohmann::json all = nlohmann::json::parse(unseal(Checkpoint::kKind, text, "mutant"));
    for (std::uint64_t changes = 1 + below(3); changes > 0; --changes) try_change(all);
    return seal(Checkpoint::kKind, all.dump());
  }

 private:
  using json = nlohmann::json;

  void try_change(json& all) {
    try {
      change(all);
    } catch (const json::exception&) {  // NOLINT: an earlier change removed what this one is about
    }
  }

  void change(json& all) {
    // What must agree changes together now and then, so that later checks are reached too.
    switch (below(6)) {
      case 0:
        return resize(all, {"/part/ends", "/part/last_durations"});
      case 1:
        return resize(all, {"/video/recent_pts"});
      case 2: {
        const json value = number();
        all["/video/packets"_json_pointer] = all["/source/next_frame"_json_pointer] = value;
        return;
      }
      case 3:
        all["stage"] = std::vector{"running", "finishing", "committed"}[below(3)];
        return;
      default:
        return change_any(all);
    }
  }

  void resize(json& all, const std::vector<std::string>& lists) {
    const std::uint64_t size = std::vector{0, 1, 2, 3, 4, 5, 17, 64, 1000}[below(9)];
    for (const std::string& name : lists) {
      json& list = all[json::json_pointer(name)];
      json numbers = json::array();
      for (std::uint64_t i = 0; i < size; ++i)
        numbers.push_back(list.is_array() && i < list.size() ? list[i] : number());
      list = numbers;
    }
  }

  // The integer above or below; the largest one wraps round.
  static std::int64_t neighbour(const std::int64_t value, const bool above) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(value) + (above ? 1U : ~0ULL));
  }

  void change_any(json& all) {
    std::vector<json::json_pointer> places;
    const json flat = all.flatten();
    for (const auto& [name, value] : flat.items()) {
      json::json_pointer place(name);
      places.push_back(place);
      while (!(place = place.parent_pointer()).empty()) places.push_back(place);
    }
    const json::json_pointer& place = places[below(places.size())];
    if (!all.contains(place)) return;
    json& value = all[place];
    switch (below(8)) {
      case 0: {
        json& parent = all[place.parent_pointer()];
        if (parent.is_object()) parent.erase(place.back());
        return;
      }
      case 1:
      case 2:
      case 3:
        value = value.is_number_integer() && below(2) == 0
                    ? json(neighbour(value.get<std::int64_t>(), below(2) == 0))
                    : number();
        return;
      case 4:
        value = std::vector<json>{nullptr,
                                  true,
                                  1.5,
                                  1e300,
                                  "",
                                  "\0",
                                  json::array(),
                                  json::object(),
                                  std::string(64, 'a')}[below(9)];
        return;
      case 5:
        if (value.is_array() && !value.empty()) value.push_back(value[below(value.size())]);
        return;
      case 6:
        if (value.is_array() && !value.empty()) value.erase(below(value.size()));
        return;
      default:
        if (value.is_string() && !value.get_ref<std::string&>().empty())
          value.get_ref<std::string&>().back() = '7';
        return;
    }
  }

  json number() {
    constexpr std::int64_t kNumbers[] = {
        std::numeric_limits<std::int64_t>::min(),
        std::numeric_limits<std::int64_t>::min() + 1,
        -(std::int64_t{1} << 60),
        -(std::int64_t{1} << 31),
        -1,
        0,
        1,
        2,
        10,
        16,
        20,
        std::int64_t{1} << 31,
        std::int64_t{1} << 50,
        std::int64_t{1} << 60,
        std::numeric_limits<std::int64_t>::max(),
    };
    if (below(20) == 0) return std::numeric_limits<std::uint64_t>::max();
    return kNumbers[below(std::size(kNumbers))];
  }

  std::mt19937_64 random_;
};

}  // namespace streamvsr::test
