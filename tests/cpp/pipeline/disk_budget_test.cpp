// Shares of the disk.
#include "pipeline/disk_budget.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <random>

#include "base/error.h"
#include "media/encoder.h"

namespace streamvsr {
namespace {

struct Film {
  SourceIndex index;
  std::vector<std::int64_t> ends;
  BudgetBasis basis;

  explicit Film(const std::uint32_t seed) {
    std::mt19937 random(seed);
    const std::size_t frames = 1 + random() % 2000;
    for (std::size_t i = 0; i < frames; ++i) {
      index.packets.push_back(
          {static_cast<std::int64_t>(i), static_cast<std::int32_t>(200 + random() % 20000), false});
      index.total_bytes += index.packets.back().bytes;
      if (i > 0 && random() % 200 == 0) ends.push_back(static_cast<std::int64_t>(i));
    }
    ends.push_back(static_cast<std::int64_t>(frames));
    basis.codec = seed % 2 == 0 ? "h264" : "av1";
    basis.width = 640;
    basis.height = 360;
    basis.source_width = 320;
    basis.source_height = 180;
    basis.input_bytes = index.total_bytes + static_cast<std::int64_t>(random() % 100000);
    basis.duration = static_cast<double>(frames) / 25.0;
    basis.ratio = 1.1 + 0.001 * static_cast<double>(random() % 4000);
  }
};

// Nothing where it is refused.
std::optional<DiskBudget> planned(const Film& film) {
  try {
    return plan_budget(film.basis, film.index, film.ends);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kConfig);
    return std::nullopt;
  }
}

TEST_CASE("input, output and checkpoint have the ratio, or 1 MiB in all where that is more") {
  constexpr std::int64_t kMiB = 1 << 20;
  CHECK(disk_beside_input(3.0, 10 * kMiB) == 20 * kMiB);
  CHECK(disk_beside_input(3.0, kMiB / 2) == kMiB);
  CHECK(disk_beside_input(3.0, kMiB / 4) == 3 * kMiB / 4);
  CHECK(disk_beside_input(1.5, kMiB / 2) == kMiB / 2);
  CHECK(disk_beside_input(1.001, 2 * kMiB) == 2097);
}

TEST_CASE("what a budget costs is foretold, the more the less there is") {
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    Film film(seed);
    double last = 1000.0;
    for (const double ratio : {1.6, 2.0, 3.0, 6.0, 1000.0}) {
      film.basis.ratio = ratio;
      const auto budget = planned(film);
      if (!budget) continue;
      const double asked = meant_crf(film.basis.codec, film.basis.crf);
      const std::string cost = budget->cost(ratio, film.basis.codec, film.basis.crf);
      const bool binds = budget->expected_bytes > budget->video_bytes;
      CHECK(cost.empty() != binds);
      CHECK((budget->expected_crf >= asked) == binds);
      const double crf = binds ? budget->expected_crf : asked;
      CHECK(crf <= last);
      last = crf;
      if (ratio == 1000.0) CHECK_FALSE(binds);
    }
  }
}

TEST_CASE("what the segments may take is never more than what the video may") {
  int accepted = 0;
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    const Film film(seed);
    const auto found = planned(film);
    if (!found) continue;
    ++accepted;
    const DiskBudget& budget = *found;
    const std::int64_t sum =
        std::accumulate(budget.shares.begin(), budget.shares.end(), std::int64_t{0});
    CHECK(budget.shares.size() == film.ends.size());
    CHECK(sum + budget.spare <= budget.video_bytes);
    CHECK(sum > budget.video_bytes * 97 / 100);
    CHECK(budget.video_bytes < budget.output_bytes);
    const double all =
        std::max(film.basis.ratio * static_cast<double>(film.basis.input_bytes), 1.0 * (1 << 20));
    CHECK(static_cast<double>(film.basis.input_bytes + budget.output_bytes) + (64 << 10) <= all);
    // Frames beyond what the index promised live on the spare alone.
    std::int64_t beyond = 0;
    for (std::int64_t first = film.ends.back(); first < film.ends.back() + 100 * 250; first += 250)
      beyond += budget.share(first, film.ends, 250).bytes;
    CHECK(beyond <= budget.spare);
  }
  CHECK(accepted > 150);
}

TEST_CASE("a segment's share is divided by its frames' bytes") {
  Film film(12);
  film.basis.ratio = 3.0;
  const DiskBudget budget = plan_budget(film.basis, film.index, film.ends);
  for (std::size_t s = 0; s < film.ends.size(); ++s) {
    const std::int64_t begin = s == 0 ? 0 : film.ends[s - 1];
    const SegmentShare whole = budget.share(begin, film.ends, 250);
    CHECK(whole.bytes == budget.shares[s]);
    CHECK(static_cast<std::int64_t>(whole.source_bytes.size()) == film.ends[s] - begin);
    const std::int64_t middle = (begin + film.ends[s]) / 2;
    const SegmentShare rest = budget.share(middle, film.ends, 250);
    CHECK(rest.bytes <= whole.bytes);
    CHECK(static_cast<std::int64_t>(rest.source_bytes.size()) == film.ends[s] - middle);
  }
}

TEST_CASE("too small a budget is refused, and the ratio named would do") {
  Film film(4);
  film.basis.input_bytes = film.index.total_bytes + 40'000'000;  // sound
  film.basis.ratio = 1.5;
  std::string said;
  try {
    plan_budget(film.basis, film.index, film.ends);
  } catch (const Error& error) {
    said = error.what();
    CHECK(error.kind() == ErrorKind::kConfig);
  }
  CHECK(said.find("cannot hold a watchable picture") != std::string::npos);
  const std::string lead = "set disk_ratio to ";
  const std::size_t at = said.find(lead);
  REQUIRE(at != std::string::npos);
  film.basis.ratio = std::stod(said.substr(at + lead.size()));
  CHECK(film.basis.ratio > 1.5);
  CHECK(plan_budget(film.basis, film.index, film.ends).limited());
}

TEST_CASE("no ratio, no limit; a lossless codec has no budget") {
  Film film(4);
  film.basis.ratio = 0.0;
  CHECK_FALSE(plan_budget(film.basis, film.index, film.ends).limited());
  film.basis.ratio = 3.0;
  film.basis.codec = "ffv1";
  CHECK_THROWS_AS(plan_budget(film.basis, film.index, film.ends), Error);
  film.basis.codec = "h264";
  film.basis.crf = 0.0;
  CHECK_THROWS_AS(plan_budget(film.basis, film.index, film.ends), Error);
  film.basis.depth = 10;
  CHECK(plan_budget(film.basis, film.index, film.ends).limited());
}

}  // namespace
}  // namespace streamvsr
