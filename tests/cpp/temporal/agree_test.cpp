// What cells moved: the codec's errors go, borders between motions stay, still things stay still.
#include "temporal/agree.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

namespace streamvsr {
namespace {

TEST_CASE("errors of single cells go, also in a zoom") {
  std::mt19937 random(3);
  std::normal_distribution<float> error(0.0F, 0.1F);
  CellMotions found(50, 40);
  const auto zoom = [](const int cell) { return 0.01F * static_cast<float>(cell - 20); };
  for (int row = 0; row < found.rows; ++row)
    for (int column = 0; column < found.columns; ++column) {
      found.x[found.index(column, row)] = zoom(column) + error(random);
      found.y[found.index(column, row)] = zoom(row) + error(random);
    }
  const CellMotions all = agreed(found, in_turn);
  double before = 0.0;
  double after = 0.0;
  for (int row = 5; row < found.rows - 5; ++row)
    for (int column = 5; column < found.columns - 5; ++column) {
      before += std::pow(found.x[found.index(column, row)] - zoom(column), 2);
      after += std::pow(all.x[found.index(column, row)] - zoom(column), 2);
    }
  CHECK(std::sqrt(after) < 0.25 * std::sqrt(before));
}

TEST_CASE("what moves another way by half a sample or more is not mixed in") {
  CellMotions found(30, 20);
  for (int row = 0; row < found.rows; ++row)
    for (int column = 0; column < found.columns; ++column)
      found.x[found.index(column, row)] = column < 15 ? 0.0F : 0.6F;
  const CellMotions all = agreed(found, in_turn);
  for (std::size_t cell = 0; cell < found.x.size(); ++cell)
    CHECK(all.x[cell] == doctest::Approx(found.x[cell]));
}

TEST_CASE("what little is known of weighs little") {
  CellMotions found(30, 20);
  for (std::size_t cell = 0; cell < found.x.size(); ++cell) {
    const bool copied = cell % 2 == 0;
    found.x[cell] = copied ? 0.0F : 0.4F;
    found.weight[cell] = copied ? 0.1F : 1.0F;
  }
  const CellMotions all = agreed(found, in_turn);
  for (const float x : all.x) CHECK(x > 0.25F);
}

TEST_CASE("still cells stay where most around them do, and only there") {
  CellMotions found(40, 30);
  for (int row = 0; row < found.rows; ++row)
    for (int column = 0; column < found.columns; ++column) {
      const std::size_t cell = found.index(column, row);
      const bool moves = column >= 20 && (column + row) % 3 != 0;
      found.still[cell] = moves ? 0.0F : 1.0F;
      found.x[cell] = moves ? 0.4F : 0.1F;
    }
  const CellMotions all = agreed(found, in_turn);
  CHECK(all.x[found.index(5, 10)] == 0.0F);
  CHECK(all.x[found.index(33, 15)] > 0.2F);
}

TEST_CASE("every size is taken") {
  for (const auto& [columns, rows] : {std::pair{1, 1}, {1, 9}, {7, 1}, {3, 4}, {12, 11}}) {
    CellMotions found(columns, rows);
    std::fill(found.x.begin(), found.x.end(), 2.0F);
    const CellMotions all = agreed(found, in_turn);
    for (const float x : all.x) CHECK(x == doctest::Approx(2.0F));
    for (const float y : all.y) CHECK(y == 0.0F);
  }
}

}  // namespace
}  // namespace streamvsr
