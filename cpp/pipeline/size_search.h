// Which crf makes a segment's pictures take the bytes they may, found by encoding them.
#pragma once

#include <cstdint>
#include <optional>

#include "media/encoder.h"

namespace streamvsr {

// Purpose: goes from one encoding's crf and bytes to the next one's crf, on the content's own
// curve, until one uses the share well, or nothing finer is allowed. A pure function of what it is
// told. Thread-safety: none.
class SizeSearch {
 public:
  // An encoding to begin with.
  struct Begin {
    double crf;  // mean
    std::int64_t bytes;
    bool on_curve;  // one crf for all, and the very pictures: with the next one it gives the curve
  };
  // finest: the least crf that may be tried. halved_by: steps of crf that halve the bytes.
  SizeSearch(const RateCurve& curve, double halved_by, std::int64_t share, double finest,
             const Begin& begin);
  // The encoding to begin with is there to be had: it counts as one found.
  void begin_found();

  // The crf to encode with next; none: the search is over.
  std::optional<double> next();
  void found(double crf, std::int64_t bytes);
  // The finest crf found to be in the share; none: not even the codec's largest was.
  std::optional<double> best() const { return fits_; }

 private:
  struct Point {
    double crf, bytes;
  };
  void note(const Point& now);

  double most_, usual_halved_by_, halved_by_;
  double share_, finest_;
  Point last_;
  bool on_curve_;
  std::optional<double> too_large_, fits_;
  double fits_bytes_ = 0.0;
  int encodings_ = 0;
};

}  // namespace streamvsr
