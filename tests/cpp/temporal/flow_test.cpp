#include <doctest/doctest.h>

#include <algorithm>

#include "pictures.h"
#include "temporal/relation.h"

namespace streamvsr {
namespace {

using testing::gray_format;
using testing::texture;
using testing::textured;

GrayPyramid pyramid(const double dx, const double dy, const double noise = 0.0,
                    const unsigned seed = 1) {
  return GrayPyramid(textured(gray_format(192, 120), dx, dy, noise, seed));
}

// Samples by which the median cell's motion misses.
double miss(const MotionField& field, const double dx, const double dy) {
  std::vector<double> errors;
  for (int row = 3; row < field.rows - 3; ++row) {
    for (int column = 3; column < field.columns - 3; ++column) {
      const std::size_t cell = field.index(column, row);
      errors.push_back(std::hypot(field.dx[cell] / 16.0 - dx, field.dy[cell] / 16.0 - dy));
    }
  }
  std::nth_element(errors.begin(), errors.begin() + errors.size() / 2, errors.end());
  return errors[errors.size() / 2];
}

TEST_CASE("a pan is found, to a fraction of a sample") {
  const GrayPyramid before = pyramid(0, 0);
  for (const auto& [dx, dy] : {std::pair{1.0, 0.0}, std::pair{0.5, -0.25}, std::pair{-3.5, 2.0},
                               std::pair{7.0, 4.0}, std::pair{-12.0, 1.0}}) {
    const MotionField field = find_flow(pyramid(dx, dy), before, 0, in_turn);
    CHECK(miss(field, -dx, -dy) < 0.15);
    CHECK(miss(find_flow(pyramid(dx, dy), before, 1, in_turn), -dx, -dy) < 0.4);
  }
}

TEST_CASE("still things stay exactly where they are, with noise too") {
  const MotionField field = find_flow(pyramid(0, 0, 1.0, 2), pyramid(0, 0, 1.0, 3), 0, in_turn);
  const auto still = std::count(field.dx.begin(), field.dx.end(), 0);
  CHECK(still > static_cast<std::ptrdiff_t>(field.dx.size()) * 9 / 10);
}

TEST_CASE("what was hidden is not relied on") {
  // A texture of its own moves by 8 samples over another one.
  const auto scene = [](const double left) {
    return GrayPyramid(
        testing::make_picture(gray_format(192, 120), [left](const int, const int x, const int y) {
          const bool inside = x >= left && x < left + 60 && y >= 30 && y < 90;
          return inside ? texture(x - left + 300.0, y + 300.0, 2.0) : texture(x, y);
        }));
  };
  const Relation relation = relate(scene(68), scene(60), {}, in_turn);
  CHECK_FALSE(relation.cut);
  const auto reliable = [&](const int x, const int y) {
    return static_cast<int>(relation.reliable[relation.motion.index(x / 4, y / 4)]);
  };
  CHECK(reliable(100, 60) == 1);
  CHECK(std::abs(relation.motion.dx[relation.motion.index(25, 15)] / 16.0 + 8.0) < 0.5);
  CHECK(reliable(20, 60) == 1);
  // What the thing has uncovered.
  int found = 0;
  for (int y = 36; y < 84; y += 4) found += reliable(64, y);
  CHECK(found <= 2);
}

TEST_CASE("a cut is seen, and nothing else is taken for one") {
  const GrayPyramid here(textured(gray_format(192, 120), 0, 0, 2.0, 1));
  const auto cut = [&](const Planes& next, const bool flow = true) {
    return relate(GrayPyramid(next), here, {flow, 0}, in_turn).cut;
  };
  CHECK(cut(textured(gray_format(192, 120), 0, 0, 2.0, 2, 1.7)));
  CHECK(cut(textured(gray_format(192, 120), 0, 0, 2.0, 2, 1.7), false));
  CHECK_FALSE(cut(textured(gray_format(192, 120), 0, 0, 4.0, 2)));
  CHECK_FALSE(cut(textured(gray_format(192, 120), 9, 3, 2.0, 2)));
  // A step of a slow fade.
  CHECK_FALSE(
      cut(testing::make_picture(gray_format(192, 120), [](const int, const int x, const int y) {
        return 0.98 * texture(x, y);
      })));
}

TEST_CASE("neither the order nor the number of the pieces matters") {
  const GrayPyramid now = pyramid(2.5, 1.0, 3.0, 5);
  const GrayPyramid before = pyramid(0, 0, 3.0, 6);
  const Parallel backwards = [](const int count, const std::function<void(int)>& piece) {
    for (int i = count - 1; i >= 0; --i) piece(i);
  };
  const MotionField one = find_flow(now, before, 0, in_turn);
  const MotionField other = find_flow(now, before, 0, backwards);
  CHECK(one.dx == other.dx);
  CHECK(one.dy == other.dy);
}

TEST_CASE("pictures too small for a search have not moved") {
  for (const auto& [width, height] : {std::pair{1, 1}, std::pair{15, 3}, std::pair{3, 40}}) {
    const GrayPyramid now(textured(gray_format(width, height), 1, 0));
    const GrayPyramid before(textured(gray_format(width, height), 0, 0));
    const MotionField field = find_flow(now, before, 0, in_turn);
    CHECK(field.columns == (width + 3) / 4);
    CHECK(std::all_of(field.dx.begin(), field.dx.end(), [](const int v) { return v == 0; }));
    relate(now, before, {}, in_turn);
  }
}

TEST_CASE("brightness is that of luma, of any depth, and of RGB") {
  const PlaneFormat rgb{8, 4, 3, 0, 0, 8, true};
  const GrayPyramid mixed(testing::make_picture(rgb, [](const int p, int, int) {
    return p == 0 ? 100.0 : p == 1 ? 40.0 : 80.0;
  }));
  CHECK(*mixed.full().at(7, 3) == 80);
  const GrayPyramid deep(
      testing::make_picture(gray_format(8, 4, 10), [](int, int, int) { return 127.6; }));
  CHECK(*deep.full().at(0, 0) == (512 >> 2));
  CHECK(*deep.full().at(-16, -16) == *deep.full().at(0, 0));
  CHECK(*deep.full().at(8 + 15, 4 + 15) == *deep.full().at(7, 3));
}

}  // namespace
}  // namespace streamvsr
