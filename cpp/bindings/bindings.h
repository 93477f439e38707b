// One bind_ function per module that Python sees; no logic here.
#pragma once

#include <pybind11/pybind11.h>

namespace streamvsr {

void bind_errors(pybind11::module_& m);
void bind_media(pybind11::module_& m);
void bind_model(pybind11::module_& m);
void bind_job(pybind11::module_& m);

}  // namespace streamvsr
