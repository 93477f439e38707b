// Pictures as NumPy arrays through an engine.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <vector>

#include "model/engine.h"

namespace streamvsr {

using PlaneList = std::vector<pybind11::array>;

// Pictures of 2-D planes, uint8 for depth 8 and uint16 above, any strides but for samples that must
// lie side by side; the results are new arrays. Releases the GIL while the engine runs.
std::vector<PlaneList> run_pictures(Engine& engine, const std::vector<PlaneList>& pictures,
                                    const std::vector<std::vector<float>>& conditions, int depth);

}  // namespace streamvsr
