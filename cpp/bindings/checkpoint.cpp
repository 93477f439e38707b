// An application's checkpoint as JSON text; streamvsr.checkpoint_manager gives it its Python face.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings/bindings.h"
#include "pipeline/application_checkpoint.h"

namespace py = pybind11;

namespace streamvsr {

void bind_checkpoint(py::module_& m) {
  m.def(
      "save_application_checkpoint",
      [](const py::object& path, const std::string& entries) {
        const std::string name = to_path(path);
        const py::gil_scoped_release release;
        save_application_checkpoint(name, entries);
      },
      py::arg("path"), py::arg("entries"), "Replaces it durably; entries: a JSON object.");
  m.def(
      "load_application_checkpoint",
      [](const py::object& path) {
        const std::string name = to_path(path);
        const py::gil_scoped_release release;
        return load_application_checkpoint(name);
      },
      py::arg("path"), "Its entries as a JSON object; None where there is none.");
  m.def(
      "clear_application_checkpoint",
      [](const py::object& path) {
        const std::string name = to_path(path);
        const py::gil_scoped_release release;
        clear_application_checkpoint(name);
      },
      py::arg("path"), "Removes it and its .tmp.");
}

}  // namespace streamvsr
