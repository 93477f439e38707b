// Which crf uses a share, against encoders that are formulas.
#include "pipeline/size_search.h"

#include <doctest/doctest.h>

#include <cmath>
#include <optional>
#include <random>

namespace streamvsr {
namespace {

constexpr RateCurve kCurve{5.0, 51.0, 1.0, false, 0.0};
constexpr double kLeastCrf = 18.0;

// Purpose: bytes that fall with the crf, by another curve than the one expected, and unevenly.
struct Content {
  double at_least, halved_by, bend, noise;
  std::uint32_t seed;

  std::int64_t bytes(const double crf) const {
    std::mt19937 random(seed + static_cast<std::uint32_t>(crf * 16.0));
    std::uniform_real_distribution<double> off(-noise, noise);
    const double steps = crf - kLeastCrf;
    return static_cast<std::int64_t>(at_least * std::exp2(-steps / (halved_by + bend * steps)) *
                                     (1.0 + off(random)));
  }
};

struct Found {
  std::optional<double> crf;
  std::int64_t bytes = 0;
  int encodings = 0;
};

Found search(const Content& content, const std::int64_t share, const double finest,
             const double crf, const bool found) {
  SizeSearch search(kCurve, kCurve.halved_by, share, finest, {crf, content.bytes(crf), true});
  if (found) search.begin_found();
  Found result;
  while (const auto next = search.next()) {
    REQUIRE(*next >= finest);
    REQUIRE(*next <= kCurve.most);
    search.found(*next, content.bytes(*next));
    REQUIRE(++result.encodings <= 5);
  }
  result.crf = search.best();
  if (result.crf) result.bytes = content.bytes(*result.crf);
  return result;
}

TEST_CASE("a share is used well after few encodings, from above and from below") {
  int encodings = 0, cases = 0;
  for (std::uint32_t seed = 0; seed < 400; ++seed) {
    std::mt19937 random(seed);
    const auto draw = [&](const double from, const double to) {
      return std::uniform_real_distribution<double>(from, to)(random);
    };
    const Content content{1e6, draw(3.5, 8.0), draw(0.0, 0.06), 0.004, seed};
    const auto share = static_cast<std::int64_t>(1e6 * draw(0.1, 0.95));
    const Found found = search(content, share, kLeastCrf, std::round(draw(18.0, 40.0)), true);
    CAPTURE(seed);
    REQUIRE(found.crf);
    CHECK(found.bytes <= share);
    CHECK(static_cast<double>(found.bytes) >= 0.92 * static_cast<double>(share));
    encodings += found.encodings;
    ++cases;
  }
  CHECK(encodings < 5 * cases / 2);
}

TEST_CASE("what suffices is left as it is, and nothing is finer than asked for") {
  const Content content{1e6, 5.0, 0.0, 0.0, 1};
  CHECK(search(content, 1'000'000, kLeastCrf, kLeastCrf, true).encodings == 0);
  CHECK(search(content, 970'000, kLeastCrf, 18.125, true).encodings <= 1);
  // Far too coarse, and the share is larger than what the crf asked for takes.
  const Found found = search(content, 2'000'000, kLeastCrf, 40.0, true);
  CHECK(found.crf == kLeastCrf);
}

TEST_CASE("the codec's largest crf is tried before the search is given up") {
  const Content content{1e6, 5.0, 0.0, 0.0, 1};
  CHECK_FALSE(search(content, 100, kLeastCrf, 30.0, true).crf);
  CHECK_FALSE(search(content, 100, kLeastCrf, kCurve.most, true).crf);
  // Bytes that hardly fall at first: no slope tells where the share is.
  const Content stubborn{1e6, 60.0, -1.7, 0.0, 1};
  const std::int64_t share = stubborn.bytes(kCurve.most) + 1;
  const Found found = search(stubborn, share, kLeastCrf, kLeastCrf, true);
  REQUIRE(found.crf);
  CHECK(found.bytes <= share);
}

TEST_CASE("an encoding of other pictures says where to begin and nothing else") {
  const Content content{1e6, 5.0, 0.0, 0.0, 1};
  SizeSearch search(kCurve, 5.0, 500'000, kLeastCrf, {kCurve.most, 700'000, false});
  CHECK_FALSE(search.best());
  int encodings = 0;
  for (; const auto next = search.next(); ++encodings) search.found(*next, content.bytes(*next));
  REQUIRE(search.best());
  CHECK(content.bytes(*search.best()) <= 500'000);
  CHECK(encodings <= 5);
}

}  // namespace
}  // namespace streamvsr
