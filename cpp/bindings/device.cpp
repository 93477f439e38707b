// The torch engine under its budget for Python, and what is held on a device.
#include "bindings/device.h"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <utility>

#include "bindings/bindings.h"
#include "bindings/planes.h"
#include "bindings/tensor_call.h"
#include "tile/memory_cache.h"

namespace py = pybind11;

namespace streamvsr {

void bind_device(py::module_& m) {
  py::class_<DeviceMemory>(m, "DeviceMemory", "What is held on a network's device, in bytes.")
      .def_readonly("limit", &DeviceMemory::limit, "never passed; 0: nothing is counted")
      .def_readonly("reserve", &DeviceMemory::reserve,
                    "of the limit, for the device's context and libraries")
      .def_readonly("held", &DeviceMemory::held, "now, the reserve included")
      .def_readonly("peak", &DeviceMemory::peak, "most at any time, the reserve included");
  py::class_<DeviceUse>(m, "DeviceUse", "What a run did with a device.")
      .def_readonly("memory", &DeviceUse::memory)
      .def_readonly("retries", &DeviceUse::retries,
                    "pictures begun again with less at a time because memory ran out");
  m.def("memory_cache_folder", &memory_cache_folder,
        "Where what is learned about networks' memory is kept; '' where nowhere.");
  py::class_<PyTorchEngine>(m, "TorchEngine",
                            "The engine for TorchScript archives, held to a budget of memory.")
      .def(py::init([](const py::object& path, const std::string& library,
                       const std::string& device, const int threads, const std::string& precision,
                       const std::size_t limit, std::string cache_folder, const int batch,
                       const py::object& archive, const py::object& function, const bool layers) {
             TorchOptions options;
             options.archive_path = to_path(path);
             if (layers)
               options.network = std::make_shared<const Network>(read_network(to_path(path)));
             if (!archive.is_none())
               options.archive = std::make_shared<const std::string>(archive.cast<std::string>());
             if (!function.is_none()) options.function = python_call(function);
             options.library_path = library;
             options.device = device;
             options.threads = threads;
             options.precision = parse_precision(precision);
             options.memory_limit = limit;
             const py::gil_scoped_release release;
             return std::make_unique<PyTorchEngine>(options,
                                                    TiledOptions{std::move(cache_folder), batch});
           }),
           py::arg("path"), py::kw_only(), py::arg("library"), py::arg("device") = "auto",
           py::arg("threads") = 1, py::arg("precision") = "auto",
           py::arg("limit") = std::size_t{6144} << 20, py::arg("cache_folder") = "",
           py::arg("batch") = 0, py::arg("archive") = py::none(), py::arg("function") = py::none(),
           py::arg("layers") = false,
           "path: of an archive, or with layers of a network file; or a name, for an archive in "
           "memory or a function.")
      .def(
          "run",
          [](PyTorchEngine& e, const PlaneList& planes, const std::vector<float>& conditions,
             const int depth) {
            return run_pictures(*e.engine, {planes}, {conditions}, depth).front();
          },
          py::arg("planes"), py::arg("conditions") = std::vector<float>(), py::arg("depth") = 8,
          "The planes of one picture, enhanced.")
      .def(
          "run_batch",
          [](PyTorchEngine& e, const std::vector<PlaneList>& pictures, const int depth) {
            return run_pictures(*e.engine, pictures,
                                std::vector<std::vector<float>>(pictures.size()), depth);
          },
          py::arg("pictures"), py::arg("depth") = 8, "Several pictures.")
      .def(
          "prepare",
          [](PyTorchEngine& e, int width, int height) { e.engine->prepare(width, height); },
          py::arg("width"), py::arg("height"), py::call_guard<py::gil_scoped_release>(),
          "Plans for pictures of a size.")
      .def_property_readonly(
          "plan",
          [](const PyTorchEngine& e) {
            const TilePlan plan = e.engine->plan();
            return std::tuple(plan.grid.columns, plan.grid.rows, plan.batch);
          },
          "Columns and rows of pieces, and how many of them at a time.")
      .def(
          "flow_bytes",
          [](const PyTorchEngine& e, int width, int height) {
            return e.engine->flow_bytes(width, height);
          },
          py::arg("width"), py::arg("height"),
          "The most that finding motion between pictures of a size holds.")
      .def(
          "cut_rules",
          [](PyTorchEngine& e) {
            CutRules rules;
            {
              const py::gil_scoped_release release;
              rules = e.torch->cut_rules();
            }
            return std::tuple(rules.halo, rules.align, rules.why_not);
          },
          "Samples a result depends on around a piece, what pieces' beginnings are multiples of, "
          "and why pictures may not be cut.")
      .def("describe", [](const PyTorchEngine& e) { return e.engine->describe(); })
      .def_property_readonly("device", [](const PyTorchEngine& e) { return e.torch->device(); })
      .def_property_readonly(
          "conditions", [](const PyTorchEngine& e) { return e.engine->condition_count(); },
          "Values beside a picture.")
      .def_property_readonly("scale", [](const PyTorchEngine& e) { return e.engine->scale(); })
      .def_property_readonly("planes", [](const PyTorchEngine& e) { return e.engine->planes(); })
      .def_property_readonly("warnings",
                             [](const PyTorchEngine& e) { return e.engine->warnings(); })
      .def_property_readonly("use", [](const PyTorchEngine& e) { return e.engine->device_use(); })
      .def("take_notes", [](PyTorchEngine& e) { return e.engine->take_notes(); })
      .def(
          "fail_allocation",
          [](PyTorchEngine& e, const std::int64_t nth) { e.torch->fail_allocation(nth); },
          py::arg("nth"), py::call_guard<py::gil_scoped_release>(),
          "Makes the nth allocation from now on fail on the CPU; 0: none. For tests.");
}

}  // namespace streamvsr
