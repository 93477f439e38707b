// Where things were in an earlier picture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "temporal/agree.h"
#include "temporal/gray_pyramid.h"
#include "temporal/parallel.h"

namespace streamvsr {

// One displacement a cell of kCell x kCell samples, row by row: what is at (x, y) now was at
// (x + dx, y + dy) before. In 1/kUnit of a sample.
struct MotionField {
  static constexpr int kCell = 4;
  static constexpr int kUnit = 16;

  MotionField() = default;
  // Nothing moved in a picture of this size.
  MotionField(int width, int height)
      : columns((width + kCell - 1) / kCell),
        rows((height + kCell - 1) / kCell),
        dx(static_cast<std::size_t>(columns) * static_cast<std::size_t>(rows)),
        dy(dx.size()) {}

  int columns = 0;
  int rows = 0;
  std::vector<std::int16_t> dx, dy;

  std::size_t index(const int column, const int row) const {
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) +
           static_cast<std::size_t>(column);
  }
  // The cell before in which lies the middle of where this one was; at the edge the nearest.
  std::size_t origin(int column, int row) const;
};

// Dense inverse search (Kroeger, Timofte, Dai, Van Gool: Fast Optical Flow using Dense Inverse
// Search, ECCV 2016), its fast form without the variational refinement: from the smallest level of
// the pyramids to `finest`, patches of 8 x 8 samples every 4 are aligned by inverse compositional
// steps on differences without their mean, and what is seen of a cell is the mean of the patches
// around it, weighted by how well they fit. A cell that fits as well where it is has not moved.
// model/torch/torch_flow.cpp does the same by tensors: what changes here must change there, too.
// Pictures of one size. Smaller ones than two patches have not moved. coarsest: the level to begin
// with, where there is one so small.
MotionField find_flow(const GrayPyramid& now, const GrayPyramid& before, int finest,
                      const Parallel& parallel, int coarsest = GrayPyramid::kMostLevels);

// Levels of the pyramids that a search goes through: from the first, the smallest, down to the
// last.
struct SearchedLevels {
  int first = 0, last = 0;
};
// Of the search that find_flow() does; nothing where the pictures are too small for one.
std::optional<SearchedLevels> searched_levels(const GrayPyramid& now, int finest, int coarsest);

// The motion of a picture's cells, from that of the cells of a level of its pyramid.
MotionField spread(const CellMotions& motions, int level, const GrayPlane& picture);

// Purpose: who finds motion. Thread-safety: used by one thread at a time. Determinism: a field
// depends on the two pictures alone; two finders differ by no more than rounding.
class FlowFinder {
 public:
  virtual ~FlowFinder() = default;

  // As find_flow().
  virtual MotionField find(const GrayPyramid& now, const GrayPyramid& before, int finest,
                           const Parallel& parallel, int coarsest = GrayPyramid::kMostLevels) = 0;
  // Makes ready for pictures of this size; throws kMemory where they cannot be worked on.
  virtual void prepare(int, int) {}
  // Bytes held for pictures of this size, beside what the loops would hold.
  virtual std::size_t bytes(int, int) const { return 0; }
  // What else than the loops it is: a few words, for reports; empty for the loops.
  virtual std::string describe() const { return {}; }
};

// find_flow() itself.
FlowFinder& flow_by_loops();

}  // namespace streamvsr
