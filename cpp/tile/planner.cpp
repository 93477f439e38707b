#include "tile/planner.h"

namespace streamvsr {

bool fits(const Learned& learned, const double samples, const double bytes) {
  if (learned.failed_samples > 0 && samples >= learned.failed_samples &&
      bytes <= learned.failed_bytes)
    return false;
  return !learned.model.known() || learned.model.bytes(samples) <= bytes;
}

std::optional<TilePlan> choose_plan(const int width, const int height, const Learned& learned,
                                    const double bytes, const int batch) {
  TilePlan plan;
  auto samples = static_cast<double>(width) * height;
  while (!fits(learned, samples, bytes)) {
    if (!learned.needs) return std::nullopt;
    const Grid next = finer(width, height, plan.grid, *learned.needs);
    if (next == plan.grid) return std::nullopt;
    plan.grid = next;
    samples = static_cast<double>(largest_piece(width, height, next, *learned.needs));
  }
  while (plan.batch < batch && fits(learned, samples * (plan.batch + 1), bytes)) ++plan.batch;
  return plan;
}

std::optional<TilePlan> smaller(const int width, const int height, const TilePlan& plan,
                                const CutNeeds& needs) {
  if (plan.batch > 1) return TilePlan{plan.grid, plan.batch / 2};
  const std::int64_t before = largest_piece(width, height, plan.grid, needs);
  TilePlan next = plan;
  while (true) {
    const Grid grid = finer(width, height, next.grid, needs);
    if (grid == next.grid) break;
    next.grid = grid;
    if (2 * largest_piece(width, height, grid, needs) <= before) return next;
  }
  if (next == plan) return std::nullopt;
  return next;
}

std::int64_t smallest_piece(const int width, const int height, const CutNeeds& needs) {
  Grid grid;
  while (true) {
    const Grid next = finer(width, height, grid, needs);
    if (next == grid) return largest_piece(width, height, grid, needs);
    grid = next;
  }
}

}  // namespace streamvsr
