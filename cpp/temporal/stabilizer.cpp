#include "temporal/stabilizer.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "temporal/blend.h"
#include "temporal/detail.h"
#include "temporal/even.h"

namespace streamvsr {

namespace {

// Codes of 8 bits: more is not taken to be noise, whatever is measured.
constexpr float kMostNoise = 4.0F;
// Trust in a cell falls to nothing between so many times the noise and twice as many: much is left
// by what the codec misplaced.
constexpr float kTrusted = 6.0F;
constexpr float kLeastNoise = 1.0F;  // less is taken for this
// And between such mean differences: noise has none, a change of light has nothing else.
constexpr float kSameLight = 2.0F;
constexpr float kOtherLight = 5.0F;
// And between such shares of the detail, of what is left beyond half the noise: where that is as
// much as there was to be aligned, nothing was, and a mean would be of two things.
constexpr float kAligned = 0.2F;
constexpr float kNotAligned = 0.5F;

float falling(const float value, const float from, const float to) {
  return std::clamp((to - value) / (to - from), 0.0F, 1.0F);
}

// The median cell's difference, up to kMostNoise: most of most pictures is found again, and what is
// left is noise.
float noise_of(const CellDifferences& left) {
  constexpr int kBins = 256;  // of 1/16 code
  std::size_t counts[kBins] = {};
  for (const float difference : left.absolute) {
    ++counts[std::min(kBins - 1, static_cast<int>(difference * 16.0F))];
  }
  std::size_t below = 0;
  int bin = 0;
  while (bin < kBins - 1 && (below += counts[bin]) * 2 < left.absolute.size()) ++bin;
  return std::min(static_cast<float>(bin + 1) / 16.0F, kMostNoise);
}

// How far each cell of an earlier picture shows the same thing, 0..1.
std::vector<float> trust(const CellDifferences& left, const MotionField& motion,
                         const std::vector<std::uint8_t>& reliable,
                         const std::vector<float>& detail_now,
                         const std::vector<float>& detail_earlier) {
  const float noise = noise_of(left);
  const float trusted = kTrusted * std::max(noise, kLeastNoise);
  std::vector<float> all(reliable.size());
  for (int row = 0; row < motion.rows; ++row) {
    for (int column = 0; column < motion.columns; ++column) {
      const std::size_t cell = motion.index(column, row);
      if (reliable[cell] == 0) continue;
      const float now = detail_now[cell];
      const float earlier = detail_earlier[motion.origin(column, row)];
      const float beyond = left.absolute[cell] - noise / 2.0F;
      const float share = beyond / (std::max(now, earlier) + kAnyDetail);
      all[cell] = falling(left.absolute[cell], trusted, 2.0F * trusted) *
                  falling(std::abs(left.mean[cell]), kSameLight, kOtherLight) *
                  falling(share, kAligned, kNotAligned) * stands_in(earlier, now);
    }
  }
  return all;
}

}  // namespace

void check(const SteadySettings& settings) {
  const auto refuse = [](const std::string& what) { throw Error(ErrorKind::kConfig, what); };
  if (settings.window < 1 || settings.window > SteadySettings::kMostWindow)
    refuse("temporal_window is " + std::to_string(settings.window) + ": use 1 to " +
           std::to_string(SteadySettings::kMostWindow));
  if (!(settings.strength >= 0.0F && settings.strength <= 1.0F))
    refuse("temporal_strength is " + std::to_string(settings.strength) + ": use 0 to 1");
  if (settings.search.finest < 0 || settings.search.finest > 5)
    refuse("the finest level of the search is " + std::to_string(settings.search.finest) +
           ": use 0 to 5");
}

Stabilizer::Stabilizer(const SteadySettings& settings, const bool relates, FlowFinder& finder)
    : settings_(settings), relates_(relates || settings.on()), finder_(&finder) {
  check(settings);
}

const Relation& Stabilizer::look_at(std::shared_ptr<const GrayPyramid> source,
                                    const Parallel& parallel) {
  const auto size = [](const GrayPyramid& gray) {
    return std::pair(gray.full().width(), gray.full().height());
  };
  if (!seen_.empty() && size(*source) != size(*seen_.front().gray)) seen_.clear();
  Seen now;
  now.gray = std::move(source);
  if (relates_ && !seen_.empty()) {
    const Seen& before = seen_.front();
    now.relation = relate(*now.gray, *before.gray, settings_.search, parallel, *finder_);
    if (settings_.on() && !now.relation.cut) {
      now.evened = now.relation;
      now.evened.motion = evened(now.relation, before.relation);
      now.evened.left =
          differences(now.gray->full(), before.gray->full(), now.evened.motion, parallel);
    }
  }
  if (settings_.on()) now.detail = detail(now.gray->full(), parallel);
  seen_.push_front(std::move(now));
  const auto most = static_cast<std::size_t>(settings_.on() ? settings_.window : 1);
  while (seen_.size() > most) seen_.pop_back();
  return seen_.front().relation;
}

void Stabilizer::keep(Planes enhanced) {
  if (settings_.on()) seen_.front().enhanced = std::make_shared<const Planes>(std::move(enhanced));
}

Planes Stabilizer::steady(Planes enhanced, const int scale, const Parallel& parallel) {
  if (!settings_.on()) return enhanced;
  keep(std::move(enhanced));
  const Seen& now = seen_.front();

  std::vector<MotionField> motions;
  std::vector<std::vector<float>> trusts;
  std::vector<std::uint8_t> reliable = now.evened.reliable;
  for (std::size_t k = 1; k < seen_.size(); ++k) {
    const Seen& after = seen_[k - 1];
    const Planes* const earlier = seen_[k].enhanced.get();
    if (after.evened.cut || earlier == nullptr) break;
    if (!(earlier->format() == now.enhanced->format())) break;
    CellDifferences further;
    if (k == 1) {
      motions.push_back(now.evened.motion);
    } else {
      motions.push_back(motions.back());
      chain(motions.back(), reliable, after.evened);
      further = differences(now.gray->full(), seen_[k].gray->full(), motions.back(), parallel);
    }
    trusts.push_back(trust(k == 1 ? now.evened.left : further, motions.back(), reliable, now.detail,
                           seen_[k].detail));
  }
  if (trusts.empty()) return now.enhanced->clone();

  std::vector<BlendSource> sources(trusts.size());
  for (std::size_t k = 0; k < sources.size(); ++k) {
    sources[k].picture = seen_[k + 1].enhanced.get();
    sources[k].motion = &motions[k];
    sources[k].weight.resize(trusts[k].size());
  }
  for (std::size_t cell = 0; cell < trusts.front().size(); ++cell) {
    float weights[SteadySettings::kMostWindow] = {};
    float all = 1.0F;
    float full = 1.0F;
    for (std::size_t k = 0; k < sources.size(); ++k) {
      const bool still = motions[k].dx[cell] == 0 && motions[k].dy[cell] == 0;
      full *= settings_.background_lock && still ? 1.0F : settings_.strength;
      weights[k] = full * trusts[k][cell];
      all += weights[k];
    }
    for (std::size_t k = 0; k < sources.size(); ++k) {
      sources[k].weight[cell] =
          static_cast<std::int16_t>(static_cast<float>(BlendSource::kOne) * weights[k] / all);
    }
  }
  Planes result(now.enhanced->format());
  blend(*now.enhanced, sources, scale, result, parallel);
  return result;
}

std::size_t Stabilizer::bytes(const PlaneFormat& source, const PlaneFormat& enhanced) const {
  const auto window = static_cast<std::size_t>(settings_.on() ? settings_.window : 1);
  const std::size_t cells = MotionField(source.width, source.height).dx.size();
  // By cell: motion, found and evened out, what is left along it and detail of every picture held,
  // and while one is worked on, patches, differences and trust.
  constexpr std::size_t kHeld = 32;
  constexpr std::size_t kWorking = 112;
  return window * (GrayPyramid::bytes(source.width, source.height) + kHeld * cells) +
         kWorking * cells + (settings_.on() ? window * planes_bytes(enhanced) : 0);
}

}  // namespace streamvsr
