// Mask and temporal window for Python: options of a job, and the window for a program's own frames.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "bindings/bindings.h"
#include "bindings/device.h"
#include "bindings/planes.h"
#include "enhance/device_flow.h"
#include "enhance/steady_enhancer.h"
#include "model/thread_pool.h"
#include "temporal/stabilizer.h"

namespace py = pybind11;

namespace streamvsr {

namespace {

// Planes hold green, blue and red; Python gives red, green and blue.
int plane_of(const std::size_t count, const std::size_t channel) {
  constexpr int kOrder[] = {2, 0, 1};
  return count == 3 ? kOrder[channel] : 0;
}

// 1 plane, or red, green and blue: 2-D arrays of one size, uint8 or uint16, rows contiguous.
Planes to_planes(const PlaneList& channels) {
  if (channels.size() != 1 && channels.size() != 3)
    throw py::value_error("a frame has 1 plane or 3 of them");
  PlaneFormat format;
  format.plane_count = static_cast<int>(channels.size());
  format.rgb = channels.size() == 3;
  format.log2_sub_x = format.log2_sub_y = 0;
  const py::array& first = channels.front();
  if (first.ndim() != 2 || first.size() == 0) throw py::value_error("a plane is a 2-D array");
  if (first.dtype().kind() != 'u' || first.itemsize() > 2)
    throw py::type_error("a plane is uint8 or uint16");
  format.height = static_cast<int>(first.shape(0));
  format.width = static_cast<int>(first.shape(1));
  format.depth = first.itemsize() == 2 ? 16 : 8;
  Planes planes(format);
  for (std::size_t channel = 0; channel < channels.size(); ++channel) {
    const py::array plane = py::array::ensure(channels[channel], py::array::c_style);
    if (plane.ndim() != 2 || plane.shape(0) != first.shape(0) || plane.shape(1) != first.shape(1) ||
        !plane.dtype().is(first.dtype()))
      throw py::value_error("the planes of a frame have one size and type");
    const auto row = static_cast<std::size_t>(plane.shape(1) * plane.itemsize());
    for (int y = 0; y < format.height; ++y)
      std::memcpy(planes.row<std::uint8_t>(plane_of(channels.size(), channel), y), plane.data(y, 0),
                  row);
  }
  return planes;
}

PlaneList to_arrays(const Planes& planes, const py::dtype& type) {
  const PlaneFormat& format = planes.format();
  const auto count = static_cast<std::size_t>(format.plane_count);
  PlaneList channels;
  for (std::size_t channel = 0; channel < count; ++channel) {
    py::array plane(type, std::vector<py::ssize_t>{format.height, format.width});
    const auto row = static_cast<std::size_t>(format.width * format.bytes_per_sample());
    for (int y = 0; y < format.height; ++y)
      std::memcpy(plane.mutable_data(y, 0), planes.row<std::uint8_t>(plane_of(count, channel), y),
                  row);
    channels.push_back(std::move(plane));
  }
  return channels;
}

// Purpose: the stream's Stabilizer over frames that are their own source. Thread-safety: one thread
// at a time.
class TemporalWindow {
 public:
  TemporalWindow(const SteadyOptions& options, const int threads)
      : settings_(options.temporal),
        stabilizer_(settings_),
        pool_(threads > 0 ? threads : usable_cores()) {}

  void add(const PlaneList& frame) {
    Planes planes = to_planes(frame);
    const py::gil_scoped_release release;
    look(stabilizer_, planes);
    stabilizer_.keep(std::move(planes));
  }

  PlaneList steady(const PlaneList& frame, const std::optional<PlaneList>& previous) {
    Planes planes = to_planes(frame);
    std::optional<Planes> before;
    if (previous) before = to_planes(*previous);
    {
      const py::gil_scoped_release release;
      // What was added stays as it is.
      Stabilizer window = before ? Stabilizer(settings_) : stabilizer_;
      if (before) {
        look(window, *before);
        window.keep(std::move(*before));
      }
      look(window, planes);
      planes = window.steady(std::move(planes), 1, on_pool(pool_));
    }
    return to_arrays(planes, frame.front().dtype());
  }

 private:
  void look(Stabilizer& stabilizer, const Planes& planes) {
    stabilizer.look_at(std::make_shared<const GrayPyramid>(planes), on_pool(pool_));
  }

  SteadySettings settings_;
  Stabilizer stabilizer_;
  ThreadPool pool_;
};

// What relate() finds, as arrays over the cells: dx, dy, whether reliable; and whether it is a cut.
using RelatedCells = std::tuple<py::array_t<std::int16_t>, py::array_t<std::int16_t>,
                                py::array_t<std::uint8_t>, bool>;
RelatedCells relate_pictures(const PlaneList& now, const PlaneList& before,
                             const SteadyOptions& options,
                             const std::optional<PyTorchEngine*> engine) {
  const Planes now_planes = to_planes(now);
  const Planes before_planes = to_planes(before);
  Relation relation;
  {
    const py::gil_scoped_release release;
    std::optional<DeviceFlow> tensors;
    if (engine) tensors.emplace(*(*engine)->engine);
    relation = relate(GrayPyramid(now_planes), GrayPyramid(before_planes), options.temporal.search,
                      in_turn, tensors ? *tensors : flow_by_loops());
  }
  const auto cells = [&](const auto& values) {
    py::array_t<typename std::decay_t<decltype(values)>::value_type> array(
        {relation.motion.rows, relation.motion.columns});
    std::copy(values.begin(), values.end(), array.mutable_data());
    return array;
  };
  return {cells(relation.motion.dx), cells(relation.motion.dy), cells(relation.reliable),
          relation.cut};
}

}  // namespace

void bind_temporal(py::module_& m) {
  py::class_<SteadyOptions> options(m, "SteadyOptions",
                                    "Mask and temporal window; as made, neither does anything.");
  options.def(py::init([] {
    SteadyOptions off;
    off.temporal.window = 1;
    return off;
  }));
  const auto temporal = [&](const char* const name, auto SteadySettings::* const member,
                            const char* const doc) {
    options.def_property(
        name, [member](const SteadyOptions& o) { return o.temporal.*member; },
        [member](SteadyOptions& o, const std::decay_t<decltype(SteadySettings().*member)> value) {
          o.temporal.*member = value;
        },
        doc);
  };
  temporal("window", &SteadySettings::window, "pictures, 1 (none but itself) to 8");
  temporal("strength", &SteadySettings::strength, "0..1");
  temporal("background_lock", &SteadySettings::background_lock,
           "the plain mean where nothing moves");
  options.def_property(
      "flow", [](const SteadyOptions& o) { return o.temporal.search.flow; },
      [](SteadyOptions& o, const bool flow) { o.temporal.search.flow = flow; },
      "False: only what stays where it is");
  options.def_property(
      "finest", [](const SteadyOptions& o) { return o.temporal.search.finest; },
      [](SteadyOptions& o, const int finest) { o.temporal.search.finest = finest; },
      "the search ends at 1 / 2^finest of the source's size, 0 to 5");
  const auto mask = [&](const char* const name, float SafeRegionSettings::* const member,
                        const char* const doc) {
    options.def_property(
        name, [member](const SteadyOptions& o) { return o.mask.*member; },
        [member](SteadyOptions& o, const float value) { o.mask.*member = value; }, doc);
  };
  mask("mask_strength", &SafeRegionSettings::strength, "the network's share at most, 0..1");
  mask("mask_highlights", &SafeRegionSettings::highlights, "brightness, 0..1; 1: none");
  mask("mask_shadows", &SafeRegionSettings::shadows, "brightness, 0..1; 0: none");
  mask("mask_edges", &SafeRegionSettings::edges, "steps between neighbours, 0..1; 0: none");
  mask("mask_motion", &SafeRegionSettings::motion, "widths a picture, 0..1; 1: none");
  options.def("__str__", [](const SteadyOptions& o) { return describe(o); });

  py::class_<TemporalWindow>(m, "TemporalWindow",
                             "The temporal window over frames that are their own source.")
      .def(py::init<const SteadyOptions&, int>(), py::arg("options"), py::arg("threads") = 0)
      .def("add", &TemporalWindow::add, py::arg("frame"),
           "Takes 1 plane, or red, green and blue: 2-D arrays of uint8 or uint16.")
      .def("steady", &TemporalWindow::steady, py::arg("frame"), py::arg("previous") = py::none(),
           "A frame steadied by those that were added, or by another one alone.");

  m.def("relate", &relate_pictures, py::arg("now"), py::arg("before"), py::arg("options"),
        py::arg("engine") = py::none(),
        "Where the cells of a picture were in the one before, across and down in 1/16 sample; 1 "
        "where that is reliable; and whether a cut parts the two. By the loops, or by an engine's "
        "tensors.");
}

}  // namespace streamvsr
