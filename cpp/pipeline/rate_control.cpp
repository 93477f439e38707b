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
// A second of the source's bytes foretells what ours will be: over 34 of them from four real clips
// the logarithms of both went together with a slope of 1.00 and a correlation of 0.985.
constexpr std::ptrdiff_t kAround = 12;  // frames on each side
constexpr double kSame = 0.03;          // of a weight, the same for all frames
constexpr double kKeyPart = 0.15;       // of a segment's bytes, guessed
constexpr double kGuessFrames = 8.0;    // that the guess weighs as much as
constexpr double kForget = 0.988;       // a packet: half after 58
constexpr double kSteps = 16.0;         // a crf: what a few bits of rounding cannot move
constexpr double kFirstStep = 1.0;      // crf a frame, until kSettled packets are out
constexpr double kStepUp = 0.35;
constexpr double kStepDown = 0.15;
constexpr std::size_t kSettled = 24;
constexpr std::int64_t kLeastRun = 48;  // frames
constexpr std::int64_t kMostRuns = 4;

// Bytes around each frame, without the largest packet there: a source's key frame says nothing of
// how hard its passage is.
std::vector<float> smooth_weights(const std::span<const std::int32_t> bytes) {
  const auto count = static_cast<std::ptrdiff_t>(bytes.size());
  std::vector<float> weights(bytes.size(), 1.0F);
  double total = 0.0;
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const auto from = static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, i - kAround));
    const auto to = static_cast<std::size_t>(std::min(count, i + kAround + 1));
    const auto around = bytes.subspan(from, to - from);
    const double sum = std::accumulate(around.begin(), around.end(), 0.0);
    const double largest = around.size() > 2 ? *std::max_element(around.begin(), around.end()) : 0;
    const double local =
        (sum - largest) / static_cast<double>(around.size() - (around.size() > 2 ? 1 : 0));
    weights[static_cast<std::size_t>(i)] = static_cast<float>(local);
    total += local;
  }
  const double mean = total / static_cast<double>(std::max<std::ptrdiff_t>(1, count));
  for (float& weight : weights)
    weight = mean > 0.0
                 ? static_cast<float>((1.0 - kSame) * static_cast<double>(weight) / mean + kSame)
                 : 1.0F;
  return weights;
}

}  // namespace

RateControl::RateControl(const RateCurve& curve, const Task& task)
    : curve_(curve), task_(task), weights_(smooth_weights(task.source_bytes)) {
  task_.frames = std::max<std::int64_t>(1, task.frames);
  weights_.resize(static_cast<std::size_t>(task_.frames), 1.0F);
  left_weight_ = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  if (!curve.steerable) {
    const std::int64_t runs = std::clamp(task_.frames / kLeastRun, std::int64_t{1}, kMostRuns);
    run_frames_ = (task_.frames + runs - 1) / runs;
  }
  crf_ = task_.least_crf;
  const double at_least = std::exp2(-task_.least_crf / curve_.halved_by);
  const double complexity = std::max(1.0, task_.expected) *
                            (curve.steerable ? 1.0 - kKeyPart : 1.0) / (left_weight_ * at_least);
  const double blind = run_frames_ > 0 ? static_cast<double>(run_frames_) : curve.blind;
  aim_ = kAim + (kAimOfBlind - kAim) * std::min(1.0, blind / static_cast<double>(task_.frames));
  aim_ *= static_cast<double>(std::max<std::int64_t>(1, task_.share));
  const double first = std::max(
      task_.least_crf,
      task_.least_crf + curve_.halved_by * std::log2(std::max(1.0, task_.expected) / aim_));
  learned_cost_ = kGuessFrames * std::exp2(-first / curve_.halved_by);
  learned_bytes_ = complexity * learned_cost_;
  choose(1e3, 1e3);
}

double RateControl::weight(const std::size_t frame) const {
  return frame < weights_.size() ? weights_[frame] : 1.0;
}

bool RateControl::sent() {
  used_.push_back(crf_);
  ++in_run_;
  return run_frames_ > 0 && in_run_ >= run_frames_;
}

void RateControl::received(const std::size_t frame, const std::int64_t bytes, const bool key) {
  bytes_ += static_cast<double>(bytes);
  left_weight_ = std::max(0.0, left_weight_ - weight(frame));
  ++packets_;
  // The crf that this packet was encoded with: that of the frame given `lag` ago.
  const std::size_t behind = std::min(used_.size(), static_cast<std::size_t>(task_.lag) + 1);
  const double crf = used_.empty() ? crf_ : used_[used_.size() - behind];
  if (!key || run_frames_ > 0) {
    const double keep = run_frames_ > 0 ? 1.0 : kForget;
    learned_bytes_ = keep * learned_bytes_ + static_cast<double>(bytes);
    learned_cost_ = keep * learned_cost_ + weight(frame) * std::exp2(-crf / curve_.halved_by);
  }
  if (run_frames_ > 0) return;
  if (packets_ < kSettled)
    choose(kFirstStep, kFirstStep);
  else
    choose(kStepUp, kStepDown);
}

void RateControl::run_ended() {
  in_run_ = 0;
  choose(1e3, 1e3);
}

void RateControl::choose(const double upward, const double downward) {
  const auto share = static_cast<double>(task_.share);
  const double key = packets_ == 0 && run_frames_ == 0 ? kKeyPart * aim_ : 0.0;
  // Past the aim there is still something to have: the picture must not break off.
  const double left = std::max(aim_ - bytes_ - key, 0.002 * share);
  const double need = learned_bytes_ / learned_cost_ * std::max(1.0, left_weight_);
  const double wanted = curve_.halved_by * std::log2(std::max(1e-9, need) / std::max(1.0, left));
  const double next = std::clamp(wanted, crf_ - downward, crf_ + upward);
  crf_ = std::clamp(std::round(next * kSteps) / kSteps, task_.least_crf,
                    std::max(task_.least_crf, curve_.most));
  if (crf_ > task_.least_crf) bound_ = true;
}

double RateControl::mean_crf() const {
  if (used_.empty()) return crf_;
  return std::accumulate(used_.begin(), used_.end(), 0.0) / static_cast<double>(used_.size());
}

}  // namespace streamvsr
