// A plan made ready for one type of activations: weights packed for the kernels.
#pragma once

#include <vector>

#include "model/matrix.h"
#include "model/plan.h"

namespace streamvsr {

// Purpose: everything strips share. Thread-safety: immutable; const use from any thread.
// Ownership: owns plan and packed weights, borrows the kernels, which must outlive it.
template <class T>
struct Program {
  Program(Plan the_plan, const MatrixKernels& the_kernels)
      : plan(std::move(the_plan)), kernels(the_kernels) {
    for (Stage& stage : plan.stages) {
      packed.push_back(MatrixKernels::pack<T>(stage.weight.data(), stage.k, stage.columns));
      stage.weight.clear();  // packed, so no longer needed
      stage.weight.shrink_to_fit();
    }
  }

  Plan plan;
  std::vector<PackedWeights<T>> packed;
  const MatrixKernels& kernels;
};

}  // namespace streamvsr
