#include <doctest/doctest.h>

#include "base/error.h"
#include "enhance/enhancer.h"

namespace streamvsr {
namespace {

template <class Sample>
void check_repeats(const PlaneFormat& format, const int scale) {
  Planes source(format);
  for (int p = 0; p < format.plane_count; ++p) {
    for (int y = 0; y < format.plane_height(p); ++y) {
      for (int x = 0; x < format.plane_width(p); ++x) {
        source.row<Sample>(p, y)[x] = static_cast<Sample>(p * 40 + y * 7 + x);
      }
    }
  }
  const auto enhancer = make_nearest_enhancer(scale);
  const EnhanceInput input{&source};
  const std::vector<Planes> results = enhancer->run(std::span(&input, 1), StopFlag());
  REQUIRE(results.size() == 1);
  const PlaneFormat& to = results[0].format();
  CHECK(to == enhancer->output_format(format));
  for (int p = 0; p < format.plane_count; ++p) {
    for (int y = 0; y < to.plane_height(p); ++y) {
      for (int x = 0; x < to.plane_width(p); ++x) {
        CHECK(results[0].row<Sample>(p, y)[x] == source.row<Sample>(p, y / scale)[x / scale]);
      }
    }
  }
}

TEST_CASE("every sample is repeated, in every format") {
  for (const int scale : {1, 2, 3, 4}) {
    check_repeats<std::uint8_t>({5, 3, 3, 1, 1, 8, false}, scale);
    check_repeats<std::uint8_t>({1, 1, 1, 0, 0, 8, false}, scale);
    check_repeats<std::uint16_t>({7, 5, 4, 1, 0, 10, false}, scale);
    check_repeats<std::uint8_t>({4, 4, 3, 0, 0, 8, true}, scale);
  }
}

TEST_CASE("a batch keeps its order, a stop is noticed, a wrong scale refused") {
  Planes one(PlaneFormat{1, 1, 1, 0, 0, 8, false});
  Planes two(PlaneFormat{2, 1, 1, 0, 0, 8, false});
  *one.row<std::uint8_t>(0, 0) = 1;
  two.row<std::uint8_t>(0, 0)[0] = 2;
  two.row<std::uint8_t>(0, 0)[1] = 3;
  const auto enhancer = make_nearest_enhancer(2);
  const EnhanceInput batch[] = {{&one}, {&two}};
  StopFlag stop;
  const auto results = enhancer->run(batch, stop);
  CHECK(results[0].format().width == 2);
  CHECK(results[1].format().width == 4);
  CHECK(results[1].row<std::uint8_t>(0, 1)[3] == 3);
  stop.request();
  CHECK_THROWS_AS(enhancer->run(batch, stop), Error);
  CHECK_THROWS_AS(make_nearest_enhancer(0), Error);
}

}  // namespace
}  // namespace streamvsr
