// One bind_ function per module that Python sees; no logic here.
#pragma once

#include <pybind11/pybind11.h>

#include <string>

namespace streamvsr {

// Names of files need not be text: Python's own way to hold any of them in a str, and back.
std::string to_path(const pybind11::object& path);
pybind11::str from_path(const std::string& path);

// Runs Python's signal handlers; what they raise passes on. With the GIL held.
void run_signal_handlers();

void bind_errors(pybind11::module_& m);
void bind_media(pybind11::module_& m);
void bind_model(pybind11::module_& m);
void bind_memory(pybind11::module_& m);
void bind_device(pybind11::module_& m);
void bind_figures(pybind11::module_& m);
void bind_temporal(pybind11::module_& m);
void bind_checkpoint(pybind11::module_& m);
void bind_job(pybind11::module_& m);
void bind_job_status(pybind11::module_& m);
void bind_preview(pybind11::module_& m);
void bind_source(pybind11::module_& m);

}  // namespace streamvsr
