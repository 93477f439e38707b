#include "enhance/device_flow.h"

#include <vector>

#include "model/torch/torch_table.h"
#include "temporal/agree.h"
#include "temporal/flow_constants.h"

namespace streamvsr {

namespace {

static_assert(flow::kPatch == STREAMVSR_TORCH_PATCH && MotionField::kCell == STREAMVSR_TORCH_CELL);

std::vector<streamvsr_torch_gray> levels_of(const GrayPyramid& picture) {
  constexpr int kBorder = GrayPlane::kBorder;
  std::vector<streamvsr_torch_gray> levels;
  for (const GrayPlane& level : picture.levels())
    levels.push_back({level.at(-kBorder, -kBorder), level.width(), level.height(), kBorder});
  return levels;
}

streamvsr_torch_flow_rules rules() {
  streamvsr_torch_flow_rules rules{};
  rules.steps = flow::kSteps;
  rules.still = flow::kStill;
  rules.farthest = flow::kFarthest;
  rules.good_fit = flow::kGoodFit;
  rules.flat = flow::kFlat;
  rules.margin = flow::kMargin;
  rules.copied = flow::kCopied;
  rules.never = flow::kNever;
  rules.gain = flow::kGain;
  rules.first_place = flow::kFirstPlace;
  rules.last_place = flow::kLastPlace;
  rules.reach = flow::kReach;
  rules.bell = bell().data();
  rules.alike = flow::kAlike;
  rules.staying = flow::kStaying;
  return rules;
}

}  // namespace

MotionField DeviceFlow::find(const GrayPyramid& now, const GrayPyramid& before, const int finest,
                             const Parallel&, const int coarsest) {
  const GrayPlane& full = now.full();
  const auto searched = searched_levels(now, finest, coarsest);
  if (!searched) return {full.width(), full.height()};
  prepare(full.width(), full.height());
  const auto now_levels = levels_of(now);
  const auto before_levels = levels_of(before);
  const GrayPlane& last = now.levels()[static_cast<std::size_t>(searched->last)];
  const MotionField cells(last.width(), last.height());
  CellMotions motions(cells.columns, cells.rows);
  streamvsr_torch_flow flow{};
  const auto count = static_cast<std::int32_t>(now_levels.size());
  flow.now = {now.number(), now_levels.data(), count};
  flow.before = {before.number(), before_levels.data(), count};
  flow.first = searched->first;
  flow.last = searched->last;
  flow.rules = rules();
  flow.x = motions.x.data();
  flow.y = motions.y.data();
  engine_.find_flow(flow);
  return spread(motions, searched->last, full);
}

}  // namespace streamvsr
