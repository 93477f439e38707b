#include "bindings/bindings.h"

namespace streamvsr {

std::string to_path(const pybind11::object& path) {
  PyObject* bytes = nullptr;
  if (PyUnicode_FSConverter(path.ptr(), &bytes) == 0) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::bytes>(bytes);
}

pybind11::str from_path(const std::string& path) {
  PyObject* const text =
      PyUnicode_DecodeFSDefaultAndSize(path.data(), static_cast<Py_ssize_t>(path.size()));
  if (text == nullptr) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::str>(text);
}

void run_signal_handlers() {
  if (PyErr_CheckSignals() != 0) throw pybind11::error_already_set();
}

}  // namespace streamvsr

PYBIND11_MODULE(_core, m) {
  m.doc() = "The C++ core of streamvsr: probing, planning, and running jobs with the GIL released.";
  streamvsr::bind_errors(m);
  streamvsr::bind_media(m);
  streamvsr::bind_model(m);
  streamvsr::bind_memory(m);
  streamvsr::bind_device(m);
  streamvsr::bind_figures(m);
  streamvsr::bind_temporal(m);
  streamvsr::bind_checkpoint(m);
  streamvsr::bind_job(m);
  streamvsr::bind_job_status(m);
  streamvsr::bind_preview(m);
  streamvsr::bind_source(m);
}
