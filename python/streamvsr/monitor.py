"""What a job does to the machine while it runs: memory, disk, speed, and the time it takes."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamvsr.eta import RemainingTime
from streamvsr.progress import LOGGER

if TYPE_CHECKING:
    from streamvsr._core import Figures, Job, Progress, StageTimes

_MB = 1024.0 * 1024.0
_SHARE_OF_MEMORY = 0.9
_STAGES = ("read", "compute", "write")
# Until the encoder has given a frame, the network runs ahead into its look-ahead: its pace says
# nothing yet. Where that takes longer than this, the network is the slow one.
_SETTLED_SECONDS = 10.0


class SampleSeries:
    """Purpose: figures over time in bounded space: when it is full, samples are thinned to twice
    their distance, and from then on taken half as often. Thread-safety: none.
    """

    def __init__(self, most: int = 512, interval: float = 0.25) -> None:
        """Makes an empty series.

        Args:
            most: Samples kept at most, at least 2.
            interval: Seconds between two samples, at first.
        """
        self.most = max(2, most)
        self.interval = interval
        self._samples: list[Mapping[str, float]] = []
        self._next = 0.0

    def wants(self, seconds: float) -> bool:
        """Whether a sample is due."""
        return seconds >= self._next

    def add(self, sample: Mapping[str, float]) -> None:
        """Adds a sample; its "seconds" say when it was taken."""
        while len(self._samples) >= self.most:
            self.interval *= 2
            kept = self._samples[:1]
            for earlier in self._samples[1:]:
                if earlier["seconds"] - kept[-1]["seconds"] >= self.interval:
                    kept.append(earlier)
            self._samples = kept
        self._samples.append(sample)
        self._next = sample["seconds"] + self.interval

    def columns(self) -> dict[str, list[float]]:
        """The samples, a list for each figure."""
        names = self._samples[0] if self._samples else ()
        return {name: [sample[name] for sample in self._samples] for name in names}


class StreamingMonitor:
    """Purpose: live figures of one job, their history, and warnings when memory or disk run short.

    StreamingVideoProcessor makes one for every process(). Thread-safety: every call may come from
    any thread. Ownership: keeps the job's figures readable after its end.
    """

    def __init__(self, memory_warning_mb: float | None = None, max_samples: int = 512) -> None:
        """Watches nothing until a job is attached.

        Args:
            memory_warning_mb: Resident memory, in MB (1048576 bytes), beyond which it warns and
                makes the job spare memory; None: 90 % of what the machine or the control group has.
            max_samples: The most samples kept over time.
        """
        self.memory_warning_mb = memory_warning_mb or _SHARE_OF_MEMORY * memory_limit_mb()
        self._lock = threading.RLock()
        self._job: Job | None = None
        self._folders: tuple[str, ...] = ()
        self._remaining = RemainingTime()
        self._series = SampleSeries(max_samples)
        self._operations = _operations()
        self._warnings: list[str] = []
        self._core_warnings = 0
        self._spared = False
        self._peak_mb = 0.0
        self._files: set[str] = set()

    def attach(self, job: Job, source: str, target: str) -> None:
        """Watches a job from now on.

        Args:
            job: Planned, not yet running.
            source: Its input's path.
            target: Its output's path.
        """
        with self._lock:
            self._job = job
            self._folders = tuple(
                {os.path.realpath(os.path.dirname(os.path.abspath(p))) for p in (source, target)}
            )

    @property
    def warnings(self) -> list[str]:
        """What was warned of so far, each once."""
        with self._lock:
            return list(self._warnings)

    def get_realtime_stats(self) -> dict[str, Any]:
        """What is going on now.

        Returns:
            memory_usage_mb: Resident memory of the process, in MB (1048576 bytes).
            vram_usage_mb: Memory held on the network's device, in MB, by its allocator's count; 0
                with the rows engine, which has none.
            processing_fps: Frames a second over the last steps of the network; 0 at first.
            disk_io_ops: Reads and writes the process has made since this monitor was made, files
                of others and terminals included; 0 where the kernel does not count them.
            eta_seconds: Time until the network has done the rest; -1 while that is not known within
                a factor of 2. 0 while the encoder finishes, and after the end.
            details: Further figures by name, see docs/monitor.md.
        """
        with self._lock:
            figures = None if self._job is None else self._job.figures()
            memory = _resident_mb()
            self._peak_mb = max(self._peak_mb, memory)
            fps, eta = 0.0, None
            if figures is not None:
                fps = self._remaining.frames_per_second
                eta = self._remaining.known(figures.seconds, figures.frames_total)
                if figures.finishing or (not figures.running and figures.seconds > 0):
                    eta = (0.0, 0.0, 0.0)
            return {
                "memory_usage_mb": memory,
                "vram_usage_mb": 0.0 if figures is None else figures.device.memory.held / _MB,
                "processing_fps": fps,
                "disk_io_ops": max(0, _operations() - self._operations),
                "eta_seconds": -1.0 if eta is None else eta[0],
                "details": self._details(figures, eta),
            }

    def _details(
        self, figures: Figures | None, eta: tuple[float, float, float] | None
    ) -> dict[str, Any]:
        details: dict[str, Any] = {
            "running": figures is not None and figures.running,
            "eta_interval_seconds": None if eta is None else (eta[1], eta[2]),
            "peak_memory_mb": self._peak_mb,
            "open_files": _open_files(self._folders),
            "warnings": list(self._warnings),
        }
        if figures is not None:
            details |= {
                "seconds": figures.seconds,
                "finishing": figures.running and figures.finishing,
                "frames_done": figures.frames_done,
                "frames_written": figures.frames_written,
                "frames_total": figures.frames_total,
                "resumed_frames": figures.resumed_frames,
                "segments_done": figures.segments_done,
                "bytes_read": figures.bytes_read,
                "bytes_written": figures.bytes_written,
                "frames_mb": figures.frames_bytes / _MB,
                "peak_vram_mb": figures.device.memory.peak / _MB,
                "vram_limit_mb": figures.device.memory.limit / _MB,
                "retries": figures.device.retries,
                "queues": {
                    name: {"items": fill.items, "bytes": fill.bytes, "limit": fill.limit}
                    for name, fill in (
                        ("read", figures.read_queue), ("computed", figures.computed_queue),
                    )
                },
                "stages": {name: _times(getattr(figures, name)) for name in _STAGES},
            }  # fmt: skip
        return details

    def update(self, progress: Progress) -> None:
        """Takes note of a running job's state; called about twenty times a second."""
        with self._lock:
            self.note_warnings(progress.warnings)
            encoded = progress.frames_written > progress.resumed_frames
            if encoded or progress.seconds >= _SETTLED_SECONDS:
                self._remaining.add(progress.seconds, progress.frames_done)
            eta = self._remaining.known(progress.seconds, progress.frames_total)
            progress.eta_seconds = 0.0 if progress.finishing else -1.0 if eta is None else eta[0]
            if not self._series.wants(progress.seconds):
                return
            stats = self.get_realtime_stats()
            details = stats["details"]
            self._files.update(details["open_files"])
            self._series.add(
                {
                    "seconds": progress.seconds,
                    "frames_done": progress.frames_done,
                    "frames_per_second": stats["processing_fps"],
                    "memory_mb": stats["memory_usage_mb"],
                    "frames_mb": progress.memory_mb,
                    "vram_mb": stats["vram_usage_mb"],
                    "bytes_read": details["bytes_read"],
                    "bytes_written": details["bytes_written"],
                    "eta_seconds": stats["eta_seconds"],
                }
            )
            self._mind_memory(stats["memory_usage_mb"])

    def note_warnings(self, warnings: Sequence[str]) -> None:
        """Logs those of a run that are new; warnings: all of the run so far."""
        with self._lock:
            for warning in warnings[self._core_warnings :]:
                self.warn(warning)
            self._core_warnings = max(self._core_warnings, len(warnings))

    def _mind_memory(self, memory: float) -> None:
        if self._spared or memory <= self.memory_warning_mb or self._job is None:
            return
        self._spared = True
        self._job.spare_memory()
        self.warn(
            f"the process holds {memory:.0f} MB of memory, more than {self.memory_warning_mb:.0f} "
            "MB: from now on one frame waits before each stage; a smaller max_memory_mb takes less"
        )

    def warn(self, text: str) -> None:
        """Notes a warning and logs it."""
        with self._lock:
            self._warnings.append(text)
        LOGGER.warning("%s", text)

    def report(self) -> dict[str, Any]:
        """What performance_report() takes from it.

        Each stage's wait_seconds and stalls; peak_sampled_mb and peak_vram_mb, the highest resident
        memory sampled and the highest device memory, in MB; retries: pictures begun again because
        the device's memory ran out; disk_io_ops; files_open: the regular
        files seen open in the input's and output's folders; samples: lists of equal length, at
        most max_samples long, sample_seconds apart.
        """
        stats = self.get_realtime_stats()
        with self._lock:
            told: dict[str, Any] = {}
            for name, times in stats["details"].get("stages", {}).items():
                told[f"{name}_wait_seconds"] = times["wait_seconds"]
                told[f"{name}_stalls"] = times["stalls"]
            return told | {
                "peak_sampled_mb": self._peak_mb,
                "peak_vram_mb": stats["details"].get("peak_vram_mb", 0.0),
                "retries": stats["details"].get("retries", 0),
                "disk_io_ops": stats["disk_io_ops"],
                "files_open": sorted(self._files),
                "sample_seconds": self._series.interval,
                "samples": self._series.columns(),
            }


class Ticker:
    """What a running job calls: feeds the monitor, and now and then the user's callback."""

    def __init__(self, monitor: StreamingMonitor, progress: Any, interval: float = 0.25) -> None:
        """Feeds a monitor; progress: the callback, or None; interval: seconds between its calls."""
        self._monitor, self._progress, self._interval = monitor, progress, interval
        self._next = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        """Takes the state of the job."""
        self._monitor.update(progress)
        if self._progress is not None and time.monotonic() >= self._next:
            self._next += self._interval
            self._progress(progress)


def plot_report(report: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Draws a performance_report's samples: speed, memory and bytes over time.

    Args:
        report: ProcessResult.performance_report, of a run that was sampled.
        path: The picture to write; its suffix decides the format (png, svg, pdf).

    Raises:
        MissingToolError: matplotlib is not installed; it is an ImportError, too.
        ValueError: The report holds no samples.
    """
    from streamvsr import plots

    samples = report.get("samples") or {}
    if not samples:
        raise ValueError("the report holds no samples: the run was too short, or failed")
    figure = plots.figure_module("plot_report()").Figure(figsize=(8, 8), layout="constrained")
    speed, memory, disk = figure.subplots(3, sharex=True)
    speed.plot(samples["seconds"], samples["frames_per_second"])
    speed.set_ylabel("frames/s")
    for name in ("memory_mb", "frames_mb"):
        memory.plot(samples["seconds"], samples[name], label=name)
    memory.set_ylabel("MB")
    memory.legend()
    for name in ("bytes_read", "bytes_written"):
        disk.plot(samples["seconds"], [value / _MB for value in samples[name]], label=name)
    disk.set_ylabel("MB so far")
    disk.set_xlabel("seconds")
    disk.legend()
    figure.savefig(os.fspath(path))


def _times(times: StageTimes) -> dict[str, float]:
    return {"busy_seconds": times.busy, "wait_seconds": times.wait, "stalls": times.stalls}


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MB


def _operations() -> int:
    try:
        text = Path("/proc/self/io").read_text()
    except OSError:
        return 0
    counts = dict(line.split(": ") for line in text.splitlines())
    return int(counts.get("syscr", 0)) + int(counts.get("syscw", 0))


def _open_files(folders: Sequence[str]) -> list[str]:
    """The regular files under some folders that the process has open, by the kernel's list."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        link = f"/proc/self/fd/{name}"
        try:
            path = os.readlink(link)
            if any(
                path.startswith(f"{folder.rstrip('/')}/") for folder in folders
            ) and stat.S_ISREG(os.stat(link).st_mode):
                found.add(path)
        except OSError:  # closed meanwhile
            continue
    return sorted(found)


def memory_limit_mb() -> float:
    """What the machine, or the control group where it allows less, has; MB of 1048576 bytes."""
    limit = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            text = (Path("/sys/fs/cgroup") / name).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            limit = min(limit, int(text))
    return limit / _MB
