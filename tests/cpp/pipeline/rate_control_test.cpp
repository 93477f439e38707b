// The quality of a segment's frames under a share of the disk, against encoders that are formulas.
#include "pipeline/rate_control.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>
#include <random>

namespace streamvsr {
namespace {

// Purpose: a film's segment for an encoder that obeys the model but for noise, a slope of its own
// and packets that come late.
struct Encode {
  std::vector<std::int32_t> source;
  double halved_by = 5.0;
  double growth = 6.0;  // bytes at crf 18 for each of the source
  double noise = 0.2;
  std::size_t delay = 10;
  // From a frame on, so many times what the source's bytes promise.
  struct {
    std::size_t from = 0;
    double times = 1.0;
  } unforeseen;

  struct Result {
    std::vector<double> crf;
    std::int64_t bytes = 0;
    bool bound = false;
  };
  double bytes_of(const std::size_t frame, const double crf, const bool key) const {
    const double one = key ? 8.0 * source.front() : source[frame];
    const double times = frame >= unforeseen.from ? unforeseen.times : 1.0;
    return growth * times * one * std::exp2((18.0 - crf) / halved_by);
  }
  // What SegmentEncoder does before it opens an encoder.
  void rehearse(RateControl& rate) const {
    const std::size_t frames = std::min(rate.rehearsal(), source.size());
    for (int round = 0; frames > 0 && round < 3; ++round) {
      double others = 0.0;
      for (std::size_t i = 1; i < frames; ++i) others += bytes_of(i, rate.crf(), false);
      const double key = bytes_of(0, rate.crf(), true);
      if (!rate.rehearsed(frames, static_cast<std::int64_t>(key),
                          static_cast<std::int64_t>(others)))
        break;
    }
  }
  Result run(const RateCurve& curve, const RateControl::Task& task) const {
    RateControl rate(curve, task);
    rehearse(rate);
    Result result;
    std::mt19937 random(7);
    std::uniform_real_distribution<double> off(-noise, noise);
    std::deque<std::size_t> inside;
    const auto out = [&](const std::size_t frame, const double crf) {
      const bool key = frame == 0;
      const double bytes = bytes_of(frame, crf, key) * (1.0 + off(random));
      result.bytes += static_cast<std::int64_t>(bytes);
      rate.received(frame, static_cast<std::int64_t>(bytes), key);
    };
    for (std::size_t i = 0; i < source.size(); ++i) {
      result.crf.push_back(rate.crf());
      rate.sent();
      inside.push_back(i);
      // What leaves is encoded with the quality set now.
      for (; inside.size() > delay; inside.pop_front()) out(inside.front(), rate.crf());
    }
    const double last = rate.crf();
    for (; !inside.empty(); inside.pop_front()) out(inside.front(), last);
    result.bound = rate.bound();
    return result;
  }
};

std::vector<std::int32_t> passages(const std::uint32_t seed, const std::size_t frames) {
  std::mt19937 random(seed);
  std::vector<std::int32_t> bytes;
  while (bytes.size() < frames) {
    const double level = std::exp2(std::uniform_real_distribution<double>(8.0, 12.0)(random));
    for (std::size_t n = 40 + random() % 100; n > 0 && bytes.size() < frames; --n)
      bytes.push_back(static_cast<std::int32_t>(level * (n % 3 == 0 ? 1.6 : 0.7)));
  }
  return bytes;
}

RateControl::Task task_for(const Encode& encode, const double share_of_need, const double guess) {
  RateControl::Task task;
  double need = 0.0;
  for (std::size_t i = 0; i < encode.source.size(); ++i)
    need += (i == 0 ? 8.0 : 1.0) * encode.growth * encode.source[i];
  task.share = static_cast<std::int64_t>(share_of_need * need);
  task.source_bytes = encode.source;
  task.expected = guess * need;
  task.frames = static_cast<std::int64_t>(encode.source.size());
  task.least_crf = 18.0;
  return task;
}

const RateCurve kSteered{5.0, 51.0, 1.0, true, 46.0};
const RateCurve kOneCrf{5.0, 51.0, 1.0, false, 0.0};

TEST_CASE("a share that suffices leaves the quality as asked for, whatever the guess") {
  for (const double guess : {0.2, 1.0, 5.0, 100.0})
    for (std::uint32_t seed = 0; seed < 20; ++seed)
      for (const RateCurve& curve : {kSteered, kOneCrf}) {
        const Encode encode{passages(seed, 240)};
        const auto result = encode.run(curve, task_for(encode, 1.6, guess));
        CAPTURE(guess);
        CAPTURE(seed);
        CAPTURE(curve.steerable);
        CHECK_FALSE(result.bound);
        CHECK(*std::max_element(result.crf.begin(), result.crf.end()) == 18.0);
      }
}

TEST_CASE("a share that binds is used and hardly ever passed, whatever the guess") {
  for (const double share : {0.6, 0.25, 0.08})
    for (const double guess : {0.1, 1.0, 5.0, 100.0})
      for (std::uint32_t seed = 0; seed < 12; ++seed) {
        Encode encode{passages(seed, 240)};
        for (encode.halved_by = 4.5; encode.halved_by < 6.0; encode.halved_by += 0.7) {
          const RateControl::Task task = task_for(encode, share, guess);
          const auto result = encode.run(kSteered, task);
          const double used = static_cast<double>(result.bytes) / static_cast<double>(task.share);
          CAPTURE(share);
          CAPTURE(guess);
          CAPTURE(seed);
          CAPTURE(encode.halved_by);
          CHECK(used > 0.9);
          CHECK(used < 1.06);
          CHECK(result.bound);
        }
      }
}

TEST_CASE("one crf for all frames: a rehearsal brings the bytes near the share") {
  for (const double share : {0.6, 0.25, 0.08})
    for (const double guess : {0.1, 1.0, 5.0})
      for (std::uint32_t seed = 0; seed < 12; ++seed) {
        const Encode encode{passages(seed, 240)};
        const RateControl::Task task = task_for(encode, share, guess);
        const auto result = encode.run(kOneCrf, task);
        CHECK(std::ranges::all_of(result.crf, [&](const double c) { return c == result.crf[0]; }));
        CHECK(result.bound);
        CHECK(static_cast<double>(result.bytes) > 0.7 * static_cast<double>(task.share));
        CHECK(static_cast<double>(result.bytes) < 1.3 * static_cast<double>(task.share));
      }
}

TEST_CASE("a large share needs no rehearsal, and cannot bind") {
  const Encode encode{passages(3, 240)};
  RateControl rate(kOneCrf, task_for(encode, 20.0, 1.0));
  CHECK(rate.rehearsal() == 0);
  CHECK_FALSE(rate.may_bind());
  const RateControl doubtful(kOneCrf, task_for(encode, 1.0, 1.0));
  CHECK(doubtful.rehearsal() > 1);
  CHECK(doubtful.rehearsal() <= encode.source.size() / 6);
  CHECK(doubtful.may_bind());
  RateControl ample(kOneCrf, task_for(encode, 2.0, 5.0));
  CHECK(ample.may_bind());
  encode.rehearse(ample);
  CHECK_FALSE(ample.may_bind());
}

TEST_CASE("a dark title says little of the film behind it") {
  Encode encode{passages(5, 240)};
  for (std::size_t i = 0; i < 20; ++i) encode.source[i] = 1;
  const RateControl::Task task = task_for(encode, 0.3, 1.0);
  const auto result = encode.run(kSteered, task);
  CHECK(static_cast<double>(result.bytes) < 1.06 * static_cast<double>(task.share));
  CHECK(static_cast<double>(result.bytes) > 0.9 * static_cast<double>(task.share));
}

TEST_CASE("what the source did not foretell is not paid for by a segment's end") {
  // A quiet half, then one that takes half as much again as its bytes promise.
  Encode encode{std::vector<std::int32_t>(240, 1000)};
  for (std::size_t i = 0; i < 120; ++i) encode.source[i] = 100;
  const RateControl::Task task = task_for(encode, 0.5, 2.0);
  encode.unforeseen = {120, 1.5};
  encode.delay = 16;
  const auto result = encode.run(kSteered, task);
  CHECK(static_cast<double>(result.bytes) < 1.01 * static_cast<double>(task.share));
  CHECK(static_cast<double>(result.bytes) > 0.93 * static_cast<double>(task.share));
  const auto mean = [&](const std::size_t from, const std::size_t to) {
    return std::accumulate(result.crf.begin() + static_cast<std::ptrdiff_t>(from),
                           result.crf.begin() + static_cast<std::ptrdiff_t>(to), 0.0) /
           static_cast<double>(to - from);
  };
  // Without what is kept back for it, the end would be 4.6 coarser than the quiet half.
  CHECK(mean(210, 240) - mean(0, 120) < 4.2);
}

TEST_CASE("a rehearsal of quiet pictures counts for as little as they take") {
  // They take half of what their bytes promise; the rest takes all of it.
  Encode encode{std::vector<std::int32_t>(240, 1000)};
  for (std::size_t i = 0; i < 12; ++i) encode.source[i] = 200;
  encode.unforeseen = {12, 2.0};
  encode.delay = 16;
  encode.noise = 0.05;
  const auto result = encode.run(kSteered, task_for(encode, 0.5, 2.0));
  // A few seconds on, the quality is the one that will do to the end.
  const double end = std::accumulate(result.crf.end() - 40, result.crf.end(), 0.0) / 40.0;
  CHECK(std::abs(result.crf[60] - end) < 0.7);
}

TEST_CASE("the fewer frames lie in the encoder, the more of the share is used") {
  const Encode slow{passages(4, 240), 5.0, 6.0, 0.05, 60};
  Encode quick = slow;
  quick.delay = 10;
  const RateControl::Task task = task_for(slow, 0.4, 1.0);
  const std::int64_t used = quick.run(kSteered, task).bytes;
  CHECK(used - slow.run(kSteered, task).bytes > task.share / 50);
  CHECK(static_cast<double>(used) > 0.96 * static_cast<double>(task.share));
}

TEST_CASE("the crf never goes below the one asked for nor above the codec's largest") {
  for (std::uint32_t seed = 0; seed < 30; ++seed) {
    Encode encode{passages(seed, 30 + 17 * seed)};
    encode.noise = 0.9;
    encode.halved_by = 3.0 + 0.2 * seed;
    for (const double share : {3.0, 0.1, 1e-5}) {
      const auto result =
          encode.run(seed % 2 == 0 ? kSteered : kOneCrf, task_for(encode, share, 1.0));
      const auto [low, high] = std::minmax_element(result.crf.begin(), result.crf.end());
      CHECK(*low >= 18.0);
      CHECK(*high <= 51.0);
    }
  }
}

TEST_CASE("nothing known of the source, or of the number of frames, is no obstacle") {
  RateControl::Task task;
  task.share = 1000;
  task.expected = 5000.0;
  task.frames = 10;
  RateControl rate(kSteered, task);
  for (std::size_t i = 0; i < 50; ++i) {
    rate.sent();
    rate.received(i, 100, i == 0);
  }
  CHECK(rate.crf() > 30.0);
  CHECK(rate.mean_crf() > 0.0);
}

}  // namespace
}  // namespace streamvsr
