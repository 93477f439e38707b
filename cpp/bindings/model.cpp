// Networks and the CPU engine for Python: argument shapes only, no logic.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "base/cache_file.h"
#include "bindings/bindings.h"
#include "bindings/planes.h"
#include "model/rows.h"

namespace py = pybind11;

namespace streamvsr {

namespace {

struct PyEngine {
  PyEngine(const std::string& path, const std::string& brgemm, const int threads,
           const std::string& precision, const int strip)
      : network(read_network(path)),
        engine(network, {brgemm, threads, parse_precision(precision), strip}) {}

  std::vector<PlaneList> run_batch(const std::vector<PlaneList>& pictures,
                                   const std::vector<std::vector<float>>& conditions,
                                   const int depth) {
    return run_pictures(engine, pictures, conditions, depth);
  }

  PlaneList run(const PlaneList& planes, const std::vector<float>& conditions, const int depth) {
    return run_batch({planes}, {conditions}, depth).front();
  }

  Network network;
  RowsEngine engine;
};

}  // namespace

void bind_model(py::module_& m) {
  py::class_<Network>(m, "NetworkInfo", "What a network file says of itself.")
      .def_readonly("name", &Network::name)
      .def_readonly("scale", &Network::scale)
      .def_property_readonly("planes",
                             [](const Network& n) { return n.planes == 3 ? "rgb" : "luma"; })
      .def_property_readonly(
          "inputs",
          [](const Network& n) {
            std::vector<std::string> names;
            for (const InputKind kind : n.inputs) {
              names.emplace_back(kind == InputKind::kFrame ? "frame" : "codec_strength");
            }
            return names;
          })
      .def_readonly("trained_on", &Network::trained_on)
      .def_readonly("licence", &Network::licence)
      .def_property_readonly("parameters", &Network::parameter_count)
      .def_property_readonly("flops_per_pixel", &Network::flops_per_pixel);
  m.def("network_info", &read_network, py::arg("path"), py::call_guard<py::gil_scoped_release>(),
        "Reads and checks a network file.");

  m.def(
      "rows_numeric_type",
      [](const std::string& path, const std::string& brgemm) {
        RowsOptions options;
        options.brgemm_path = brgemm;
        options.type_cache = cache_folder("numeric-type");
        return precision_name(RowsEngine(read_network(path), options).precision());
      },
      py::arg("path"), py::arg("brgemm") = "", py::call_guard<py::gil_scoped_release>(),
      "The type that the CPU engine computes in on this machine with precision \"auto\": bf16 or "
      "fp32. Measures once where no measurement is remembered.");

  py::class_<PyEngine>(m, "RowsEngine", "The CPU engine: a network over integer planes.")
      .def(py::init<const std::string&, const std::string&, int, const std::string&, int>(),
           py::arg("path"), py::kw_only(), py::arg("brgemm") = "", py::arg("threads") = 1,
           py::arg("precision") = "auto", py::arg("strip") = 0)
      .def("run", &PyEngine::run, py::arg("planes"), py::arg("conditions") = std::vector<float>(),
           py::arg("depth") = 8, "The planes of one picture, enhanced.")
      .def("run_batch", &PyEngine::run_batch, py::arg("pictures"), py::arg("conditions"),
           py::arg("depth") = 8, "Several pictures at once, one a thread where there are enough.")
      .def("describe", [](const PyEngine& e) { return e.engine.describe(); })
      .def_property_readonly("flops_per_pixel",
                             [](const PyEngine& e) { return e.network.flops_per_pixel(); })
      .def(
          "strip_columns",
          [](PyEngine& e, const int width) { return e.engine.strip_columns(width); },
          py::arg("width"), py::call_guard<py::gil_scoped_release>(),
          "Columns of a strip for pictures of this width.")
      .def(
          "bare_gflops",
          [](PyEngine& e, const int width, const double seconds) {
            return e.engine.bare_gflops(width, seconds);
          },
          py::arg("width"), py::arg("seconds") = 0.5, py::call_guard<py::gil_scoped_release>(),
          "Speed of the bare matrix products of the network's shapes, one thread.")
      .def(
          "workspace_bytes",
          [](const PyEngine& e, const int width) { return e.engine.workspace_bytes(width); },
          py::arg("width"));
}

}  // namespace streamvsr
