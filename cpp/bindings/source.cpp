#include "bindings/bindings.h"
#include "pipeline/source_info.h"

namespace py = pybind11;

namespace streamvsr {

void bind_source(py::module_& m) {
  py::class_<SourceInfo>(m, "SourceInfo", "What a source holds, as a job plans by it.")
      .def_readonly("width", &SourceInfo::width, "of the coded picture, samples")
      .def_readonly("height", &SourceInfo::height)
      .def_readonly("duration", &SourceInfo::duration, "s, of the video")
      .def_readonly("frame_rate", &SourceInfo::frame_rate, "mean, 1/s")
      .def_readonly("frames", &SourceInfo::frames, "that should be shown")
      .def_readonly("has_audio", &SourceInfo::has_audio)
      .def_readonly("codec", &SourceInfo::codec)
      .def_readonly("pixel_format", &SourceInfo::pixel_format, "'' unknown")
      .def_readonly("size_bytes", &SourceInfo::size_bytes);
  m.def(
      "source_info",
      [](const py::object& path) {
        const std::string name = to_path(path);
        const py::gil_scoped_release release;
        return source_info(name, [](std::int64_t, std::int64_t) {
          const py::gil_scoped_acquire gil;
          run_signal_handlers();
        });
      },
      py::arg("path"),
      "What a source holds, by its packets; nothing is decoded or written. Raises "
      "InputNotFoundError or InputError.");
}

}  // namespace streamvsr
