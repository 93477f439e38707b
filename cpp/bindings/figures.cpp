#include <pybind11/pybind11.h>

#include "bindings/bindings.h"
#include "pipeline/job.h"

namespace py = pybind11;

namespace streamvsr {

void bind_figures(py::module_& m) {
  using Fill = ByteQueue<Item>::Fill;
  py::class_<StageTimes>(m, "StageTimes", "Where the time of a stage went.")
      .def_readonly("busy", &StageTimes::busy, "s")
      .def_readonly("wait", &StageTimes::wait, "s, for a queue")
      .def_readonly("stalls", &StageTimes::stalls, "waits longer than half a second");
  py::class_<Fill>(m, "QueueFill", "What waits between two stages.")
      .def_readonly("items", &Fill::items)
      .def_readonly("bytes", &Fill::bytes)
      .def_readonly("limit", &Fill::limit, "of the bytes, those in hand beside the queue included");
  py::class_<Figures>(m, "Figures", "What a job is doing now.")
      .def_readonly("running", &Figures::running)
      .def_readonly("finishing", &Figures::finishing,
                    "all frames are enhanced; the encoder still has some")
      .def_readonly("frames_done", &Figures::frames_done, "enhanced, by this run and earlier ones")
      .def_readonly("frames_written", &Figures::frames_written, "of them, encoded")
      .def_readonly("frames_total", &Figures::frames_total, "the plan's estimate")
      .def_readonly("resumed_frames", &Figures::resumed_frames, "of those done, by earlier runs")
      .def_readonly("segments_done", &Figures::segments_done)
      .def_readonly("seconds", &Figures::seconds, "since the run began, until it ended")
      .def_readonly("read", &Figures::read)
      .def_readonly("compute", &Figures::compute)
      .def_readonly("write", &Figures::write)
      .def_readonly("read_queue", &Figures::read_queue, "from read to compute")
      .def_readonly("computed_queue", &Figures::computed_queue, "from compute to write")
      .def_readonly("frames_bytes", &Figures::frames_bytes, "of frames in flight")
      .def_readonly("bytes_read", &Figures::bytes_read, "of the source")
      .def_readonly("bytes_written", &Figures::bytes_written)
      .def_readonly("device", &Figures::device);
}

}  // namespace streamvsr
