// Planes of the caller's as a network's tensors, and back.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>

#include "model/torch/torch_model.h"

namespace streamvsr {

// Pictures of one size as (n, planes + conditions, height, width) in fp32 on the device, values
// 0..1.
at::Tensor read_pictures(const TorchNetwork& model,
                         std::span<const streamvsr_torch_picture> pictures);

// What the network made of them, taken over, into their results.
void write_pictures(const TorchNetwork& model, at::Tensor output,
                    std::span<const streamvsr_torch_picture> pictures);

}  // namespace streamvsr
