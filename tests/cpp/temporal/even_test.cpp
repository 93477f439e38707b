// Motion evened out over time: the codec's errors go, what really changes stays.
#include "temporal/even.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

namespace streamvsr {
namespace {

constexpr int kWidth = 160;
constexpr int kHeight = 96;

// All cells move by (x, y) in 1/16 of a sample.
Relation moving(const int x, const int y) {
  Relation relation;
  relation.motion = MotionField(kWidth, kHeight);
  relation.motion.dx.assign(relation.motion.dx.size(), static_cast<std::int16_t>(x));
  relation.motion.dy.assign(relation.motion.dy.size(), static_cast<std::int16_t>(y));
  relation.reliable.assign(relation.motion.dx.size(), 1);
  relation.cut = false;
  return relation;
}

double error(const MotionField& motion, const int x, const int y) {
  double sum = 0.0;
  for (std::size_t cell = 0; cell < motion.dx.size(); ++cell)
    sum += std::pow(motion.dx[cell] - x, 2) + std::pow(motion.dy[cell] - y, 2);
  return sum / static_cast<double>(motion.dx.size());
}

// Places are wrong by up to 3/16 of a sample, the one in the middle in both relations.
void misplace(Relation& now, Relation& before) {
  std::mt19937 random(3);
  std::uniform_int_distribution<int> wrong(-3, 3);
  for (int row = 0; row < now.motion.rows; ++row) {
    for (int column = 0; column < now.motion.columns; ++column) {
      const std::size_t cell = now.motion.index(column, row);
      const std::size_t there = now.motion.origin(column, row);
      const auto x = static_cast<std::int16_t>(wrong(random));
      const auto y = static_cast<std::int16_t>(wrong(random));
      now.motion.dx[cell] += x;
      now.motion.dy[cell] += y;
      before.motion.dx[there] -= x;
      before.motion.dy[there] -= y;
    }
  }
}

TEST_CASE("what a codec misplaced in the middle picture is taken out") {
  Relation now = moving(20, -6);
  Relation before = moving(20, -6);
  misplace(now, before);
  REQUIRE(error(now.motion, 20, -6) > 6.0);
  CHECK(error(evened(now, before), 20, -6) < 0.4 * error(now.motion, 20, -6));
}

TEST_CASE("what the camera changes is followed at once") {
  // By more than half a sample, and by less.
  for (const int shaken : {70, 5}) {
    CHECK(error(evened(moving(20 + shaken, 9), moving(20, 3)), 20 + shaken, 9) == 0.0);
    Relation now = moving(20 + shaken, 9);
    Relation before = moving(20, 3);
    misplace(now, before);
    CHECK(error(evened(now, before), 20 + shaken, 9) < 0.4 * error(now.motion, 20 + shaken, 9));
  }
}

TEST_CASE("a thing that is alone in moving is no camera") {
  Relation now = moving(0, 0);
  Relation before = moving(0, 0);
  for (int row = 8; row < 14; ++row) {
    for (int column = 10; column < 20; ++column) {
      now.motion.dx[now.motion.index(column, row)] = 22;
      before.motion.dx[before.motion.index(column, row)] = 18;
    }
  }
  const MotionField motion = evened(now, before);
  CHECK(motion.dx[motion.index(14, 11)] < 22);
  CHECK(motion.dx[motion.index(14, 11)] >= 20);
  CHECK(motion.dx[motion.index(2, 2)] == 0);
}

TEST_CASE(
    "nothing is told by what is another thing, was still, was not found, or lies before a cut") {
  const auto unchanged = [](const Relation& now, const Relation& before) {
    const MotionField motion = evened(now, before);
    return motion.dx == now.motion.dx && motion.dy == now.motion.dy;
  };
  // Most of the picture goes on as it did, so that the camera has done nothing.
  const auto part = [](const int x) {
    Relation relation = moving(20, 0);
    for (int column = 30; column < 36; ++column)
      relation.motion.dx[relation.motion.index(column, 10)] = static_cast<std::int16_t>(x);
    return relation;
  };
  CHECK_FALSE(unchanged(part(24), moving(20, 0)));
  CHECK(unchanged(part(29), moving(20, 0)));
  CHECK(unchanged(part(0), moving(20, 0)));
  CHECK(unchanged(moving(4, 0), moving(0, 0)));
  Relation before = moving(20, 0);
  before.cut = true;
  CHECK(unchanged(part(24), before));
  before.cut = false;
  before.reliable.assign(before.reliable.size(), 0);
  CHECK(unchanged(part(24), before));
  Relation lost = part(24);
  lost.reliable.assign(lost.reliable.size(), 0);
  CHECK(unchanged(lost, moving(20, 0)));
}

TEST_CASE("where a cell was is the cell that its middle lay in, or the nearest") {
  MotionField field(kWidth, kHeight);
  const auto origin = [&](const int column, const int row, const int dx, const int dy) {
    field.dx[field.index(column, row)] = static_cast<std::int16_t>(dx);
    field.dy[field.index(column, row)] = static_cast<std::int16_t>(dy);
    return field.origin(column, row);
  };
  CHECK(origin(5, 5, 0, 0) == field.index(5, 5));
  CHECK(origin(5, 5, 31, -32) == field.index(5, 5));
  CHECK(origin(5, 5, 32, -33) == field.index(6, 4));
  CHECK(origin(0, 0, -1000, -40) == field.index(0, 0));
  CHECK(origin(39, 23, 32000, 32000) == field.index(39, 23));
}

}  // namespace
}  // namespace streamvsr
