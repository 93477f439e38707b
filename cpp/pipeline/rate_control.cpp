#include "pipeline/rate_control.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace streamvsr {

namespace {

// Of a share, what is aimed at: the frames that are in the encoder when the last one is given leave
// it with nothing behind them to make up for an error.
constexpr double kAim = 0.985;
constexpr double kAimOfBlind = 0.90;  // where that is all of them
constexpr double kAimOfAll = 0.97;    // where one crf is for all
// Of what is aimed at, kept back from the frames before while all are still to come, and handed out
// as they are done: an error in what is foretold falls on a segment's last frames, and there a lack
// costs more than a surplus gains.
constexpr double kReserve = 0.08;
// A second of the source's bytes foretells what ours will be: over 34 of them from four real clips
// the logarithms of both went together with a slope of 1.00 and a correlation of 0.985.
constexpr std::ptrdiff_t kAround = 12;  // frames on each side
constexpr double kSame = 0.03;          // of a weight, the same for all frames
constexpr double kKeyPart = 0.15;       // of a segment's bytes, guessed
constexpr double kGuessFrames = 2.0;    // that the guess weighs as much as
constexpr double kLeastSeen = 0.1;      // and a rehearsal, at the least
constexpr double kForget = 0.995;       // a packet: half after 138
constexpr double kFirstStep = 1.0;      // crf a frame, until kSettled packets are out
constexpr double kStepUp = 0.7;
constexpr double kStepDown = 0.35;
constexpr std::size_t kSettled = 24;
// While the crf is as asked for, a need above the rest of the share is waited with: so many
// halvings of it where all frames are still to come, fewer with each that is out.
constexpr double kPatience = 0.15;
// A rehearsal's frames, or all there are. Where each packet may correct it few do; without, twelve
// foretold of SVT-AV1 a third to all of what four real clips took, 32 four fifths to all of three.
constexpr std::size_t kMostRehearsed = 12, kMostRehearsedOfOthers = 32;
// None where the guess would have to be wrong by this.
constexpr double kNoDoubt = 8.0;
constexpr double kNear = 0.4;  // halvings between a rehearsal's crf and the one chosen by it
// Where frames rehearsed are this much lighter than the film's mean (a dark title), the guess
// counts too, up to so many times what was found.
constexpr double kLight = 0.1;
constexpr double kMostGuessed = 30.0;
constexpr double kSurely = 0.7;  // a need of this part of the aim does not bind

// Bytes around each frame, without the largest packet there: a source's key frame says nothing of
// how hard its passage is.
double local_bytes(const std::span<const std::int32_t> around) {
  if (around.empty()) return 0.0;
  const double sum = std::accumulate(around.begin(), around.end(), 0.0);
  if (around.size() <= 2) return sum / static_cast<double>(around.size());
  const double largest = *std::max_element(around.begin(), around.end());
  return (sum - largest) / static_cast<double>(around.size() - 1);
}

double as_weight(const double bytes, const double mean) {
  return mean > 0.0 ? (1.0 - kSame) * bytes / mean + kSame : 1.0;
}

std::vector<float> smooth_weights(const std::span<const std::int32_t> bytes) {
  const auto count = static_cast<std::ptrdiff_t>(bytes.size());
  std::vector<double> local;
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const auto from = static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, i - kAround));
    const auto to = static_cast<std::size_t>(std::min(count, i + kAround + 1));
    local.push_back(local_bytes(bytes.subspan(from, to - from)));
  }
  const double mean = std::accumulate(local.begin(), local.end(), 0.0) /
                      static_cast<double>(std::max<std::ptrdiff_t>(1, count));
  std::vector<float> weights;
  for (const double one : local) weights.push_back(static_cast<float>(as_weight(one, mean)));
  return weights;
}

}  // namespace

RateControl::RateControl(const RateCurve& curve, const Task& task)
    : task_(task),
      steerable_(curve.steerable),
      usual_halved_by_(curve.halved_by),
      halved_by_(curve.halved_by),
      most_crf_(std::max(task.least_crf, curve.most)),
      weights_(smooth_weights(task.source_bytes)),
      crf_(task.least_crf),
      most_rehearsed_(most_rehearsed(curve)) {
  task_.frames = std::max<std::int64_t>(1, task.frames);
  task_.expected = std::max(1.0, task.expected);
  weights_.resize(static_cast<std::size_t>(task_.frames), 1.0F);
  left_weight_ = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  aim_at(curve.blind);
  const double expected = task_.expected / at(task_.least_crf);
  key_ = key_guess_ = kKeyPart * expected;
  guess_ = (1.0 - kKeyPart) * expected / left_weight_;
  const double first =
      std::max(task_.least_crf,
               task_.least_crf + halved_by_ * std::log2(std::max(1.0, task_.expected / aim_)));
  learned_cost_ = kGuessFrames * at(first);
  learned_bytes_ = guess_ * learned_cost_;
  choose(1e3, 1e3);
}

// blind: of the last frames, those that nothing makes up for.
void RateControl::aim_at(const double blind) {
  const double part = std::min(1.0, blind / static_cast<double>(task_.frames));
  aim_ = steerable_ ? kAim + (kAimOfBlind - kAim) * part : kAimOfAll;
  aim_ *= static_cast<double>(std::max<std::int64_t>(1, task_.share));
}

double RateControl::at(const double crf) const { return std::exp2(-crf / halved_by_); }

double RateControl::weight(const std::size_t frame) const {
  return frame < weights_.size() ? weights_[frame] : 1.0;
}

double RateControl::rehearsed_weight(const std::size_t frames) const {
  const auto& bytes = task_.source_bytes;
  return as_weight(local_bytes(bytes.first(std::min(frames, bytes.size()))), local_bytes(bytes));
}

std::size_t RateControl::rehearsal() const {
  if (kNoDoubt * task_.expected < aim_) return 0;
  return std::min(static_cast<std::size_t>(task_.frames), most_rehearsed_);
}

std::size_t RateControl::most_rehearsed(const RateCurve& curve) {
  return curve.steerable ? kMostRehearsed : kMostRehearsedOfOthers;
}

bool RateControl::rehearsed(const std::size_t frames, const std::int64_t key_bytes,
                            const std::int64_t other_bytes) {
  const double crf = crf_;
  const double bytes = static_cast<double>(key_bytes + other_bytes);
  if (trial_.bytes > 0.0 && std::abs(crf - trial_.crf) >= kNear * usual_halved_by_) {
    // The film's own curve. Steering follows packets, and needs no more than about the right one.
    const double slope = (crf - trial_.crf) / std::log2(trial_.bytes / std::max(1.0, bytes));
    const double least = (steerable_ ? 0.8 : 0.5) * usual_halved_by_;
    const double most = (steerable_ ? 1.25 : 3.0) * usual_halved_by_;
    halved_by_ = slope > 0.0 ? std::clamp(slope, least, most) : most;
    const double expected = task_.expected / at(task_.least_crf);
    key_guess_ = kKeyPart * expected;
    guess_ = (1.0 - kKeyPart) * expected / left_weight_;
  }
  trial_ = {crf, bytes};
  key_ = static_cast<double>(std::max<std::int64_t>(1, key_bytes)) / at(crf);
  const auto others = static_cast<double>(frames > 1 ? frames - 1 : 0);
  double complexity = guess_ * key_ / key_guess_;
  const double weight = rehearsed_weight(frames);
  if (others > 0.0) {
    const double found =
        std::max(1.0, static_cast<double>(other_bytes)) / (others * weight * at(crf));
    const double certain = std::clamp((weight - kSame) / (kLight - kSame), 0.0, 1.0);
    complexity =
        std::exp2(certain * std::log2(found) +
                  (1.0 - certain) * std::log2(std::clamp(guess_, found, kMostGuessed * found)));
  }
  if (static_cast<std::int64_t>(frames) >= task_.frames) aim_at(0.0);  // nothing is left to guess
  // Where packets correct it at once, a quiet beginning says as little of the rest as it takes of
  // it.
  learned_cost_ =
      (steerable_ ? std::max(kLeastSeen, others * weight) : std::max(kGuessFrames, others)) *
      at(crf);
  learned_bytes_ = complexity * learned_cost_;
  crf_ = task_.least_crf;
  choose(1e3, 1e3);
  return std::abs(crf_ - crf) > kNear * usual_halved_by_;
}

bool RateControl::may_bind() const { return need() * at(task_.least_crf) > kSurely * aim_; }

void RateControl::sent() {
  used_.push_back(crf_);
  if (crf_ > task_.least_crf) bound_ = true;
}

void RateControl::received(const std::size_t frame, const std::int64_t bytes, const bool key) {
  if (!steerable_) return;
  if (const auto sent = static_cast<std::int64_t>(used_.size());
      packets_ == 0 && sent < task_.frames)
    aim_at(static_cast<double>(sent));
  bytes_ += static_cast<double>(bytes);
  left_weight_ = std::max(0.0, left_weight_ - weight(frame));
  ++packets_;
  // The crf that this packet was encoded with: that of the frame given `lag` ago.
  const std::size_t behind = std::min(used_.size(), static_cast<std::size_t>(task_.lag) + 1);
  const double crf = used_.empty() ? crf_ : used_[used_.size() - behind];
  if (frame == 0) {
    key_is_out_ = true;
    key_ = static_cast<double>(bytes) / at(crf);
  } else if (!key) {
    learned_bytes_ = kForget * learned_bytes_ + static_cast<double>(bytes);
    learned_cost_ = kForget * learned_cost_ + weight(frame) * at(crf);
  }
  if (packets_ < kSettled)
    choose(kFirstStep, kFirstStep);
  else
    choose(kStepUp, kStepDown);
}

// Complexity of all that is to come.
double RateControl::need() const {
  return learned_bytes_ / learned_cost_ * std::max(1.0, left_weight_) + (key_is_out_ ? 0.0 : key_);
}

void RateControl::choose(const double upward, const double downward) {
  // Past the aim there is still something to have: the picture must not break off.
  const double to_come = left_weight_ / static_cast<double>(task_.frames);
  const double aim = steerable_ ? aim_ * (1.0 - kReserve * to_come) : aim_;
  const double left = std::max(aim - bytes_, 0.002 * static_cast<double>(task_.share));
  double wanted = halved_by_ * std::log2(std::max(1e-9, need()) / std::max(1.0, left));
  const double patience = kPatience * halved_by_ * to_come;
  if (crf_ <= task_.least_crf && wanted < task_.least_crf + patience) wanted = task_.least_crf;
  const double next = std::clamp(wanted, crf_ - downward, crf_ + upward);
  crf_ = std::clamp(whole_crf(next), task_.least_crf, most_crf_);
}

double RateControl::mean_crf() const {
  if (used_.empty()) return crf_;
  return std::accumulate(used_.begin(), used_.end(), 0.0) / static_cast<double>(used_.size());
}

double RateControl::crf_spread() const {
  const double mean = mean_crf();
  double squares = 0.0;
  for (const double crf : used_) squares += (crf - mean) * (crf - mean);
  return std::sqrt(squares / static_cast<double>(std::max<std::size_t>(1, used_.size())));
}

}  // namespace streamvsr
