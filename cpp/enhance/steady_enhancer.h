// Steady pictures: what is done to the network's pictures once they are there.
#pragma once

#include <memory>
#include <string>

#include "enhance/enhancer.h"
#include "model/thread_pool.h"
#include "temporal/parallel.h"
#include "temporal/safe_region.h"
#include "temporal/stabilizer.h"

namespace streamvsr {

struct SteadyOptions {
  SteadySettings temporal;
  SafeRegionSettings mask;
  int threads = 1;  // >= 1; the result does not depend on it

  // Whether anything is done.
  bool on() const { return temporal.on() || mask.on(); }
};

// Everything that decides the result, one line; empty where nothing is done.
std::string describe(const SteadyOptions& options);

// Runs pieces on a pool, which must outlive it.
Parallel on_pool(ThreadPool& pool);

// An enhancer over another one. First each picture by itself: where the safe region says so, the
// planes that are a network's (luma, or red, green and blue) are mixed with their interpolation by
// spline36. Then the temporal window over what came of that: docs/temporal.md.
// With nothing to do it is the inner one itself. Throws kConfig for settings outside their ranges.
std::unique_ptr<Enhancer> make_steady_enhancer(std::unique_ptr<Enhancer> inner,
                                               const SteadyOptions& options);

}  // namespace streamvsr
