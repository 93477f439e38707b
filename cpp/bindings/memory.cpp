// What Python sees of the memory: the plan of a job, and the gate as a buffer of frames.
#include <pybind11/pybind11.h>

#include <algorithm>
#include <chrono>

#include "base/frame_buffer.h"
#include "bindings/bindings.h"
#include "pipeline/memory_plan.h"

namespace py = pybind11;

namespace streamvsr {

namespace {

using Buffer = FrameBuffer<py::object>;
using Clock = std::chrono::steady_clock;

std::unique_ptr<Buffer> make_buffer(const double megabytes) {
  constexpr double kMost = 1 << 20;  // MB
  if (!(megabytes > 0.0 && megabytes <= kMost))
    throw Error(ErrorKind::kConfig, "max_buffer_size_mb must be above 0 and up to 1048576, not " +
                                        py::str(py::float_(megabytes)).cast<std::string>());
  return std::make_unique<Buffer>(static_cast<std::size_t>(megabytes * (1 << 20)));
}

// Bytes that an array or tensor keeps alive: of a view, those of what it looks into.
std::size_t bytes_of(const py::object& frame) {
  if (!py::hasattr(frame, "nbytes"))
    throw py::type_error("a frame is an array or a tensor, not " +
                         py::str(py::type::of(frame)).cast<std::string>());
  auto bytes = frame.attr("nbytes").cast<std::size_t>();
  if (py::hasattr(frame, "untyped_storage"))
    return std::max(bytes, frame.attr("untyped_storage")().attr("nbytes")().cast<std::size_t>());
  py::object owner = py::getattr(frame, "base", py::none());
  while (!owner.is_none() && py::hasattr(owner, "nbytes")) {
    bytes = std::max(bytes, owner.attr("nbytes").cast<std::size_t>());
    owner = py::getattr(owner, "base", py::none());
  }
  return bytes;
}

bool add_frame(Buffer& buffer, const std::int64_t id, py::object frame, const double wait) {
  const std::size_t bytes = bytes_of(frame);
  if (!(wait >= 0.0)) throw Error(ErrorKind::kConfig, "wait must be 0 s or more");
  // In slices: signals are looked at meanwhile.
  constexpr std::chrono::milliseconds kSlice{50};
  constexpr double kMostWait = 1e9;  // s
  const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                        std::chrono::duration<double>(std::min(wait, kMostWait)));
  for (;;) {
    const auto left = std::min<Clock::duration>(kSlice, until - Clock::now());
    {
      const py::gil_scoped_release release;
      if (buffer.add(id, frame, bytes, left)) return true;
    }
    if (Clock::now() >= until || bytes > buffer.gate().limit()) return false;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  }
}

}  // namespace

void bind_memory(py::module_& m) {
  py::class_<MemoryPlan>(m, "MemoryPlan", "Where the memory of a job goes: bytes, at most.")
      .def_readonly("limit", &MemoryPlan::limit, "max_memory_mb, or what the job needs")
      .def_readonly("decoder", &MemoryPlan::decoder, "pictures and packets inside it")
      .def_readonly("encoder", &MemoryPlan::encoder, "pictures and packets inside it")
      .def_readonly("packets", &MemoryPlan::packets, "between encoder, source and file")
      .def_readonly("fixed", &MemoryPlan::fixed, "tables, stacks, what the allocator keeps")
      .def_readonly("source", &MemoryPlan::source, "pictures until they are enhanced")
      .def_readonly("enhanced", &MemoryPlan::enhanced, "pictures until the encoder took them")
      .def_readonly("workspace", &MemoryPlan::workspace, "of the network, beside the limit")
      .def_readonly("change", &MemoryPlan::change,
                    "what was lowered to stay within it; '': nothing")
      .def_property_readonly("used", &MemoryPlan::used, "all but the workspace");
  m.def(
      "available_memory", [] { return machine_facts().available; },
      "Bytes that this process can still take: the least of what the machine, its control groups "
      "and its own limits leave.");
  py::class_<Buffer>(m, "MemoryFrameBuffer",
                     "Frames by number within a limit that is never passed: the gate of the stream "
                     "itself. Every call may come from any thread.")
      .def(py::init(&make_buffer), py::arg("max_buffer_size_mb") = 1024.0,
           "max_buffer_size_mb: the most memory of frames kept at once, in MB of 1048576 bytes. "
           "Raises ConfigError unless it is above 0 and up to 1048576.")
      .def("add_frame", &add_frame, py::arg("frame_id"), py::arg("frame"), py::kw_only(),
           py::arg("wait") = 0.0,
           "Keeps a frame: a NumPy array or torch tensor of any shape and dtype, by reference, "
           "without a copy; a view counts as what it looks into. False, and nothing is kept, when "
           "it would pass the limit even after `wait` seconds, in which other threads may release "
           "others. Raises ConfigError for a number that is taken, TypeError for what is no array.")
      .def(
          "get_frame",
          [](const Buffer& buffer, const std::int64_t id) {
            return buffer.get(id).value_or(py::none());
          },
          py::arg("frame_id"), "The very array that was added; None where there is none.")
      .def("release_frame", &Buffer::release, py::arg("frame_id"),
           "Forgets a frame: its memory is free once the caller holds no reference either. False "
           "where there is none.")
      .def("__len__", &Buffer::size)
      .def("__contains__",
           [](const Buffer& buffer, const std::int64_t id) { return buffer.get(id).has_value(); })
      .def_property_readonly(
          "memory_usage", [](const Buffer& b) { return b.gate().bytes(); },
          "bytes of the frames kept now")
      .def_property_readonly(
          "peak_memory_usage", [](const Buffer& b) { return b.gate().peak(); },
          "bytes, the most ever kept at once")
      .def_property_readonly("limit", [](const Buffer& b) { return b.gate().limit(); }, "bytes");
}

}  // namespace streamvsr
