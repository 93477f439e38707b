// What cells moved, told from what the codec made of it.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "temporal/flow_constants.h"
#include "temporal/parallel.h"

namespace streamvsr {

// What was found of each cell by itself, row by row.
struct CellMotions {
  CellMotions(int columns, int rows);

  int columns = 0;
  int rows = 0;
  std::vector<float> x, y;    // samples
  std::vector<float> weight;  // above 0: how much is known of it
  std::vector<float> still;   // 1 where staying fits as well, else 0

  std::size_t index(const int column, const int row) const {
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) +
           static_cast<std::size_t>(column);
  }
};

// What a cell weighs for another one, by how many rows or columns lie between them.
using Bell = std::array<float, flow::kReach + 1>;
const Bell& bell();

// A codec puts a thing a little beside its place in every picture, block by block, so what is found
// of a block is its way and that error. Blocks err each in another direction: the ways of the 11 x
// 11 cells around have the error's mean, which is small. They are weighted by a bell (deviation 2.5
// cells), by what is known of each, and by how alike they are (none from half a sample of
// difference); by rows first, then by columns. A cell that fits where it is, with mostly such cells
// around it, has not moved.
// model/torch/torch_flow.cpp does the same by tensors.
CellMotions agreed(const CellMotions& found, const Parallel& parallel);

}  // namespace streamvsr
