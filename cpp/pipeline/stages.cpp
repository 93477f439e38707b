#include "pipeline/stages.h"

#include <algorithm>
#include <cmath>

namespace streamvsr {

void StageClock::change(const State next) {
  const Lock lock(mutex_);
  const double waited = done_.wait;
  done_ = times();
  if (done_.wait - waited > kStall) ++done_.stalls;
  since_ = std::chrono::steady_clock::now();
  state_ = next;
}

StageTimes StageClock::times() const {
  StageTimes all = done_;
  const double more =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - since_).count();
  if (state_ == State::kBusy) all.busy += more;
  if (state_ == State::kWaiting) all.wait += more;
  return all;
}

StageTimes StageClock::now() const {
  const Lock lock(mutex_);
  return times();
}

void Shared::fail(std::exception_ptr error) {
  {
    const Lock lock(mutex_);
    if (!first_) first_ = error;
  }
  abort.request();
  read.fail(error);
  computed.fail(error);
}

void Shared::rethrow() const {
  const Lock lock(mutex_);
  if (first_) std::rethrow_exception(first_);
}

void Shared::warn(std::string warning) {
  const Lock lock(mutex_);
  warnings_.push_back(std::move(warning));
}

std::vector<std::string> Shared::warnings() const {
  const Lock lock(mutex_);
  return warnings_;
}

void RateFindings::add(const SegmentRate& rate) {
  ++segments;
  bytes += rate.bytes;
  share += rate.share;
  if (rate.reencoded) ++reencoded_segments;
  if (!rate.bound) return;
  ++bound_segments;
  bound_bytes += rate.bytes;
  bound_share += rate.share;
  bound.push_back({rate.first_frame, rate.frames, rate.crf});
  const auto join = [this](const std::size_t i) {
    Passage& a = bound[i];
    const Passage& b = bound[i + 1];
    const auto of_a = static_cast<double>(a.frames);
    const auto of_b = static_cast<double>(b.frames);
    a.crf = (a.crf * of_a + b.crf * of_b) / std::max(1.0, of_a + of_b);
    a.frames = b.first_frame + b.frames - a.first_frame;
    bound.erase(bound.begin() + static_cast<std::ptrdiff_t>(i) + 1);
  };
  const auto gap = [this](const std::size_t i) {
    return bound[i + 1].first_frame - bound[i].first_frame - bound[i].frames;
  };
  if (const std::size_t n = bound.size();
      n > 1 && gap(n - 2) == 0 && std::abs(bound[n - 1].crf - bound[n - 2].crf) < kAlike)
    join(n - 2);
  if (bound.size() <= kMostPassages) return;
  std::size_t nearest = 0;
  for (std::size_t i = 1; i + 1 < bound.size(); ++i)
    if (gap(i) < gap(nearest)) nearest = i;
  join(nearest);
}

void Shared::note(const SegmentRate& rate) {
  const Lock lock(mutex_);
  rates_.add(rate);
}

RateFindings Shared::rates() const {
  const Lock lock(mutex_);
  return rates_;
}

void Shared::leave() {
  const Lock lock(mutex_);
  ++left_;
  left_changed_.notify_all();
}

bool Shared::all_left() const {
  const Lock lock(mutex_);
  return left_ == kStages;
}

void Shared::wait_left(const std::chrono::milliseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  const Lock lock(mutex_);
  while (left_ < kStages) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= until) return;
    left_changed_.wait_for(mutex_, until - now);
  }
}

}  // namespace streamvsr
