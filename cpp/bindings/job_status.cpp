#include <pybind11/stl.h>

#include "bindings/bindings.h"
#include "pipeline/identity_table.h"
#include "pipeline/job.h"
#include "pipeline/remains.h"

namespace py = pybind11;

namespace streamvsr {

namespace {

// What an interrupted job left, as people want to see it.
struct JobStatus {
  Remains remains;
  int writer = 0;
  std::optional<LiveState> live;  // of the writer
  const Checkpoint& checkpoint() const { return *remains.checkpoint; }
};

std::optional<JobStatus> job_status(const std::string& output) {
  JobStatus status{find_remains(output), 0, {}};
  if (!status.remains.any()) return std::nullopt;
  if (!status.remains.unreadable.empty())
    throw Error(ErrorKind::kResume, status.remains.unreadable, output);
  if (!status.remains.checkpoint) return std::nullopt;
  status.writer = writer_of(output);
  status.live = live_state_of(output, status.writer);
  return status;
}

const char* stage_name(const Checkpoint::Stage stage) {
  switch (stage) {
    case Checkpoint::Stage::kFinishing:
      return "finishing";
    case Checkpoint::Stage::kCommitted:
      return "committed";
    default:
      return "running";
  }
}

}  // namespace

void bind_job_status(py::module_& m) {
  py::class_<LiveState>(m, "LiveState", "How far a job is that runs in some process.")
      .def_readonly("frames_done", &LiveState::frames_done,
                    "enhanced, by this run and earlier ones")
      .def_readonly("frames_written", &LiveState::frames_written, "of them, encoded")
      .def_readonly("frames_total", &LiveState::frames_total, "estimate")
      .def_readonly("resumed_frames", &LiveState::resumed_frames, "of frames_done, by earlier runs")
      .def_readonly("segments_done", &LiveState::segments_done)
      .def_readonly("finishing", &LiveState::finishing,
                    "all frames are enhanced; the encoder still has some")
      .def_readonly("seconds", &LiveState::seconds, "since the run began");
  py::class_<IdentityOption>(m, "IdentityOption",
                             "How an option of a job counts where an interrupted one is resumed.")
      .def_readonly("option", &IdentityOption::option,
                    "as StreamingConfig calls it; '': planning derived it")
      .def_readonly("entry", &IdentityOption::entry,
                    "of a checkpoint's job or environment; '': it is exempt")
      .def_readonly("exempt", &IdentityOption::exempt,
                    "why it changes no byte; '': it is compared");
  m.def(
      "identity_options",
      [] {
        const auto options = identity_options();
        return std::vector<IdentityOption>(options.begin(), options.end());
      },
      "Every option of a job, and whether it decides the output's bytes.");
  py::class_<JobStatus>(m, "JobStatus", "What an unfinished job has done.")
      .def_property_readonly(
          "stage", [](const JobStatus& s) { return stage_name(s.checkpoint().stage); },
          "running, finishing or committed")
      .def_property_readonly(
          "input", [](const JobStatus& s) { return s.checkpoint().input; },
          "as the run was given it")
      .def_property_readonly(
          "input_identity", [](const JobStatus& s) { return s.checkpoint().identity.input; },
          "the source's content, by name")
      .def_property_readonly("output",
                             [](const JobStatus& s) { return from_path(s.remains.output); })
      .def_property_readonly(
          "part_path", [](const JobStatus& s) { return from_path(part_path(s.remains.output)); })
      .def_property_readonly(
          "checkpoint_path",
          [](const JobStatus& s) { return from_path(checkpoint_path(s.remains.output)); })
      .def_property_readonly(
          "options", [](const JobStatus& s) { return s.checkpoint().options; },
          "the text of JobConfig.options")
      .def_property_readonly(
          "job", [](const JobStatus& s) { return s.checkpoint().identity.job; },
          "what decides the output, by name")
      .def_property_readonly("environment",
                             [](const JobStatus& s) { return s.checkpoint().identity.environment; })
      .def_property_readonly(
          "mixed", [](const JobStatus& s) { return s.checkpoint().mixed; },
          "runs under different environments added to it")
      .def_property_readonly("frames_done",
                             [](const JobStatus& s) { return s.checkpoint().source.delivered; })
      .def_property_readonly(
          "frames_total", [](const JobStatus& s) { return s.checkpoint().frames_total; },
          "estimate")
      .def_property_readonly("segments_done",
                             [](const JobStatus& s) { return s.checkpoint().segments_done; })
      .def_property_readonly("segments_total",
                             [](const JobStatus& s) { return s.checkpoint().segments_total; })
      .def_property_readonly(
          "durable_bytes", [](const JobStatus& s) { return s.checkpoint().part.bytes; },
          "of the .part: whole segments")
      .def_property_readonly(
          "part_bytes", [](const JobStatus& s) { return s.remains.part_bytes; },
          "of the .part on the disk, 0 where there is none")
      .def_property_readonly(
          "writer", [](const JobStatus& s) { return s.writer; },
          "process that is writing it now; 0: none that the kernel names")
      .def_readonly("live", &JobStatus::live,
                    "how far that process is; None where it does not say");
  m.def(
      "job_status",
      [](const py::object& output) {
        const std::string name = to_path(output);
        const py::gil_scoped_release release;
        return job_status(name);
      },
      py::arg("output"), "What an unfinished job on an output has done; None where there is none.");
  m.def(
      "remove_remains",
      [](const py::object& output) {
        const std::string name = to_path(output);
        const std::vector<std::string> paths = [&] {
          const py::gil_scoped_release release;
          return remove_remains(name);
        }();
        std::vector<py::str> removed;
        for (const std::string& path : paths) removed.push_back(from_path(path));
        return removed;
      },
      py::arg("output"), "Removes what an unfinished job left; returns the paths removed.");
  m.def(
      "part_path", [](const py::object& output) { return from_path(part_path(to_path(output))); },
      py::arg("output"), "Where an output grows.");
  m.def(
      "checkpoint_path",
      [](const py::object& output) { return from_path(checkpoint_path(to_path(output))); },
      py::arg("output"), "Where its checkpoint lies.");
}

}  // namespace streamvsr
