#include "bindings/planes.h"

namespace py = pybind11;

namespace streamvsr {

namespace {

// A plane as NumPy sees it: any strides but for samples that must lie side by side.
py::array contiguous(const py::array& plane, const int depth) {
  if (plane.ndim() != 2) throw py::value_error("a plane is a 2-D array");
  const bool wide = depth > 8;
  if (plane.dtype().kind() != 'u' || plane.itemsize() != (wide ? 2 : 1)) {
    throw py::type_error(wide ? "depth above 8 takes uint16 planes" : "depth 8 takes uint8 planes");
  }
  return py::array::ensure(plane, py::array::c_style);
}

}  // namespace

std::vector<PlaneList> run_pictures(Engine& engine, const std::vector<PlaneList>& pictures,
                                    const std::vector<std::vector<float>>& conditions,
                                    const int depth) {
  if (pictures.size() != conditions.size()) {
    throw py::value_error("give conditions for every picture");
  }
  std::vector<PlaneList> sources;
  std::vector<PlaneList> results;
  std::vector<Picture> jobs;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    if (pictures[i].empty()) throw py::value_error("a picture has at least one plane");
    PlaneList source;
    PlaneList result;
    Picture job;
    job.depth = depth;
    job.conditions = conditions[i];
    for (const py::array& given : pictures[i]) {
      const py::array plane = contiguous(given, depth);
      if (!source.empty() && (plane.shape(0) != job.height || plane.shape(1) != job.width)) {
        throw py::value_error("the planes of a picture have one size");
      }
      job.height = static_cast<int>(plane.shape(0));
      job.width = static_cast<int>(plane.shape(1));
      py::array out(plane.dtype(), std::vector<py::ssize_t>{plane.shape(0) * engine.scale(),
                                                            plane.shape(1) * engine.scale()});
      job.source.push_back({static_cast<const std::uint8_t*>(plane.data()), plane.strides(0)});
      job.result.push_back({static_cast<std::uint8_t*>(out.mutable_data()), out.strides(0)});
      source.push_back(plane);
      result.push_back(std::move(out));
    }
    sources.push_back(std::move(source));
    results.push_back(std::move(result));
    jobs.push_back(std::move(job));
  }
  {
    const py::gil_scoped_release release;
    engine.run(jobs, StopFlag(), {});
  }
  return results;
}

}  // namespace streamvsr
