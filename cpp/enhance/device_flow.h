// Motion found where the network runs: docs/temporal.md.
#pragma once

#include <string>

#include "model/engine.h"
#include "temporal/flow.h"

namespace streamvsr {

// Purpose: a FlowFinder by the tensors of an engine that finds_flow(). Thread-safety: as Engine's
// run(). Ownership: the engine lives longer.
class DeviceFlow final : public FlowFinder {
 public:
  explicit DeviceFlow(Engine& engine) : engine_(engine) {}

  // Throws kMemory and kModel.
  MotionField find(const GrayPyramid& now, const GrayPyramid& before, int finest,
                   const Parallel& parallel, int coarsest) override;
  void prepare(const int width, const int height) override { engine_.prepare_flow(width, height); }
  std::size_t bytes(const int width, const int height) const override {
    return engine_.flow_bytes(width, height);
  }
  std::string describe() const override { return "flow by tensors on " + engine_.device(); }

 private:
  Engine& engine_;
};

}  // namespace streamvsr
