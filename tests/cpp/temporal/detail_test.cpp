// Detail by cell, and what it says of an earlier picture.
#include "temporal/detail.h"

#include <doctest/doctest.h>

#include <cmath>

#include "pictures.h"
#include "temporal/flow.h"
#include "temporal/stabilizer.h"

namespace streamvsr {
namespace {

using testing::difference;
using testing::gray_format;
using testing::make_picture;

TEST_CASE("detail is the mean of the steps to the right and down, over 3 x 3 cells") {
  // Left of 32 nothing, right of it stripes of 10 codes.
  const Planes picture = make_picture(gray_format(66, 40), [](const int, const int x, const int) {
    return x >= 32 && x % 2 == 1 ? 60.0 : 50.0;
  });
  const GrayPyramid gray(picture);
  const std::vector<float> found = detail(gray.full(), in_turn);
  const MotionField cells(66, 40);
  REQUIRE(found.size() == cells.dx.size());
  CHECK(found[cells.index(3, 5)] == 0.0F);
  CHECK(found[cells.index(12, 5)] == 10.0F);
  // A third, and two thirds; no step leads from 31 to 32.
  CHECK(found[cells.index(7, 5)] == doctest::Approx(10.0 / 3));
  CHECK(found[cells.index(8, 0)] == doctest::Approx(20.0 / 3));
}

TEST_CASE("what shows more stands in for what shows less, not the other way round") {
  CHECK(stands_in(5.0F, 5.0F) == 1.0F);
  CHECK(stands_in(9.0F, 5.0F) == 1.0F);
  CHECK(stands_in(0.0F, 0.0F) == 1.0F);
  float before = 1.0F;
  for (const float earlier : {4.5F, 4.0F, 3.0F, 1.0F, 0.0F}) {
    CHECK(stands_in(earlier, 5.0F) < before);
    before = stands_in(earlier, 5.0F);
  }
  CHECK(before < 0.001F);
}

TEST_CASE("a coarse picture does not blur the one after it, and is made better by the one before") {
  const PlaneFormat format = gray_format(128, 96);
  const auto shown = [](const double x, const double y) {
    return testing::texture(x, y) + 6.0 * std::sin(1.9 * x) * std::sin(2.1 * y);
  };
  const Planes fine =
      make_picture(format, [&](const int, const int x, const int y) { return shown(x, y); });
  const Planes coarse = make_picture(format, [&](const int, const int x, const int y) {
    double sum = 0.0;
    for (int j = -1; j <= 1; ++j)
      for (int i = -1; i <= 1; ++i) sum += shown(x + i, y + j);
    return sum / 9;
  });
  const auto last_of = [](const std::vector<const Planes*>& pictures) {
    Stabilizer stabilizer{SteadySettings{}};
    Planes last;
    for (const Planes* const picture : pictures) {
      stabilizer.look_at(std::make_shared<const GrayPyramid>(*picture), in_turn);
      last = stabilizer.steady(picture->clone(), 1, in_turn);
    }
    return last;
  };
  const double apart = difference(coarse, fine);
  REQUIRE(apart > 1.0);
  CHECK(difference(last_of({&coarse, &coarse, &fine}), fine) < 0.15 * apart);
  CHECK(difference(last_of({&fine, &fine, &coarse}), fine) < 0.3 * apart);
}

}  // namespace
}  // namespace streamvsr
