// Ways refined: to where samples and neighbours agree; still things and borders are left alone.
#include "temporal/refine.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "pictures.h"
#include "temporal/relation.h"

namespace streamvsr {
namespace {

using testing::gray_format;
using testing::texture;
using testing::textured;

constexpr int kWidth = 192, kHeight = 120;

// The root of the mean square distance, samples, from the way `truth` gives for a cell's middle.
template <class Truth>
double miss(const MotionField& field, const Truth& truth) {
  double sum = 0.0;
  int count = 0;
  for (int row = 3; row < field.rows - 3; ++row) {
    for (int column = 3; column < field.columns - 3; ++column, ++count) {
      const auto [x, y] = truth(column * 4 + 1.5, row * 4 + 1.5);
      const std::size_t cell = field.index(column, row);
      sum += std::pow(field.dx[cell] / 16.0 - x, 2) + std::pow(field.dy[cell] / 16.0 - y, 2);
    }
  }
  return std::sqrt(sum / count);
}

GrayPyramid noisy(const unsigned seed, const double turn) {
  std::mt19937 random(seed);
  std::normal_distribution<double> deviate(0.0, 3.0);
  return GrayPyramid(
      testing::make_picture(gray_format(kWidth, kHeight), [&](const int, const int x, const int y) {
        const double dx = x - kWidth / 2;
        const double dy = y - kHeight / 2;
        return texture(x + turn * dy, y - turn * dx) + deviate(random);
      }));
}

TEST_CASE("ways that are a little off are brought to where things were") {
  const GrayPyramid before(textured(gray_format(kWidth, kHeight), 0, 0));
  const GrayPyramid now(textured(gray_format(kWidth, kHeight), 1.5, -2.25));
  MotionField field(kWidth, kHeight);
  std::mt19937 random(5);
  std::normal_distribution<double> error(0.0, 0.5);
  const auto off = [&](const double way) {
    return static_cast<std::int16_t>(std::lround(16.0 * (way + error(random))));
  };
  for (std::size_t cell = 0; cell < field.dx.size(); ++cell) {
    field.dx[cell] = off(-1.5);
    field.dy[cell] = off(2.25);
  }
  const auto truth = [](double, double) { return std::pair{-1.5, 2.25}; };
  REQUIRE(miss(field, truth) > 0.6);
  refine(now.full(), before.full(), field, in_turn);
  CHECK(miss(field, truth) < 0.2);
}

TEST_CASE("what a search finds in noise comes nearer to a slow turn") {
  const GrayPyramid before = noisy(1, 0.0);
  const GrayPyramid now = noisy(2, 0.02);
  const auto truth = [](const double x, const double y) {
    return std::pair{0.02 * (y - kHeight / 2), -0.02 * (x - kWidth / 2)};
  };
  MotionField field = find_flow(now, before, 0, in_turn);
  const double found = miss(field, truth);
  refine(now.full(), before.full(), field, in_turn);
  CHECK(miss(field, truth) < 0.92 * found);
}

TEST_CASE("a border between motions stays one") {
  const auto scene = [](const double shift) {
    return GrayPyramid(testing::make_picture(
        gray_format(kWidth, kHeight), [shift](const int, const int x, const int y) {
          return x < kWidth / 2 ? texture(x, y) : texture(x + shift + 300.0, y, 2.0);
        }));
  };
  const GrayPyramid now = scene(3.0);
  const GrayPyramid before = scene(0.0);
  MotionField field(kWidth, kHeight);
  for (int row = 0; row < field.rows; ++row)
    for (int column = field.columns / 2; column < field.columns; ++column)
      field.dx[field.index(column, row)] = 3 * 16;
  refine(now.full(), before.full(), field, in_turn);
  for (int row = 0; row < field.rows; ++row) {
    for (int column = 0; column < field.columns; ++column) {
      if (std::abs(column - field.columns / 2) < 2) continue;
      const double x = field.dx[field.index(column, row)] / 16.0;
      CHECK(std::abs(x - (column < field.columns / 2 ? 0.0 : 3.0)) < 0.4);
    }
  }
}

TEST_CASE("still things stay exactly where they are, with noise too") {
  const GrayPyramid now(textured(gray_format(kWidth, kHeight), 0, 0, 3.0, 2));
  const GrayPyramid before(textured(gray_format(kWidth, kHeight), 0, 0, 3.0, 3));
  MotionField field(kWidth, kHeight);
  refine(now.full(), before.full(), field, in_turn);
  const auto still = std::count(field.dx.begin(), field.dx.end(), 0);
  CHECK(still > static_cast<std::ptrdiff_t>(field.dx.size()) * 9 / 10);
}

TEST_CASE("no cell goes far, and flat pictures and every size are taken") {
  for (const auto& [width, height] :
       {std::pair{1, 1}, std::pair{4, 4}, std::pair{15, 3}, std::pair{3, 40}, std::pair{64, 36}}) {
    for (const double noise : {0.0, 60.0}) {
      const GrayPyramid now(testing::make_picture(
          gray_format(width, height),
          [noise](const int, const int x, const int y) { return 128 + noise * ((x ^ y) % 2); }));
      const GrayPyramid before(textured(gray_format(width, height), 0, 0, noise, 9));
      MotionField field(width, height);
      std::fill(field.dx.begin(), field.dx.end(), std::int16_t{160});
      refine(now.full(), before.full(), field, in_turn);
      for (const int x : field.dx) CHECK(std::abs(x - 160) <= 32);
      for (const int y : field.dy) CHECK(std::abs(y) <= 32);
    }
  }
}

TEST_CASE("neither the order nor the number of the pieces matters") {
  const GrayPyramid now = noisy(1, 0.02);
  const GrayPyramid before = noisy(2, 0.0);
  const Parallel backwards = [](const int count, const std::function<void(int)>& piece) {
    for (int i = count - 1; i >= 0; --i) piece(i);
  };
  MotionField one = find_flow(now, before, 0, in_turn);
  MotionField other = one;
  refine(now.full(), before.full(), one, in_turn);
  refine(now.full(), before.full(), other, backwards);
  CHECK(one.dx == other.dx);
  CHECK(one.dy == other.dy);
}

}  // namespace
}  // namespace streamvsr
