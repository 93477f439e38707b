#include "tile/cut.h"

#include <algorithm>
#include <utility>

namespace streamvsr {

namespace {

struct Span {
  int begin, length, before, after;
};

int round_up(const int value, const int to) { return (value + to - 1) / to * to; }

// Keeps at least as much of a piece as a sixteenth of what is computed in vain beside it.
int least_kept(const CutNeeds& needs) {
  return std::max({needs.align, round_up(needs.halo / 8, needs.align), 8});
}

int piece_length(const int length, const int count, const CutNeeds& needs) {
  const int shared = 2 * needs.halo * (count - 1);
  const int even = (length + shared + count - 1) / count;
  return round_up(std::max(even, 2 * needs.halo + least_kept(needs)), needs.align);
}

std::vector<Span> cut_line(const int length, const int count, const CutNeeds& needs) {
  std::vector<Span> spans;
  const int piece = piece_length(length, count, needs);
  if (count <= 1 || piece >= length) return {{0, length, 0, 0}};
  int kept = 0;  // up to here the pieces so far have told
  while (kept < length) {
    int begin = std::max(0, kept - needs.halo);
    if (begin + piece >= length) begin = (length - piece) / needs.align * needs.align;
    const bool last = begin + piece + needs.align > length;
    const int end = last ? length : begin + piece;
    const int until = last ? length : end - needs.halo;
    spans.push_back({begin, end - begin, kept - begin, end - until});
    kept = until;
  }
  return spans;
}

int longest(const std::vector<Span>& spans) {
  int most = 0;
  for (const Span& span : spans) most = std::max(most, span.length);
  return most;
}

int shortest(const std::vector<Span>& spans) {
  int least = spans.front().length;
  for (const Span& span : spans) least = std::min(least, span.length);
  return least;
}

}  // namespace

std::vector<Piece> cut(const int width, const int height, const Grid& grid, const CutNeeds& needs) {
  std::vector<Piece> pieces;
  const std::vector<Span> columns = cut_line(width, grid.columns, needs);
  for (const Span& row : cut_line(height, grid.rows, needs)) {
    for (const Span& column : columns) {
      pieces.push_back({column.begin, row.begin, column.length, row.length, column.before,
                        row.before, column.after, row.after});
    }
  }
  return pieces;
}

std::int64_t largest_piece(const int width, const int height, const Grid& grid,
                           const CutNeeds& needs) {
  return std::int64_t{longest(cut_line(width, grid.columns, needs))} *
         longest(cut_line(height, grid.rows, needs));
}

Grid finer(const int width, const int height, const Grid& grid, const CutNeeds& needs) {
  const auto lines = [&](const Grid& of) {
    return std::pair(cut_line(width, of.columns, needs), cut_line(height, of.rows, needs));
  };
  // Not a structured binding: C++20 lets a lambda capture one, clang before 16 does not.
  const auto now = lines(grid);
  const std::int64_t columns = longest(now.first), rows = longest(now.second);
  const auto attempt = [&](const bool across) {
    Grid next = grid;
    // One more piece may come out as long as before: a grid counts only when it makes less.
    for (int& count = across ? next.columns : next.rows; count < (across ? width : height);) {
      ++count;
      const auto [c, r] = lines(next);
      const std::int64_t least = std::int64_t{shortest(c)} * shortest(r);
      if (least <= needs.alike_above) return grid;
      if (longest(c) < columns || longest(r) < rows) return next;
      if (longest(c) <= 2 * needs.halo + least_kept(needs) + needs.align && across) return grid;
      if (longest(r) <= 2 * needs.halo + least_kept(needs) + needs.align && !across) return grid;
    }
    return grid;
  };
  const bool across = columns >= rows;
  const Grid first = attempt(across);
  return first == grid ? attempt(!across) : first;
}

}  // namespace streamvsr
