// A Python function as the network of the torch engine.
#pragma once

#include <pybind11/pybind11.h>

#include "model/torch_engine.h"

namespace streamvsr {

// function: takes a tensor as a DLPack capsule, which it consumes, and gives one. The GIL is held
// for its call alone. With the GIL.
TensorCall python_call(const pybind11::object& function);

}  // namespace streamvsr
