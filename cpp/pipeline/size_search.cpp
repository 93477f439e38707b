#include "pipeline/size_search.h"

#include <algorithm>
#include <cmath>

namespace streamvsr {

namespace {

constexpr double kAim = 0.975;        // of the share
constexpr double kUse = 0.95;         // of it, which one is content with
constexpr double kUseAtFirst = 0.92;  // and before a second encoding
// Where the share was passed again and again the aim is lowered each time; the last encoding that
// is left is for the largest crf.
constexpr double kLower = 0.01;
constexpr int kMostEncodings = 5;

}  // namespace

SizeSearch::SizeSearch(const RateCurve& curve, const double halved_by, const std::int64_t share,
                       const double finest, const Begin& begin)
    : most_(curve.most),
      usual_halved_by_(curve.halved_by),
      halved_by_(halved_by),
      share_(static_cast<double>(std::max<std::int64_t>(1, share))),
      finest_(finest),
      last_{begin.crf, static_cast<double>(std::max<std::int64_t>(1, begin.bytes))},
      on_curve_(begin.on_curve) {}

void SizeSearch::begin_found() { note(last_); }

void SizeSearch::note(const Point& now) {
  if (now.bytes > share_) {
    too_large_ = std::max(too_large_.value_or(now.crf), now.crf);
  } else if (!fits_ || now.crf < *fits_) {
    fits_ = now.crf;
    fits_bytes_ = now.bytes;
  }
}

std::optional<double> SizeSearch::next() {
  if (encodings_ == kMostEncodings) return std::nullopt;
  const double enough = encodings_ == 0 ? kUseAtFirst : kUse;
  if (fits_ && (fits_bytes_ >= enough * share_ || *fits_ <= finest_)) return std::nullopt;
  if (too_large_ && *too_large_ >= most_) return std::nullopt;
  const double aim = (kAim - kLower * encodings_) * share_;
  double crf = whole_crf(last_.crf + halved_by_ * std::log2(last_.bytes / aim));
  if (!fits_ && encodings_ + 1 == kMostEncodings) crf = most_;
  const double least = too_large_ ? std::min(*too_large_ + kCrfStep, most_) : finest_;
  const double most = fits_ ? *fits_ - kCrfStep : most_;
  if (least > most) return std::nullopt;  // between two that were tried there is no other
  return std::clamp(crf, least, most);
}

void SizeSearch::found(const double crf, const std::int64_t bytes) {
  ++encodings_;
  const Point now{crf, static_cast<double>(std::max<std::int64_t>(1, bytes))};
  // The content's own curve.
  const double slope = (now.crf - last_.crf) / std::log2(last_.bytes / now.bytes);
  if (on_curve_ && std::isfinite(slope) && slope > 0.0)
    halved_by_ = std::clamp(slope, 0.5 * usual_halved_by_, 4.0 * usual_halved_by_);
  last_ = now;
  on_curve_ = true;
  note(now);
}

}  // namespace streamvsr
