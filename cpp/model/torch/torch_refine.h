// Motion that the whole picture agrees to, on the network's device.
#pragma once

#include "model/torch/torch_gray.h"
#include "model/torch/torch_table.h"

namespace streamvsr {

// Motion of a picture's cells, (2, rows, columns) in samples, refined: whole units.
at::Tensor refined(const Gray& now, const Gray& before, const at::Tensor& motion,
                   const streamvsr_torch_flow_rules& rules);

}  // namespace streamvsr
