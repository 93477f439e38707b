// Motion between two pictures, on the network's device.
#pragma once

#include <cstdint>

#include "model/torch/torch_model.h"

namespace streamvsr {

// See streamvsr_torch::flow. A picture is read once: model.seen keeps the two that were given last.
// After a failure nothing is held but these.
void find_flow(TorchNetwork& model, const streamvsr_torch_flow& flow);
std::uint64_t flow_bytes(std::int32_t width, std::int32_t height);

}  // namespace streamvsr
