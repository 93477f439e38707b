#include "pipeline/job.h"

#include <pybind11/functional.h>
#include <pybind11/stl.h>

#include <algorithm>

#include "bindings/bindings.h"
#include "bindings/job_config.h"
#include "bindings/tensor_call.h"
#include "pipeline/space.h"

namespace py = pybind11;

namespace streamvsr {

namespace {

// What a callback is given.
struct PythonProgress : Progress {
  py::object monitor;
  double eta_seconds = -1.0;  // set by the monitor
};

Report run(Job& job, const py::object& progress, const double interval, const py::object& monitor) {
  // The GIL is taken only for Python's own code: its signal handlers and the callback.
  auto next = std::chrono::steady_clock::now();
  const auto tick = [&](const Progress& now) {
    const py::gil_scoped_acquire gil;
    run_signal_handlers();
    if (progress.is_none() || std::chrono::steady_clock::now() < next) return;
    next += std::chrono::duration_cast<std::chrono::steady_clock::duration>(
        std::chrono::duration<double>(interval));
    progress(PythonProgress{now, monitor, -1.0});
  };
  const py::gil_scoped_release release;
  return job.run(tick, kSignalInterval);
}

// Ctrl-C ends planning too: a long file's index may take a while to read.
void check_signals(std::int64_t, std::int64_t) {
  const py::gil_scoped_acquire gil;
  run_signal_handlers();
}

// Destroying a job joins threads: not while holding the GIL.
struct ReleaseAndDelete {
  void operator()(Job* const job) const {
    const py::gil_scoped_release release;
    std::default_delete<Job>{}(job);
  }
};
using JobHolder = std::unique_ptr<Job, ReleaseAndDelete>;

}  // namespace

void bind_job(py::module_& m) {
  py::class_<PythonConfig>(
      m, "JobConfig", "Parameters of a job; every attribute has a default but input and output.")
      .def(py::init<>())
      .def_property(
          "input", [](const PythonConfig& c) { return from_path(c.input); },
          [](PythonConfig& c, const py::object& path) { c.input = to_path(path); })
      .def_property(
          "output", [](const PythonConfig& c) { return from_path(c.output); },
          [](PythonConfig& c, const py::object& path) { c.output = to_path(path); })
      .def_property(
          "resume", [](const PythonConfig& c) { return c.resume_name; },
          [](PythonConfig& c, const std::string& name) {
            c.resume = parse_resume_mode(name);
            c.resume_name = name;
          },
          "auto, yes, no or frames")
      .def_readwrite("options", &PythonConfig::options,
                     "what the user asked for, a JSON object, kept in the checkpoint")
      .def_readwrite("overwrite", &PythonConfig::overwrite)
      .def_readwrite("strict", &PythonConfig::strict)
      .def_readwrite("container", &PythonConfig::container,
                     "mp4, mov, mkv; '': from the output's suffix")
      .def_readwrite("video_codec", &PythonConfig::video_codec, "h264, hevc, av1 or ffv1")
      .def_readwrite("crf", &PythonConfig::crf, "negative: the codec's default")
      .def_readwrite("encoder_preset", &PythonConfig::encoder_preset, "'': medium")
      .def_readwrite("pixel_format", &PythonConfig::pixel_format,
                     "'': the source's, or the nearest the codec takes")
      .def_readwrite("width", &PythonConfig::width, "of the output; 0: as height and scale say")
      .def_readwrite("height", &PythonConfig::height, "of the output; 0: as width and scale say")
      .def_readwrite("color_matrix", &PythonConfig::color_matrix,
                     "of the source: bt601, bt709, bt2020; '': as it tells")
      .def_readwrite("interlaced", &PythonConfig::interlaced, "deinterlace, keep or refuse")
      .def_readwrite("apply_rotation", &PythonConfig::apply_rotation)
      .def_readwrite("refuse_resized", &PythonConfig::refuse_resized,
                     "pictures of another size are an error")
      .def_readwrite("streams", &PythonConfig::streams,
                     "FFmpeg's specifiers of what is carried beside the video; empty: all")
      .def_readwrite("encoder_options", &PythonConfig::encoder_options)
      .def_readwrite("encoder_threads", &PythonConfig::encoder_threads, "0: one per core")
      .def_readwrite("decoder_threads", &PythonConfig::decoder_threads, "0: one per core")
      .def_readwrite("compute_threads", &PythonConfig::compute_threads, "0: one per core")
      .def_readwrite("segment_seconds", &PythonConfig::segment_seconds, "s of source time, above 0")
      .def_readwrite("max_memory_mb", &PythonConfig::max_memory_mb,
                     "MiB of frames and packets in flight, codecs included, at least 64; 0: what "
                     "the job needs, at most half of what is free")
      .def_readwrite("max_frames_mb", &PythonConfig::max_frames_mb,
                     "MiB of pictures between the stages, at least 64; 0: no limit of their own")
      .def_readwrite("disk_ratio", &PythonConfig::disk_ratio,
                     "(input + output) / input, at most; 0: no limit")
      .def_readwrite("max_disk_fraction", &PythonConfig::max_disk_fraction,
                     "of the free space, that the output may take; 0: not checked")
      .def_readwrite("network_path", &PythonConfig::network_path, "a network file, or 'nearest'")
      .def(
          "set_archive",
          [](PythonConfig& c, const std::string& name, const std::string& identity,
             const py::bytes& archive) {
            c.network_path = name;
            c.network_identity = identity;
            c.archive = std::make_shared<const std::string>(std::string_view(archive));
          },
          py::arg("name"), py::arg("identity"), py::arg("archive"),
          "Makes a TorchScript archive in memory the network.")
      .def(
          "set_function",
          [](PythonConfig& c, const std::string& name, const std::string& identity,
             const py::object& function) {
            c.network_path = name;
            c.network_identity = identity;
            c.function = python_call(function);
          },
          py::arg("name"), py::arg("identity"), py::arg("function"),
          "Makes a function the network: it takes and gives DLPack capsules, and consumes them.")
      .def_readwrite("brgemm_path", &PythonConfig::brgemm_path,
                     "the microkernel library; '': the engine's own loops")
      .def_readwrite("torch_path", &PythonConfig::torch_path,
                     "the library that runs TorchScript; '': none")
      .def_readwrite("engine", &PythonConfig::engine, "of layer lists: auto, rows or torch")
      .def_readwrite("device", &PythonConfig::device, "auto, cpu or torch's name of another")
      .def_readwrite("colors", &PythonConfig::colors,
                     "of RGB networks that torch runs: zimg on the CPU, tensor on the network's "
                     "device, or auto")
      .def_readwrite("flow_by", &PythonConfig::flow_by,
                     "who finds motion where torch runs the network: loops on the CPU, tensor on "
                     "the network's device, or auto")
      .def_readwrite("max_vram_mb", &PythonConfig::max_vram_mb,
                     "MiB held on the network's device, at least 16")
      .def_readwrite("precision", &PythonConfig::precision, "auto, bf16, fp16 or fp32")
      .def_readwrite("passes", &PythonConfig::passes,
                     "how often the network is applied; 0: as often as scale asks")
      .def_readwrite("scale", &PythonConfig::scale, "of 'nearest', and where passes is 0")
      .def_readwrite("steady", &PythonConfig::steady, "mask and temporal window");
  py::class_<PythonProgress>(m, "Progress", "How far a running job is.")
      .def_readonly("frames_done", &PythonProgress::frames_done,
                    "enhanced, by this run and earlier ones")
      .def_readonly("frames_written", &PythonProgress::frames_written, "of them, encoded")
      .def_readonly("frames_total", &PythonProgress::frames_total, "the plan's estimate")
      .def_readonly("resumed_frames", &PythonProgress::resumed_frames,
                    "of frames_done, by earlier runs")
      .def_readonly("finishing", &PythonProgress::finishing,
                    "all frames are enhanced; the encoder still has some")
      .def_readonly("segments_done", &PythonProgress::segments_done)
      .def_readonly("seconds", &PythonProgress::seconds, "since the run began")
      .def_readonly("fps", &PythonProgress::fps, "mean")
      .def_readwrite("eta_seconds", &PythonProgress::eta_seconds,
                     "-1: unknown, or not known within a factor of 2")
      .def_readonly("memory_mb", &PythonProgress::memory_mb, "MiB of frames in flight")
      .def_readonly("warnings", &PythonProgress::warnings, "of this run so far")
      .def_readonly("monitor", &PythonProgress::monitor, "as given to Job.run()");
  py::class_<RateFindings::Passage>(m, "BoundPassage", "Frames made coarser than asked for.")
      .def_readonly("first_frame", &RateFindings::Passage::first_frame)
      .def_readonly("frames", &RateFindings::Passage::frames)
      .def_readonly("crf", &RateFindings::Passage::crf, "mean");
  py::class_<RateFindings>(m, "DiskBudgetReport",
                           "What disk_ratio did in one run; bytes are the video's packets.")
      .def_readonly("segments", &RateFindings::segments)
      .def_readonly("bytes", &RateFindings::bytes)
      .def_readonly("share", &RateFindings::share, "bytes that they might have taken")
      .def_readonly("bound_segments", &RateFindings::bound_segments,
                    "of them, made coarser than asked for")
      .def_readonly("bound_bytes", &RateFindings::bound_bytes, "of those")
      .def_readonly("bound_share", &RateFindings::bound_share, "of those")
      .def_readonly("reencoded_segments", &RateFindings::reencoded_segments,
                    "of those, encoded twice")
      .def_readonly("bound", &RateFindings::bound, "passages, at most 64");
  py::class_<Report>(m, "Report", "What a finished job did and took.")
      .def_readonly("frames", &Report::frames, "in the output")
      .def_readonly("resumed_frames", &Report::resumed_frames, "of them, done by earlier runs")
      .def_readonly("damaged_frames", &Report::damaged_frames)
      .def_readonly("segments", &Report::segments)
      .def_readonly("bytes_read", &Report::bytes_read)
      .def_readonly("bytes_written", &Report::bytes_written)
      .def_readonly("output_bytes", &Report::output_bytes)
      .def_readonly("seconds", &Report::seconds)
      .def_readonly("read_seconds", &Report::read_seconds, "busy, without waits; so the next two")
      .def_readonly("compute_seconds", &Report::compute_seconds)
      .def_readonly("write_seconds", &Report::write_seconds)
      .def_readonly("cpu_seconds", &Report::cpu_seconds, "of the whole process meanwhile")
      .def_readonly("peak_frames_mb", &Report::peak_frames_mb, "MiB of frames in flight")
      .def_readonly("budget_bytes", &Report::budget_bytes,
                    "the most the output could have by disk_ratio; 0: no limit")
      .def_readonly("rates", &Report::rates, "what the budget did in this run")
      .def_readonly("peak_rss_mb", &Report::peak_rss_mb, "MiB, of the process since the run began")
      .def_readonly("device", &Report::device)
      .def_readonly("warnings", &Report::warnings)
      .def_readonly("run_warnings", &Report::run_warnings, "of them, those met while running")
      .def_readonly("enhancer", &Report::enhancer)
      .def_readonly("encoder", &Report::encoder);
  py::class_<PlanSummary>(m, "Plan", "What was decided before the first frame.")
      .def_readonly("frames", &PlanSummary::frames, "estimate")
      .def_readonly("resumed_frames", &PlanSummary::resumed_frames, "done by an earlier run")
      .def_readonly("duration", &PlanSummary::duration, "s")
      .def_readonly("segments", &PlanSummary::segments)
      .def_readonly("segment_frames", &PlanSummary::segment_frames)
      .def_readonly("width", &PlanSummary::width)
      .def_readonly("height", &PlanSummary::height)
      .def_readonly("output_width", &PlanSummary::output_width)
      .def_readonly("output_height", &PlanSummary::output_height)
      .def_readonly("source_codec", &PlanSummary::source_codec)
      .def_readonly("color_matrix", &PlanSummary::color_matrix,
                    "the source's, as it is computed with: \"BT.601\", ...")
      .def_readonly("pixel_format", &PlanSummary::pixel_format, "of the output")
      .def_readonly("frame_rate", &PlanSummary::frame_rate, "mean, 1/s")
      .def_readonly("expected_bytes", &PlanSummary::expected_bytes, "of the output, estimate")
      .def_readonly("budget_bytes", &PlanSummary::budget_bytes,
                    "the most the output may have by disk_ratio; 0: no limit")
      .def_readonly("budget_video_bytes", &PlanSummary::budget_video_bytes,
                    "of budget_bytes, for the enhanced video")
      .def_readonly("unbound_video_bytes", &PlanSummary::unbound_video_bytes,
                    "that the enhanced video would take without a budget, estimate")
      .def_readonly("budget_crf", &PlanSummary::budget_crf,
                    "that the budget leaves, estimate; negative: the one asked for")
      .def_readonly("warnings", &PlanSummary::warnings)
      .def_readonly("encoder", &PlanSummary::encoder)
      .def_readonly("enhancer", &PlanSummary::enhancer)
      .def_readonly("copied_streams", &PlanSummary::copied_streams)
      .def_readonly("memory", &PlanSummary::memory)
      .def_readonly("encoder_lookahead", &PlanSummary::encoder_lookahead, "frames")
      .def_readonly("encoder_threads", &PlanSummary::encoder_threads)
      .def_readonly("decoder_threads", &PlanSummary::decoder_threads);
  py::class_<Job, JobHolder>(m, "Job",
                             "One film in, one film out: plans at construction, runs once.")
      .def(py::init([](PythonConfig config, const std::optional<std::size_t> available) {
             const py::gil_scoped_release release;
             const MachineFacts machine = available ? MachineFacts{*available} : machine_facts();
             const bool nearest = config.network_path == "nearest";
             const bool in_memory = config.function.call != nullptr || config.archive;
             config.network = nearest ? "nearest" : config.network_identity;
             config.steadying = describe(config.steady);
             config.network_file = nearest || in_memory ? "" : config.network_path;
             config.precision = resumed_precision(config);
             std::unique_ptr<Enhancer> enhancer = make_enhancer(config);
             return JobHolder(
                 std::make_unique<Job>(config, std::move(enhancer), machine, check_signals)
                     .release());
           }),
           py::arg("config"), py::arg("available_memory") = py::none(),
           "available_memory: bytes that the process can still take; None: as the kernel says.")
      .def_property_readonly("plan", &Job::summary)
      .def(
          "run", &run, py::arg("progress") = py::none(), py::arg("interval") = 0.25,
          py::arg("monitor") = py::none(),
          "Runs to the end with the GIL released; progress(Progress) is called about every "
          "`interval` seconds. Raises the first error; a KeyboardInterrupt or an exception of the "
          "callback stops the job and passes on. After a failure the whole segments are kept for a "
          "later run.")
      .def("figures", &Job::figures, py::call_guard<py::gil_scoped_release>(),
           "What it is doing now; from any thread, at any time.")
      .def("spare_memory", &Job::spare_memory, py::call_guard<py::gil_scoped_release>(),
           "Lets one frame in before and one behind the network from now on; the output stays "
           "the same.")
      .def("close", &Job::close, py::call_guard<py::gil_scoped_release>(),
           "Frees network, threads and buffers.")
      .def("stop", &Job::stop, "Ends a run from another thread, within a second.");
  m.def(
      "estimate_output",
      [](const PythonConfig& config) {
        const py::gil_scoped_release release;
        return estimate_output(config, *make_enhancer(config), check_signals);
      },
      py::arg("config"), "Bytes that the output will have, about; looks at the source alone.");
}

}  // namespace streamvsr
