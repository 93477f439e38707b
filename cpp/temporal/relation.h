// What two pictures have in common: motion, how far it can be trusted, and whether a cut parts
// them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "temporal/flow.h"

namespace streamvsr {

// How motion is looked for.
struct MotionSearch {
  bool flow = true;  // false: only what stays where it is counts; all else is not reliable
  int finest = 0;    // level of the pyramid, 0..5, at which the search ends

  bool operator==(const MotionSearch&) const = default;
};

// What is left of a difference once motion is taken out, by cell, over the 3 x 3 cells around it.
struct CellDifferences {
  std::vector<float> absolute;  // mean of the absolute differences, codes of 8 bits
  std::vector<float> mean;      // mean difference
};
CellDifferences differences(const GrayPlane& now, const GrayPlane& before,
                            const MotionField& motion, const Parallel& parallel);

// A picture and the one before it.
struct Relation {
  MotionField motion;
  CellDifferences left;                // of the motion
  std::vector<std::uint8_t> reliable;  // by cell: 1 where the way back leads to where it began
  bool cut = true;                     // they show different scenes; motion means nothing then
};

// Motion forth and, a level coarser, back. Where the two differ by more than half a sample and a
// tenth of the way, what is seen now was hidden before, or the search failed. Pictures of one size.
//
// A cut is where less than a third of the cells is found again (3 x 3 cells within 6 codes a
// sample, or half of what they differ from their own mean), or less than two thirds while the
// histograms of brightness have less than 7 tenths in common. Both are of these two pictures alone.
Relation relate(const GrayPyramid& now, const GrayPyramid& before, const MotionSearch& search,
                const Parallel& parallel, FlowFinder& finder = flow_by_loops());

// Motion to a picture further back: first to the one between, from there on by its own.
void chain(MotionField& motion, std::vector<std::uint8_t>& reliable, const Relation& further);

}  // namespace streamvsr
