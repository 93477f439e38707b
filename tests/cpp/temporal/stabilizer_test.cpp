// Steady pictures: less noise where things stay, nothing of another scene, the same from any start.
#include "temporal/stabilizer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <thread>

#include "base/error.h"
#include "pictures.h"

namespace streamvsr {
namespace {

using testing::difference;
using testing::gray_format;
using testing::same;
using testing::texture;
using testing::textured;

// Every sample scale x scale times, and something that the source does not show.
Planes enlarge(const Planes& source, const int scale, const int shimmer) {
  PlaneFormat format = source.format();
  format.width *= scale;
  format.height *= scale;
  return testing::make_picture(format, [&](const int p, const int x, const int y) {
    const int sx = std::min(x / scale, source.format().plane_width(p) - 1);
    const int sy = std::min(y / scale, source.format().plane_height(p) - 1);
    const double code = source.format().depth > 8 ? source.row<std::uint16_t>(p, sy)[sx]
                                                  : source.row<std::uint8_t>(p, sy)[sx];
    return code * 255.0 / ((1 << source.format().depth) - 1) + (x * 7 + y * 3 + shimmer) % 3;
  });
}

std::vector<Planes> steadied(const SteadySettings& settings, const std::vector<Planes>& sources,
                             const int scale = 1, const std::size_t first = 0,
                             const Parallel& parallel = in_turn) {
  Stabilizer stabilizer(settings);
  std::vector<Planes> results;
  for (std::size_t i = first; i < sources.size(); ++i) {
    stabilizer.look_at(std::make_shared<const GrayPyramid>(sources[i]), parallel);
    results.push_back(
        stabilizer.steady(enlarge(sources[i], scale, static_cast<int>(i)), scale, parallel));
  }
  return results;
}

std::vector<Planes> film(const int count, const PlaneFormat& format, const double speed,
                         const double noise, const int cut = -1) {
  std::vector<Planes> pictures;
  for (int i = 0; i < count; ++i) {
    pictures.push_back(textured(format, speed * i, 0.4 * speed * i, noise,
                                static_cast<unsigned>(i + 1), cut >= 0 && i >= cut ? 1.7 : 0.0));
  }
  return pictures;
}

TEST_CASE("the noise of what stays falls as the mean of the window's pictures does") {
  const PlaneFormat format = gray_format(96, 64);
  const Planes clean = enlarge(textured(format, 0, 0), 1, 0);
  const auto noisy = film(8, format, 0.0, 1.5);
  SteadySettings settings;
  for (const int window : {2, 3, 5}) {
    settings.window = window;
    settings.background_lock = true;
    const auto results = steadied(settings, noisy);
    const double before = difference(enlarge(noisy.back(), 1, 7), clean);
    CHECK(difference(results.back(), clean) < before * 1.6 / window);
    settings.background_lock = false;
    settings.strength = 0.5F;
    const double weaker = difference(steadied(settings, noisy).back(), clean);
    CHECK(weaker < before * 0.8);
    CHECK(weaker > difference(results.back(), clean) * 0.999);
  }
}

TEST_CASE("what moves is followed") {
  const PlaneFormat format = gray_format(160, 96);
  const auto noisy = film(5, format, 2.3, 1.5);
  const auto clean = film(5, format, 2.3, 0.0);
  const Planes truth = clean.back().clone();
  SteadySettings settings;
  const double before = difference(noisy.back(), truth, 0, 16);
  Stabilizer stabilizer(settings);
  Planes last;
  for (const Planes& picture : noisy) {
    stabilizer.look_at(std::make_shared<const GrayPyramid>(picture), in_turn);
    last = stabilizer.steady(picture.clone(), 1, in_turn);
  }
  CHECK(difference(last, truth, 0, 16) < before * 0.7);
}

TEST_CASE("nothing crosses a cut, wherever in the window it lies") {
  const PlaneFormat format{64, 48, 3, 1, 1, 8, false};
  SteadySettings settings;
  for (const int window : {2, 3, 5, 8}) {
    settings.window = window;
    for (int cut = 1; cut <= window; ++cut) {
      const auto pictures = film(window + 2, format, 0.0, 1.0, cut);
      const auto all = steadied(settings, pictures, 2);
      const auto alone = steadied(settings, pictures, 2, static_cast<std::size_t>(cut));
      for (std::size_t i = 0; i < alone.size(); ++i)
        CHECK(same(all[static_cast<std::size_t>(cut) + i], alone[i]));
      // And it is not that nothing is ever blended.
      CHECK_FALSE(same(alone[1], enlarge(pictures[static_cast<std::size_t>(cut) + 1], 2, cut + 1)));
    }
  }
}

TEST_CASE("a thing that leaves a place leaves nothing there") {
  const PlaneFormat format = gray_format(128, 96);
  constexpr int kStep = 14;
  std::vector<Planes> pictures;
  for (int i = 0; i < 6; ++i) {
    const int left = 10 + kStep * i;
    pictures.push_back(testing::make_picture(format, [&](const int, const int x, const int y) {
      const bool inside = x >= left && x < left + 20 && y >= 40 && y < 60;
      return inside ? 235.0 : 60.0 + 0.2 * texture(x, y);
    }));
  }
  SteadySettings settings;
  settings.window = 5;
  for (const bool flow : {true, false}) {
    settings.search.flow = flow;
    Stabilizer stabilizer(settings);
    int gone = 10 - kStep;
    for (const Planes& picture : pictures) {
      stabilizer.look_at(std::make_shared<const GrayPyramid>(picture), in_turn);
      const Planes result = stabilizer.steady(picture.clone(), 1, in_turn);
      double left_there = 0;
      for (int y = 40; y < 60; ++y)
        for (int x = std::max(gone, 0); x < gone + kStep; ++x)
          left_there += result.row<std::uint8_t>(0, y)[x] - picture.row<std::uint8_t>(0, y)[x];
      CHECK(std::abs(left_there) / (20 * kStep) < 0.6);
      gone += kStep;
      // Of 170 codes that it stands out by.
      int most = 0;
      for (int y = 0; y < format.height; ++y)
        for (int x = 0; x < format.width; ++x)
          most = std::max(most, std::abs(result.row<std::uint8_t>(0, y)[x] -
                                         picture.row<std::uint8_t>(0, y)[x]));
      CHECK(most <= 5);
    }
  }
}

TEST_CASE(
    "what differs by as much as it shows is not the same thing, though it differs by little") {
  // On the left something faint that is another in every picture, on the right what stays.
  const PlaneFormat format = gray_format(128, 96);
  const auto picture = [&](const int time) {
    return testing::make_picture(format, [&](const int, const int x, const int y) {
      return x < 64 ? 100.0 + 8.0 * testing::lattice(x / 5.0, y / 5.0, time) : texture(x, y);
    });
  };
  const auto change = [&](const Planes& a, const Planes& b) {
    double sum = 0.0;
    for (int y = 8; y < format.height - 8; ++y)
      for (int x = 8; x < 48; ++x)
        sum += std::abs(a.row<std::uint8_t>(0, y)[x] - b.row<std::uint8_t>(0, y)[x]);
    return sum / (40.0 * (format.height - 16));
  };
  Stabilizer stabilizer{SteadySettings{}};
  Planes last;
  for (int time = 0; time < 6; ++time) {
    stabilizer.look_at(std::make_shared<const GrayPyramid>(picture(time)), in_turn);
    last = stabilizer.steady(picture(time), 1, in_turn);
  }
  const double apart = change(picture(5), picture(4));
  REQUIRE(apart > 1.0);
  REQUIRE(apart < 3.0);
  CHECK(change(last, picture(5)) < 0.15 * apart);
}

TEST_CASE("a fade and a flash are not held back") {
  const PlaneFormat format = gray_format(96, 64);
  for (const int frames : {8, 25}) {
    SteadySettings settings;
    settings.window = 4;
    Stabilizer stabilizer(settings);
    for (int i = 0; i <= frames; ++i) {
      const double light = i == frames / 2 ? 1.4 : 1.0 - static_cast<double>(i) / frames;
      const Planes picture =
          testing::make_picture(format, [&](const int, const int x, const int y) {
            return 16.0 + light * (texture(x, y) - 16.0);
          });
      stabilizer.look_at(std::make_shared<const GrayPyramid>(picture), in_turn);
      const Planes result = stabilizer.steady(picture.clone(), 1, in_turn);
      // Less than a step of the fade, as a mean over the picture.
      CHECK(std::sqrt(difference(result, picture)) < 2.0);
    }
  }
}

TEST_CASE("a result depends on its window and the source before it alone, and on no threads") {
  const Parallel threads = [](const int count, const std::function<void(int)>& piece) {
    std::vector<std::jthread> all;
    for (int first = 0; first < 3; ++first)
      all.emplace_back([&, first] {
        for (int i = first; i < count; i += 3) piece(i);
      });
  };
  for (const PlaneFormat& format :
       {PlaneFormat{70, 45, 3, 1, 1, 8, false}, PlaneFormat{50, 37, 3, 1, 0, 10, false},
        PlaneFormat{33, 40, 3, 0, 0, 8, true}}) {
    SteadySettings settings;
    settings.window = 4;
    settings.background_lock = false;
    const auto pictures = film(10, format, 1.3, 2.0, 6);
    const auto all = steadied(settings, pictures, 2);
    const auto others = steadied(settings, pictures, 2, 0, threads);
    for (std::size_t i = 0; i < all.size(); ++i) CHECK(same(all[i], others[i]));
    for (std::size_t first = 0; first + 4 < pictures.size(); ++first) {
      const auto late = steadied(settings, pictures, 2, first);
      for (std::size_t i = first == 0 ? 0 : 4; i < late.size(); ++i)
        CHECK(same(late[i], all[first + i]));
    }
  }
}

TEST_CASE("every size, format and scale is taken; a change of size begins anew") {
  std::mt19937 random(7);
  for (int turn = 0; turn < 60; ++turn) {
    const auto pick = [&](const int low, const int high) {
      return std::uniform_int_distribution<int>(low, high)(random);
    };
    PlaneFormat format{pick(1, 40), pick(1, 40), 3, pick(0, 2), pick(0, 2), pick(8, 16), false};
    if (pick(0, 3) == 0) format = {format.width, format.height, 3, 0, 0, format.depth, true};
    if (pick(0, 3) == 0) format.plane_count = format.plane_count == 3 ? 4 : 1;
    SteadySettings settings;
    settings.window = pick(2, 4);
    settings.search = {pick(0, 3) > 0, pick(0, 2)};
    const int scale = pick(1, 4);
    auto pictures = film(3, format, pick(-4, 4), 1.0);
    pictures.push_back(textured(gray_format(9, 5), 0, 0));
    const auto results = steadied(settings, pictures, scale);
    for (std::size_t i = 0; i < pictures.size(); ++i)
      CHECK(results[i].format() == enlarge(pictures[i], scale, 0).format());
    CHECK(same(results.back(), enlarge(pictures.back(), scale, 3)));
    // No sample leaves the range of the window's samples: 16-bit sums do not overflow.
    CHECK(difference(results[2], enlarge(pictures[2], scale, 2)) <
          std::pow(8 << (format.depth - 8), 2));
  }
}

TEST_CASE("nothing asked for is nothing done, and nonsense is refused") {
  const auto pictures = film(3, gray_format(40, 30), 0.0, 2.0);
  for (const SteadySettings& settings :
       {SteadySettings{1, 0.7F, true, {}}, SteadySettings{3, 0.0F, true, {}}}) {
    const auto results = steadied(settings, pictures);
    CHECK(same(results[2], enlarge(pictures[2], 1, 2)));
  }
  CHECK_THROWS_AS(Stabilizer(SteadySettings{0, 0.5F, true, {}}), Error);
  CHECK_THROWS_AS(Stabilizer(SteadySettings{9, 0.5F, true, {}}), Error);
  CHECK_THROWS_AS(Stabilizer(SteadySettings{3, 1.5F, true, {}}), Error);
  CHECK_THROWS_AS(Stabilizer(SteadySettings{3, NAN, true, {}}), Error);
}

}  // namespace
}  // namespace streamvsr
