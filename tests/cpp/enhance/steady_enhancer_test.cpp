// Mask and temporal window over an enhancer: the same however pictures are batched, on any threads
// and from any start that look_back() allows.
#include "enhance/steady_enhancer.h"

#include <doctest/doctest.h>

#include "../temporal/pictures.h"
#include "base/error.h"
#include "color/resample.h"

namespace streamvsr {
namespace {

using testing::same;
using testing::textured;

std::vector<Planes> film(const PlaneFormat& format, const int count, const int cut) {
  std::vector<Planes> pictures;
  for (int i = 0; i < count; ++i)
    pictures.push_back(textured(format, 1.7 * i, 0.5 * i, 2.0, static_cast<unsigned>(i + 1),
                                i >= cut ? 1.0 : 0.0));
  return pictures;
}

std::unique_ptr<Enhancer> steady(const SteadyOptions& options) {
  return make_steady_enhancer(make_nearest_enhancer(2), options);
}

// Enhances pictures `first` and on in batches of so many.
std::vector<Planes> run(Enhancer& enhancer, const std::vector<Planes>& pictures,
                        const std::size_t batch, const std::size_t first = 0) {
  std::vector<Planes> results;
  for (std::size_t i = first; i < pictures.size(); i += batch) {
    std::vector<EnhanceInput> inputs;
    for (std::size_t j = i; j < std::min(pictures.size(), i + batch); ++j) {
      EnhanceInput input;
      input.picture = &pictures[j];
      inputs.push_back(input);
    }
    for (Planes& result : enhancer.run(inputs, StopFlag())) results.push_back(std::move(result));
  }
  return results;
}

SteadyOptions everything(const int threads = 1) {
  return {{3, 0.7F, true, {}}, {0.8F, 0.8F, 0.2F, 0.02F, 0.02F}, threads};
}

const PlaneFormat kFormats[] = {{60, 45, 3, 1, 1, 8, false},
                                {41, 30, 3, 1, 0, 10, false},
                                {32, 32, 1, 0, 0, 16, false},
                                {50, 31, 4, 0, 0, 8, true},
                                {2, 1, 3, 1, 1, 8, false}};

TEST_CASE("a result is the same in any batches, on any threads, and from any start") {
  for (const PlaneFormat& format : kFormats) {
    const auto pictures = film(format, 11, 7);
    const auto reference = steady(everything());
    REQUIRE(reference->look_back() == 3);
    const auto expected = run(*reference, pictures, 1);
    for (const int threads : {1, 2, 3}) {
      const auto enhancer = steady(everything(threads));
      const auto results = run(*enhancer, pictures, static_cast<std::size_t>(threads) + 1);
      REQUIRE(results.size() == expected.size());
      for (std::size_t i = 0; i < results.size(); ++i) CHECK(same(results[i], expected[i]));
    }
    for (std::size_t first = 1; first + 3 < pictures.size(); first += 2) {
      const auto late = run(*steady(everything()), pictures, 2, first);
      for (std::size_t i = 3; i < late.size(); ++i) CHECK(same(late[i], expected[first + i]));
    }
  }
}

TEST_CASE("a window without a mask can be begun where look_back() says, and no later") {
  SteadyOptions options;
  options.temporal.background_lock = false;
  const auto pictures = film({128, 96, 1, 0, 0, 8, false}, 11, 11);
  const auto reference = steady(options);
  const auto back = static_cast<std::size_t>(reference->look_back());
  const auto expected = run(*reference, pictures, 1);
  bool differs = false;
  for (std::size_t first = 1; first + back < pictures.size(); ++first) {
    const auto late = run(*steady(options), pictures, 1, first);
    for (std::size_t i = back; i < late.size(); ++i) CHECK(same(late[i], expected[first + i]));
    differs = differs || !same(late[back - 1], expected[first + back - 1]);
  }
  CHECK(differs);
}

TEST_CASE("what it looks back on is what its settings need") {
  SteadyOptions options = everything();
  options.mask.motion = 1.0F;
  CHECK(steady(options)->look_back() == 3);
  options.temporal.window = 1;
  CHECK(steady(options)->look_back() == 0);
  options.mask.motion = 0.02F;
  CHECK(steady(options)->look_back() == 1);
  options.temporal.window = 8;
  CHECK(steady(options)->look_back() == 8);
}

TEST_CASE("with nothing to do it is the inner enhancer") {
  const auto inner = make_nearest_enhancer(2);
  for (const SteadyOptions& options :
       {SteadyOptions{{1, 0.7F, true, {}}, {}, 1}, SteadyOptions{{3, 0.0F, true, {}}, {}, 1}}) {
    const auto enhancer = steady(options);
    CHECK(enhancer->describe() == inner->describe());
    for (const PlaneFormat& format : kFormats) {
      const auto pictures = film(format, 3, 2);
      const auto results = run(*enhancer, pictures, 2);
      const auto expected = run(*inner, pictures, 2);
      for (std::size_t i = 0; i < results.size(); ++i) CHECK(same(results[i], expected[i]));
    }
  }
}

TEST_CASE("without a share for the network, its planes are interpolated and the others are left") {
  SteadyOptions options{{1, 0.0F, true, {}}, {0.0F, 1.0F, 0.0F, 0.0F, 1.0F}, 2};
  for (const PlaneFormat& format : kFormats) {
    const auto pictures = film(format, 1, 1);
    const auto enhancer = steady(options);
    const Planes result = std::move(run(*enhancer, pictures, 1)[0]);
    const Planes inner = std::move(run(*make_nearest_enhancer(2), pictures, 1)[0]);
    for (int plane = 0; plane < format.plane_count; ++plane) {
      const bool networks = plane == 0 || (format.rgb && plane < 3);
      CHECK((testing::difference(result, inner, plane) == 0.0) == (!networks || format.width < 3));
    }
    CHECK(enhancer->describe() ==
          "nearest; mask: strength 0, highlights 1, shadows 0, edges 0, motion 1");
  }
}

// The loops, counted, at a place of their own.
class Elsewhere final : public FlowFinder {
 public:
  MotionField find(const GrayPyramid& now, const GrayPyramid& before, const int finest,
                   const Parallel& parallel, const int coarsest) override {
    ++searches;
    return find_flow(now, before, finest, parallel, coarsest);
  }
  void prepare(const int width, const int height) override { size = {width, height}; }
  std::size_t bytes(int, int) const override { return 12345; }
  std::string describe() const override { return "flow elsewhere"; }

  int searches = 0;
  std::pair<int, int> size{0, 0};
};

// An enhancer whose network runs there.
class Distant final : public Enhancer {
 public:
  explicit Distant(Elsewhere& flow) : flow_(flow), inner_(make_nearest_enhancer(2)) {}
  int scale() const override { return inner_->scale(); }
  void check(const PlaneFormat& source, const ColorDescription&) const override {
    // Whoever plans its memory must know of the search by now.
    CHECK((flow_.size == std::pair(source.width, source.height)) == expected);
  }
  FlowFinder* flow_finder() override { return &flow_; }
  std::size_t workspace_bytes(const PlaneFormat& source) const override {
    return inner_->workspace_bytes(source);
  }
  std::vector<Planes> run(const std::span<const EnhanceInput> batch,
                          const StopFlag& stop) override {
    return inner_->run(batch, stop);
  }
  std::string describe() const override { return inner_->describe(); }

  bool expected = true;

 private:
  Elsewhere& flow_;
  std::unique_ptr<Enhancer> inner_;
};

TEST_CASE("motion is found where the inner enhancer says, where there is any to find") {
  const auto pictures = film(kFormats[0], 5, 9);
  const auto expected = run(*steady(everything()), pictures, 2);
  Elsewhere flow;
  const auto enhancer = make_steady_enhancer(std::make_unique<Distant>(flow), everything());
  enhancer->check(kFormats[0], {});
  const auto results = run(*enhancer, pictures, 2);
  for (std::size_t i = 0; i < results.size(); ++i) CHECK(same(results[i], expected[i]));
  CHECK(flow.searches == 2 * 4);  // forth and back
  CHECK(enhancer->describe() == steady(everything())->describe() + "; flow elsewhere");
  CHECK(enhancer->workspace_bytes(kFormats[0]) ==
        steady(everything())->workspace_bytes(kFormats[0]) + 12345);

  Elsewhere unused;
  auto inner = std::make_unique<Distant>(unused);
  inner->expected = false;
  SteadyOptions still = everything();
  still.temporal.window = 1;
  still.mask.motion = 1.0F;
  const auto mask_alone = make_steady_enhancer(std::move(inner), still);
  mask_alone->check(kFormats[0], {});
  run(*mask_alone, pictures, 2);
  CHECK(unused.searches == 0);
  CHECK(mask_alone->describe() == steady(still)->describe());
  CHECK(mask_alone->workspace_bytes(kFormats[0]) == steady(still)->workspace_bytes(kFormats[0]));
}

TEST_CASE("its memory is counted, a stop is noticed, nonsense is refused") {
  const PlaneFormat format{640, 360, 3, 1, 1, 8, false};
  const auto enhancer = steady(everything());
  const std::size_t enhanced = planes_bytes(enhancer->output_format(format));
  CHECK(enhancer->workspace_bytes(format) > 3 * enhanced);
  CHECK(enhancer->workspace_bytes(format) < 8 * enhanced);
  StopFlag stop;
  stop.request();
  const auto pictures = film(kFormats[0], 1, 1);
  EnhanceInput input;
  input.picture = &pictures[0];
  CHECK_THROWS_AS(enhancer->run(std::span(&input, 1), stop), Error);
  SteadyOptions wrong = everything();
  wrong.temporal.window = 9;
  CHECK_THROWS_AS(steady(wrong), Error);
  wrong = everything();
  wrong.mask.shadows = -1.0F;
  CHECK_THROWS_AS(steady(wrong), Error);
}

}  // namespace
}  // namespace streamvsr
