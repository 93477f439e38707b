// The choice of how much of a picture is worked on at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tile/cut.h"
#include "tile/memory_model.h"

namespace streamvsr {

// What was learned about one network on one device, kept between runs.
struct Learned {
  MemoryModel model;
  std::optional<CutNeeds> needs;  // nothing while it is unknown
  std::string why_not;            // not empty: the network's pictures may not be cut
  // A piece of so many samples ran out of memory though the limit left so many bytes; 0: none did.
  double failed_samples = 0;
  double failed_bytes = 0;
};

// How a picture is worked on. Thread-safe by being a value.
struct TilePlan {
  Grid grid;
  int batch = 1;  // pieces at a time, of one picture or of several

  bool operator==(const TilePlan&) const = default;
};

// Whether pieces may be expected to fit in this many bytes; true while nothing is known.
bool fits(const Learned& learned, double samples, double bytes);
// The plan with the largest pieces that fit in `bytes`, as many of them at a time as fit, up to
// `batch`; nothing where even the smallest do not. The whole picture in one piece goes first.
std::optional<TilePlan> choose_plan(int width, int height, const Learned& learned, double bytes,
                                    int batch);
// The next smaller plan after memory ran out: half as many pieces at a time, then pieces of half
// the size; nothing where they are the smallest already.
std::optional<TilePlan> smaller(int width, int height, const TilePlan& plan, const CutNeeds& needs);
// Samples of the smallest pieces there are.
std::int64_t smallest_piece(int width, int height, const CutNeeds& needs);

}  // namespace streamvsr
