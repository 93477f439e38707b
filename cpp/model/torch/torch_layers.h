// A layer list (docs/network-format.md) run by libtorch.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "model/torch/torch_table.h"

namespace streamvsr {

// Purpose: a network of our own format on one device, in one type. Thread-safety: const. Ownership:
// holds copies of the weights.
class TorchLayers {
 public:
  TorchLayers(const streamvsr_torch_layers& network, const at::Device& device,
              at::ScalarType dtype);

  int planes() const { return planes_; }
  int conditions() const { return conditions_; }
  int widest() const { return widest_; }
  // (n, planes + conditions, height, width), the planes first, to (n, planes, ..), not clamped.
  at::Tensor forward(const at::Tensor& input) const;

 private:
  struct Layer {
    int op = 0;
    int kernel = 0;
    at::Tensor weight;
    at::Tensor bias;
    double slope = 0;
    int from = 0;
    int factor = 1;
    bool kept = false;  // a later layer adds its output
  };

  at::Tensor stack(const at::Tensor& input) const;

  std::vector<Layer> layers_;
  std::vector<int> inputs_;
  int planes_;
  int conditions_ = 0;
  int widest_ = 1;
  int scale_;
  bool residual_nearest_;
  bool stack_kept_ = false;
};

}  // namespace streamvsr
