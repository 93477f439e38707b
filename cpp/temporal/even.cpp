#include "temporal/even.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace streamvsr {

namespace {

constexpr float kAlike = 0.5F * MotionField::kUnit;  // ways that differ by more are two things'
// From one of so many cells on that move, it is the camera that does.
constexpr std::size_t kCamera = 4;

// A cell that moves, and how its way differs from that of the same thing one picture earlier.
struct Change {
  std::size_t cell = 0;
  int x = 0, y = 0;  // the earlier way less this one, 1 / kUnit of a sample
};

std::vector<Change> changes(const Relation& now, const Relation& before) {
  const MotionField& motion = now.motion;
  const auto moves = [](const Relation& relation, const std::size_t cell) {
    return relation.reliable[cell] != 0 &&
           (relation.motion.dx[cell] != 0 || relation.motion.dy[cell] != 0);
  };
  std::vector<Change> all;
  for (int row = 0; row < motion.rows; ++row) {
    for (int column = 0; column < motion.columns; ++column) {
      const std::size_t cell = motion.index(column, row);
      if (!moves(now, cell)) continue;
      const std::size_t there = motion.origin(column, row);
      if (!moves(before, there)) continue;
      all.push_back({cell, before.motion.dx[there] - motion.dx[cell],
                     before.motion.dy[there] - motion.dy[cell]});
    }
  }
  return all;
}

int median(std::vector<Change>& all, int Change::* const part) {
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
  std::nth_element(all.begin(), middle, all.end(),
                   [part](const Change& a, const Change& b) { return a.*part < b.*part; });
  return (*middle).*part;
}

}  // namespace

MotionField evened(const Relation& now, const Relation& before) {
  MotionField motion = now.motion;
  if (now.cut || before.cut) return motion;
  std::vector<Change> all = changes(now, before);
  if (all.empty()) return motion;
  const bool camera = all.size() * kCamera >= motion.dx.size();
  const int x = camera ? median(all, &Change::x) : 0;
  const int y = camera ? median(all, &Change::y) : 0;
  for (const Change& change : all) {
    const auto dx = static_cast<float>(change.x - x);
    const auto dy = static_cast<float>(change.y - y);
    const float apart = (dx * dx + dy * dy) / (kAlike * kAlike);
    if (apart >= 1.0F) continue;
    const float share = (1.0F - apart) / (2.0F - apart);
    motion.dx[change.cell] =
        static_cast<std::int16_t>(motion.dx[change.cell] + std::lround(share * dx));
    motion.dy[change.cell] =
        static_cast<std::int16_t>(motion.dy[change.cell] + std::lround(share * dy));
  }
  return motion;
}

}  // namespace streamvsr
