// Steady pictures: what is done to the network's pictures once they are there.
#pragma once

#include <memory>

#include "enhance/enhancer.h"
#include "temporal/safe_region.h"
#include "temporal/stabilizer.h"

namespace streamvsr {

struct SteadyOptions {
  SteadySettings temporal;
  SafeRegionSettings mask;
  int threads = 1;  // >= 1
};

// An enhancer over another one. First each picture by itself: where the safe region says so, the
// planes that are a network's (luma, or red, green and blue) are mixed with their interpolation by
// spline36. Then the temporal window over what came of that. docs/temporal.md says how.
// With nothing to do it is the inner one itself. Throws kConfig for settings outside their ranges.
std::unique_ptr<Enhancer> make_steady_enhancer(std::unique_ptr<Enhancer> inner,
                                               const SteadyOptions& options);

}  // namespace streamvsr
