#include "pipeline/preview.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <future>

#include "bindings/bindings.h"
#include "bindings/job_config.h"

namespace py = pybind11;

namespace streamvsr {

namespace {

// Views of a picture's planes, which keep their owner alive.
std::vector<py::array> views(const Planes& picture, const py::object& owner) {
  const PlaneFormat& format = picture.format();
  const py::dtype type =
      format.depth > 8 ? py::dtype::of<std::uint16_t>() : py::dtype::of<std::uint8_t>();
  std::vector<py::array> planes;
  for (int p = 0; p < format.plane_count; ++p)
    planes.emplace_back(type,
                        std::vector<py::ssize_t>{format.plane_height(p), format.plane_width(p)},
                        std::vector<py::ssize_t>{picture.stride(p), format.bytes_per_sample()},
                        picture.data(p), owner);
  return planes;
}

template <Planes PreviewPicture::* Picture>
std::vector<py::array> planes_of(const py::object& self) {
  return views(self.cast<const PreviewPicture&>().*Picture, self);
}

// Works on a thread of its own, so that this one can run Python's signal handlers.
PreviewPicture preview(const PythonConfig& config, const double at) {
  StopFlag stop;
  const auto work = [&] {
    const std::unique_ptr<Enhancer> enhancer = make_enhancer(config);
    return preview_picture(
        config, at, *enhancer, [&](std::int64_t, std::int64_t) { stop.check(); }, stop);
  };
  const py::gil_scoped_release release;
  std::future<PreviewPicture> result = std::async(std::launch::async, work);
  try {
    while (result.wait_for(kSignalInterval) != std::future_status::ready) {
      const py::gil_scoped_acquire gil;
      run_signal_handlers();
    }
  } catch (...) {
    stop.request();
    result.wait();
    throw;
  }
  return result.get();
}

}  // namespace

void bind_preview(py::module_& m) {
  py::class_<PreviewPicture>(
      m, "PreviewPicture",
      "One picture before and after the network. Planes are 2-D arrays, uint8 for 8 bits and "
      "uint16 above, that share its memory.")
      .def_property_readonly("source", &planes_of<&PreviewPicture::source>,
                             "as a job's decoder hands it out")
      .def_property_readonly("enhanced", &planes_of<&PreviewPicture::enhanced>,
                             "as a job's network and resampling give it")
      .def_property_readonly("before", &planes_of<&PreviewPicture::before>,
                             "source at the size of enhanced; green, blue, red")
      .def_property_readonly("after", &planes_of<&PreviewPicture::after>, "enhanced likewise")
      .def_readonly("time", &PreviewPicture::time, "s since the file's start")
      .def_readonly("rotation", &PreviewPicture::rotation,
                    "degrees counter-clockwise, by which it is to be turned for display")
      .def_readonly("transfer", &PreviewPicture::transfer, "'' where the stream does not say")
      .def_readonly("enhancer", &PreviewPicture::enhancer)
      .def_readonly("warnings", &PreviewPicture::warnings);
  m.def("preview_picture", &preview, py::arg("config"), py::arg("at"),
        "The picture shown at a time, in s since the file's start, as a job would compute it.");
}

}  // namespace streamvsr
