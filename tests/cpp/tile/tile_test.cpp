// Cutting, planning and what is remembered, on sizes and bytes alone.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "temporary_folder.h"
#include "tile/cut.h"
#include "tile/memory_cache.h"
#include "tile/planner.h"

namespace streamvsr {
namespace {

using test::TemporaryFolder;

CutNeeds random_needs(std::mt19937& random) {
  CutNeeds needs;
  needs.align = 1 << random() % 4;
  needs.halo = static_cast<int>(random() % 5) * 4 * needs.align;
  needs.alike_above = random() % 2 == 0 ? 0 : 2000;
  return needs;
}

TEST_CASE("the kept parts cover a picture once, with the halo around them") {
  std::mt19937 random(1);
  int cuts = 0;
  for (int i = 0; i < 400; ++i) {
    const CutNeeds needs = random_needs(random);
    const int width = 1 + static_cast<int>(random() % 400);
    const int height = 1 + static_cast<int>(random() % 400);
    const Grid grid{1 + static_cast<int>(random() % 6), 1 + static_cast<int>(random() % 6)};
    std::vector<int> covered(static_cast<std::size_t>(width) * height);
    const std::vector<Piece> pieces = cut(width, height, grid, needs);
    CHECK(pieces.size() >= 1);
    cuts += pieces.size() > 1 ? 1 : 0;
    for (const Piece& p : pieces) {
      CHECK(p.x % needs.align == 0);
      CHECK(p.y % needs.align == 0);
      CHECK(p.x + p.width <= width);
      CHECK(p.y + p.height <= height);
      CHECK((p.x == 0 ? p.left == 0 : p.left >= needs.halo));
      CHECK((p.y == 0 ? p.top == 0 : p.top >= needs.halo));
      CHECK((p.x + p.width == width ? p.right == 0 : p.right >= needs.halo));
      CHECK((p.y + p.height == height ? p.bottom == 0 : p.bottom >= needs.halo));
      for (int y = p.y + p.top; y < p.y + p.height - p.bottom; ++y)
        for (int x = p.x + p.left; x < p.x + p.width - p.right; ++x)
          ++covered[static_cast<std::size_t>(y) * width + x];
    }
    CHECK(std::set<int>(covered.begin(), covered.end()) == std::set<int>{1});
  }
  CHECK(cuts > 200);
}

TEST_CASE("grids get finer until the smallest pieces, none of them below the least") {
  std::mt19937 random(2);
  for (int i = 0; i < 100; ++i) {
    const CutNeeds needs = random_needs(random);
    const int width = 1 + static_cast<int>(random() % 500);
    const int height = 1 + static_cast<int>(random() % 500);
    Grid grid;
    for (int steps = 0;; ++steps) {
      REQUIRE(steps < 1000);
      const Grid next = finer(width, height, grid, needs);
      if (next == grid) break;
      CHECK(next.columns >= grid.columns);
      CHECK(next.rows >= grid.rows);
      const auto pieces = cut(width, height, next, needs);
      CHECK(pieces.size() > 1);
      for (const Piece& piece : pieces)
        CHECK(std::int64_t{piece.width} * piece.height > needs.alike_above);
      grid = next;
    }
  }
}

TEST_CASE("the plan takes the largest pieces that fit, then as many of them as fit") {
  Learned learned;
  learned.model = {1000.0, 10.0};
  learned.needs = CutNeeds{8, 1, 0};
  CHECK(choose_plan(400, 300, learned, 1000.0 + 10.0 * 400 * 300, 4) == TilePlan{});
  for (const double bytes : {900000.0, 400000.0, 90000.0, 20000.0}) {
    const auto plan = choose_plan(400, 300, learned, bytes, 4);
    REQUIRE(plan);
    const auto piece = static_cast<double>(largest_piece(400, 300, plan->grid, *learned.needs));
    CHECK(learned.model.bytes(piece * plan->batch) <= bytes);
    CHECK(plan->grid.pieces() > 1);
  }
  CHECK_FALSE(choose_plan(400, 300, learned, 2000.0, 4));
  learned.needs.reset();
  CHECK_FALSE(choose_plan(400, 300, learned, 900000.0, 4));
}

TEST_CASE("what has run out of memory is not tried again with as little") {
  Learned learned;
  learned.needs = CutNeeds{8, 1, 0};
  CHECK(choose_plan(400, 300, learned, 1e6, 1) == TilePlan{});
  learned.failed_samples = 400 * 300;
  learned.failed_bytes = 1e6;
  const auto plan = choose_plan(400, 300, learned, 1e6, 1);
  REQUIRE(plan);
  CHECK(plan->grid.pieces() > 1);
  CHECK(choose_plan(400, 300, learned, 2e6, 1) == TilePlan{});
}

TEST_CASE("less at a time: the batch is halved, then the pieces, then there is no less") {
  const CutNeeds needs{8, 1, 0};
  TilePlan plan{{1, 1}, 4};
  std::vector<int> batches;
  std::int64_t before = 400 * 300;
  while (const auto next = smaller(400, 300, plan, needs)) {
    batches.push_back(next->batch);
    const std::int64_t piece = largest_piece(400, 300, next->grid, needs);
    if (next->batch == plan.batch) CHECK(piece < before);
    before = piece;
    plan = *next;
  }
  REQUIRE(batches.size() > 4);
  CHECK(batches[0] == 2);
  CHECK(batches[1] == 1);
  CHECK(batches.back() == 1);
  CHECK(before == smallest_piece(400, 300, needs));
}

TEST_CASE("no measurement lies above the model") {
  std::mt19937 random(3);
  for (int i = 0; i < 100; ++i) {
    std::vector<Measured> all;
    for (unsigned k = 0; k <= random() % 3; ++k)
      all.push_back(
          {static_cast<double>(1 + random() % 1000), static_cast<double>(random() % 9999)});
    const MemoryModel model = fit(all);
    for (const Measured& one : all) CHECK(model.bytes(one.samples) >= one.bytes - 1e-6);
  }
  CHECK_FALSE(fit({}).known());
}

Learned something() {
  Learned learned;
  learned.model = {12345.5, 0.1};
  learned.needs = CutNeeds{12, 4, 20480};
  learned.failed_samples = 99;
  learned.failed_bytes = 1e9;
  return learned;
}

bool same(const Learned& a, const Learned& b) {
  return a.model.fixed == b.model.fixed && a.model.a_sample == b.model.a_sample &&
         a.needs.has_value() == b.needs.has_value() &&
         (!a.needs || (a.needs->halo == b.needs->halo && a.needs->align == b.needs->align &&
                       a.needs->alike_above == b.needs->alike_above)) &&
         a.why_not == b.why_not && a.failed_samples == b.failed_samples &&
         a.failed_bytes == b.failed_bytes;
}

TEST_CASE("what was learned is remembered, by key") {
  const TemporaryFolder folder;
  const std::string inner = folder.path() + "/not/yet";
  CHECK_FALSE(recall(inner, "key"));
  remember(inner, "key", something());
  REQUIRE(recall(inner, "key"));
  CHECK(same(*recall(inner, "key"), something()));
  CHECK_FALSE(recall(inner, "other key"));
  Learned whole;
  whole.why_not = "it sees\nall";
  remember(inner, "key", whole);
  CHECK_FALSE(recall(inner, "key")->needs);
  CHECK(recall(inner, "key")->why_not == "it sees all");
  remember("", "key", whole);
  remember("/proc/nowhere", "key", whole);
  CHECK_FALSE(recall("", "key"));
  CHECK(std::distance(std::filesystem::directory_iterator(inner), {}) == 1);
}

TEST_CASE("a file that is torn or changed in any place is as if it were not there") {
  const TemporaryFolder folder;
  remember(folder.path(), "key", something());
  const auto path = std::filesystem::directory_iterator(folder.path())->path();
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  const auto with = [&](const std::string& content) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
    return recall(folder.path(), "key").has_value();
  };
  CHECK(with(text));
  for (std::size_t i = 0; i < text.size(); ++i) {
    CHECK_FALSE(with(text.substr(0, i)));
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    CHECK_FALSE(with(changed));
  }
  CHECK_FALSE(with(std::string(100000, 'x')));
}

TEST_CASE("several writers leave one whole file") {
  const TemporaryFolder folder;
  std::vector<std::jthread> writers;
  for (int i = 0; i < 4; ++i)
    writers.emplace_back([&folder, i] {
      for (int k = 0; k < 50; ++k) {
        Learned learned = something();
        learned.model.fixed = i;
        remember(folder.path(), "key", learned);
        CHECK(recall(folder.path(), "key"));
      }
    });
  writers.clear();
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

}  // namespace
}  // namespace streamvsr
