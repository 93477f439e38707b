// One picture of a film before and after the network, without a job.
#pragma once

#include <string>
#include <vector>

#include "base/stop.h"
#include "enhance/enhancer.h"
#include "pipeline/plan.h"

namespace streamvsr {

struct PreviewPicture {
  Planes source;    // as a job's decoder hands it out
  Planes enhanced;  // as a job's enhancer does
  // For display: G, B and R of 8 bits, both at the size of the enhanced one; by spline36 where
  // samples must be made.
  Planes before, after;
  double time = 0.0;      // s, of the picture, counted from the file's start
  double rotation = 0.0;  // degrees counter-clockwise, by which it is to be turned for display
  std::string transfer;   // of H.273, by FFmpeg's name; empty: the stream does not say
  std::string enhancer;   // one line
  std::vector<std::string> warnings;
};

// The picture that is shown at a time, exactly as a job of this configuration would compute it. Of
// the configuration counts what decides that: all but the output. at: s, counted from the file's
// start, >= 0; tick: as of make_plan(). Throws kConfig where there is no picture at that time, else
// as make_plan() and a job do.
PreviewPicture preview_picture(const JobConfig& config, double at, Enhancer& enhancer,
                               const PlanningTick& tick, const StopFlag& stop);

}  // namespace streamvsr
