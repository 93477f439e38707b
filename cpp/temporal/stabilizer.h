// Steady pictures: earlier enhanced pictures blended into the present one.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "color/planes.h"
#include "temporal/gray_pyramid.h"
#include "temporal/parallel.h"
#include "temporal/relation.h"

namespace streamvsr {

struct SteadySettings {
  static constexpr int kMostWindow = 8;

  int window = 3;         // pictures that one result is made of, itself among them; 1..kMostWindow
  float strength = 0.7F;  // 0..1: what a picture weighs against the one after it
  // What stays where it is takes the plain mean of the window instead.
  bool background_lock = true;
  MotionSearch search;

  // Whether anything is done.
  bool on() const { return window > 1 && strength > 0.0F; }
  bool operator==(const SteadySettings&) const = default;
};

// Throws kConfig for settings outside their ranges.
void check(const SteadySettings& settings);

// Purpose: the temporal window of a stream. A result is a function of the last `window` pictures,
// source and enhanced, the latter as they came from the network, and of the source before them:
// never of an earlier result. So it can be had again from any place in the stream, `window`
// pictures before it. Pictures of another size or format, and a cut, begin a new window.
// Thread-safety: by one thread at a time; it uses those of `parallel`. Ownership: holds copies of
// what it was given, but not of the finder.
class Stabilizer {
 public:
  // relates: look_at() compares pictures even where the settings do nothing. finder: of motion;
  // lives longer.
  explicit Stabilizer(const SteadySettings& settings, bool relates = false,
                      FlowFinder& finder = flow_by_loops());

  // The next source picture; returns how it relates to the one before (cut: true for the first, and
  // where pictures are not compared).
  const Relation& look_at(std::shared_ptr<const GrayPyramid> source, const Parallel& parallel);
  // The brightness of that picture.
  const GrayPlane& gray() const { return seen_.front().gray->full(); }
  // What became of that picture, `scale` times as large; returns it steadied.
  Planes steady(Planes enhanced, int scale, const Parallel& parallel);
  // The same for a picture whose result nobody wants.
  void keep(Planes enhanced);

  // Held for pictures of such formats.
  std::size_t bytes(const PlaneFormat& source, const PlaneFormat& enhanced) const;

 private:
  struct Seen {
    std::shared_ptr<const GrayPyramid> gray;
    Relation relation;          // to the one before
    Relation evened;            // the same along its motion as evened out over time
    std::vector<float> detail;  // by cell
    std::shared_ptr<const Planes> enhanced;
  };

  SteadySettings settings_;
  bool relates_;
  FlowFinder* finder_;
  std::deque<Seen> seen_;  // the newest in front; at most `window`, at least the last
};

}  // namespace streamvsr
