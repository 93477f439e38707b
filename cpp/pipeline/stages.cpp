#include "pipeline/stages.h"

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
