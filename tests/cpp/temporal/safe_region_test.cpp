#include "temporal/safe_region.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/error.h"
#include "pictures.h"

namespace streamvsr {
namespace {

using testing::gray_format;
using testing::make_picture;

SafeRegion region_of(const Planes& picture, const SafeRegionSettings& settings,
                     const bool full_range = true, const Relation& relation = {}) {
  const GrayPyramid gray(picture);
  return safe_region(gray.full(), relation, full_range, settings, in_turn);
}
int share_of(const double code, const SafeRegionSettings& settings, const bool full_range) {
  const Planes flat = make_picture(gray_format(40, 70), [code](int, int, int) { return code; });
  const SafeRegion region = region_of(flat, settings, full_range);
  CHECK(std::all_of(region.share.begin(), region.share.end(),
                    [&](const int share) { return share == region.share.front(); }));
  return region.share.front();
}

TEST_CASE("highlights and deep shadow fall to plain interpolation") {
  const SafeRegionSettings settings{1.0F, 0.8F, 0.2F, 0.0F, 1.0F};
  CHECK(share_of(0, settings, true) == 0);
  CHECK(share_of(25.5, settings, true) == doctest::Approx(120).epsilon(0.02));
  CHECK(share_of(52, settings, true) == 128);
  CHECK(share_of(203, settings, true) == 128);
  CHECK(share_of(229.5, settings, true) == doctest::Approx(120).epsilon(0.02));
  CHECK(share_of(255, settings, true) == 0);
  // Limited range: black is 16, white 235.
  CHECK(share_of(16, settings, false) == 0);
  CHECK(share_of(61, settings, false) == 128);
  CHECK(share_of(235, settings, false) == 0);
  const SafeRegionSettings half{0.5F, 1.0F, 0.0F, 0.0F, 1.0F};
  CHECK(share_of(0, half, true) == 64);
  CHECK(share_of(255, half, true) == 64);
}

TEST_CASE("flat regions fall with the density of edges") {
  SafeRegionSettings settings;
  settings.edges = 0.05F;
  CHECK(share_of(100, settings, true) == 0);
  // Left flat, right stripes of 0 and 100: steps of 50 a sample across in the mean.
  const Planes picture = make_picture(gray_format(80, 40), [](int, const int x, int) {
    return x < 40 ? 100.0 : (x / 2) % 2 * 100.0;
  });
  const SafeRegion region = region_of(picture, settings);
  CHECK(region.share[20 * 80 + 10] == 0);
  CHECK(region.share[20 * 80 + 70] == 128);
  // A ramp: 2 codes a sample of 255, half of them in the mean of across and down: 0.0039.
  const Planes ramp =
      make_picture(gray_format(80, 40), [](int, const int x, int) { return 2.0 * x; });
  settings.edges = 0.00784F;
  CHECK(region_of(ramp, settings).share[20 * 80 + 40] == doctest::Approx(64).epsilon(0.03));
}

TEST_CASE("fast things fall to interpolation, but not across a cut") {
  SafeRegionSettings settings;
  settings.motion = 0.05F;  // 4 samples of 80
  const Planes picture = make_picture(gray_format(80, 40), [](int, int, int) { return 100.0; });
  Relation relation;
  relation.cut = false;
  relation.motion = MotionField(80, 40);
  relation.motion.dx[relation.motion.index(2, 3)] = 4 * 16;
  relation.motion.dx[relation.motion.index(3, 3)] = 6 * 16;
  relation.motion.dy[relation.motion.index(4, 3)] = -8 * 16;
  const SafeRegion region = region_of(picture, settings, true, relation);
  CHECK(region.share[13 * 80 + 9] == 128);
  CHECK(region.share[13 * 80 + 13] == 64);
  CHECK(region.share[13 * 80 + 17] == 0);
  CHECK(region.share[17 * 80 + 17] == 128);
  relation.cut = true;
  CHECK(region_of(picture, settings, true, relation).share[13 * 80 + 17] == 128);
}

TEST_CASE("a mixture lies between its two pictures, exactly at either end") {
  for (const int depth : {8, 12, 16}) {
    const PlaneFormat format = gray_format(30, 20, depth);
    const Planes low =
        make_picture(format, [](int, const int x, const int y) { return (x * 53 + y * 31) % 256; });
    const Planes high =
        make_picture(format, [](int, const int x, const int y) { return (x * 17 + y * 91) % 256; });
    SafeRegion region{15, 10, std::vector<std::uint8_t>(150)};
    for (std::size_t i = 0; i < region.share.size(); ++i)
      region.share[i] = static_cast<std::uint8_t>(i < 30 ? 0 : i < 60 ? 128 : i % 129);
    Planes mixed = high.clone();
    mix(region, 2, low, 0, mixed, 0, in_turn);
    const auto at = [&](const Planes& picture, const int x, const int y) {
      return depth > 8 ? static_cast<int>(picture.row<std::uint16_t>(0, y)[x])
                       : static_cast<int>(picture.row<std::uint8_t>(0, y)[x]);
    };
    for (int y = 0; y < 20; ++y) {
      for (int x = 0; x < 30; ++x) {
        const double share = region.share[static_cast<std::size_t>(y / 2 * 15 + x / 2)] / 128.0;
        const double exact = at(low, x, y) + share * (at(high, x, y) - at(low, x, y));
        CHECK(std::abs(at(mixed, x, y) - exact) <= 0.5);
      }
    }
  }
}

TEST_CASE("regions of any size are the same however they are cut; nonsense is refused") {
  SafeRegionSettings settings{0.8F, 0.8F, 0.2F, 0.02F, 1.0F};
  for (const auto& [width, height] :
       {std::pair{1, 1}, std::pair{3, 2}, std::pair{50, 33}, std::pair{64, 97}}) {
    const Planes picture = testing::textured(gray_format(width, height), 0, 0, 20.0);
    const GrayPyramid gray(picture);
    const Parallel backwards = [](const int count, const std::function<void(int)>& piece) {
      for (int i = count - 1; i >= 0; --i) piece(i);
    };
    const SafeRegion one = safe_region(gray.full(), {}, true, settings, in_turn);
    CHECK(one.share == safe_region(gray.full(), {}, true, settings, backwards).share);
    // The rows of a picture are those of a higher one, but for what its lower edge reaches.
    if (height < 20) continue;
    PlaneFormat lower = gray_format(width, height - 1);
    Planes cut(lower);
    for (int y = 0; y + 1 < height; ++y)
      std::memcpy(cut.row<std::uint8_t>(0, y), picture.row<std::uint8_t>(0, y),
                  static_cast<std::size_t>(width));
    const SafeRegion other = region_of(cut, settings);
    CHECK(std::equal(one.share.begin(), one.share.begin() + width * (height - 8),
                     other.share.begin()));
  }
  settings.highlights = 1.5F;
  CHECK_THROWS_AS(check(settings), Error);
}

}  // namespace
}  // namespace streamvsr
