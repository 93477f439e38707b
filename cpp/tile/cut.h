// Cutting a picture in pieces that overlap.
#pragma once

#include <cstdint>
#include <vector>

namespace streamvsr {

// What a network asks of pieces. Source samples.
struct CutNeeds {
  int halo = 0;                  // around a piece, that its result depends on; a multiple of align
  int align = 1;                 // pieces begin at multiples of it
  std::int64_t alike_above = 0;  // no piece has as few samples as this
};

// A piece of a picture: where it lies, and how much at each side its neighbours tell. At the
// picture's edges the margin is 0, so that the network meets them as it would in the whole.
struct Piece {
  int x = 0, y = 0, width = 0, height = 0;
  int left = 0, top = 0, right = 0, bottom = 0;

  bool operator==(const Piece&) const = default;
};

// How many pieces beside and below each other. Thread-safe by being a value.
struct Grid {
  int columns = 1;
  int rows = 1;

  int pieces() const { return columns * rows; }
  bool operator==(const Grid&) const = default;
};

// The pieces of a width x height picture, row by row. The kept parts cover it once; all pieces of a
// row but the last are equally wide, all rows but the last equally high. Where that many do not fit
// in, there are fewer.
std::vector<Piece> cut(int width, int height, const Grid& grid, const CutNeeds& needs);
// Samples of the largest piece.
std::int64_t largest_piece(int width, int height, const Grid& grid, const CutNeeds& needs);
// The next finer grid: one more along the longer side of its pieces. Returns the same where pieces
// cannot be smaller.
Grid finer(int width, int height, const Grid& grid, const CutNeeds& needs);

}  // namespace streamvsr
