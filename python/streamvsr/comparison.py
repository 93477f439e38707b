"""How near one video comes to another: compare() and what it gives."""

from __future__ import annotations

import math
import os
import platform
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from streamvsr.errors import InputError
from streamvsr.metrics import FrameLines, Metric, Values
from streamvsr.pairing import Pair, Video, pair
from streamvsr.passes import Ended, LineReader, run_program
from streamvsr.programs import Program
from streamvsr.remains import PathInput

# Called with the metric's title, the frames done, and how many there will be, about; 0: unknown.
CompareProgress = Callable[[str, int, int], object]

_MOST_WORDS = 3
_X86 = ("x86_64", "amd64", "i386", "i686")


@dataclass(frozen=True)
class MetricResult:
    """One metric's figures.

    Attributes:
        metric: Its name: "psnr", "ssim", "xpsnr", "vmaf" or "vmaf_neg".
        overall: PSNR (dB), SSIM (up to 1) and XPSNR (dB) by plane: "y", and where the video has
            colour "u" and "v"; of PSNR and SSIM also "all", all planes together. VMAF (0 to 100):
            "mean", "harmonic_mean" and "min". Infinite dB: the pictures are equal.
        frames: The same of each frame: arrays of float64, shape (frames,), by plane; of VMAF
            "score".
        seconds: What the pass took, decoding both videos included.
        cpu_seconds: CPU time of that, of all threads.
        program: Path of the ffmpeg program that computed it.
        version: Its version.
    """

    metric: str
    overall: dict[str, float]
    frames: dict[str, Values]
    seconds: float
    cpu_seconds: float
    program: str
    version: str


@dataclass(frozen=True)
class Comparison:
    """What compare() found.

    Attributes:
        distorted: Path of the video that was judged.
        reference: Path of the video that it was held against.
        width: Of the compared pictures, samples; so height.
        pixel_format: FFmpeg's name of what was compared.
        frames: How many frames were compared, first with first, second with second.
        distorted_frames: How many frames there are; so reference_frames.
        metrics: The results by the metric's name.
        missing: The metrics that were left out, by name, and why.
        warnings: What a reader of the figures should know, a sentence each.
    """

    distorted: str
    reference: str
    width: int
    height: int
    pixel_format: str
    frames: int
    distorted_frames: int
    reference_frames: int
    metrics: dict[str, MetricResult]
    missing: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def _repr_html_(self) -> str:
        """What a notebook shows, see docs/notebooks.md."""
        from streamvsr.notebook import comparison_html

        return comparison_html(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything as dicts, lists and scalars fit for JSON; an infinite value is None."""
        told = {one.name: getattr(self, one.name) for one in fields(self)}
        told["metrics"] = {
            name: {
                "overall": {key: _finite(value) for key, value in result.overall.items()},
                "frames": {
                    key: [_finite(value) for value in values.tolist()]
                    for key, values in result.frames.items()
                },
                "seconds": result.seconds,
                "cpu_seconds": result.cpu_seconds,
                "program": result.program,
                "version": result.version,
            }
            for name, result in self.metrics.items()
        }
        return told

    def plot(self, path: PathInput, *, overwrite: bool = False) -> None:
        """Draws each metric over the frames.

        Args:
            path: The picture to write; its suffix decides the format (png, svg, pdf).
            overwrite: Replace a file that is there.

        Raises:
            MissingToolError: matplotlib is not installed.
            OutputExistsError: Something is there.
            OutputError: The system refused.
        """
        from streamvsr import files, plots

        target = os.fspath(path)
        files.refuse_file(target, overwrite)
        files.write_file(target, plots.comparison_picture(self, target), overwrite)


def compare(
    distorted: PathInput,
    reference: PathInput,
    *,
    metrics: Iterable[str] | None = None,
    resize: str | None = None,
    progress: CompareProgress | bool = False,
) -> Comparison:
    """Says how near a video comes to a reference, frame by frame and overall.

    Frames are paired by their order, whatever their times. Pictures are compared as they are coded:
    not turned, with no change of colour range or matrix, and with the bits of the deeper of both.
    Nothing is written to disk. The figures are ffmpeg's, see docs/quality-tools.md.

    Args:
        distorted: The video to be judged: an enhanced one, say.
        reference: What it should look like.
        metrics: Of "psnr", "ssim", "xpsnr", "vmaf" and "vmaf_neg"; None: those that an ffmpeg
            program here can compute.
        resize: "bicubic", "lanczos", "spline", "bilinear", "area" or "neighbor": scales distorted
            to the reference's size where they differ. None: such videos are refused.
        progress: True shows a bar; a callable gets (metric's title, frames done, frames there will
            be about, 0 where unknown).

    Raises:
        ConfigError: A metric or kernel that does not exist; sizes or pixel formats that differ.
        InputNotFoundError: A video is not there.
        InputError: A video cannot be used.
        MissingToolError: No ffmpeg program computes a metric that was asked for.
        Exception: Whatever progress raises.
    """
    return measure(pair(distorted, reference, metrics, resize), progress)


def measure(videos: Pair, progress: CompareProgress | bool = False) -> Comparison:
    """Computes what can be of a pair; progress and errors as of compare()."""
    first, second = videos.distorted, videos.reference
    counts = [0, 0]
    warnings = list(videos.warnings)
    results: dict[str, MetricResult] = {}
    frames = 0
    with _shown(progress) as show:
        for metric, program in videos.passes:
            lines = FrameLines(first.path)
            expected = frames or videos.expected_frames
            ended = _run(videos, metric, program, lines, None if results else counts,
                         _frames_done(show, metric.title, expected))  # fmt: skip
            _check(metric, program, ended, lines)
            show(metric.title, lines.frames, lines.frames)
            for words in _plain(ended.words):
                if (told := f"{program.path}: {words}") not in warnings:
                    warnings.append(told)
            if not results:
                frames = lines.frames
                if counts[0] != counts[1]:
                    warnings.append(
                        f"{first.path!r} has {counts[0]} frames and {second.path!r} {counts[1]}: "
                        f"the first {frames} are compared"
                    )
            elif lines.frames != frames:
                warnings.append(
                    f"{program.path} found {lines.frames} frames to compare for {metric.title}, "
                    f"{videos.passes[0][1].path} {frames}"
                )
            results[metric.name] = _result(metric, program, ended, lines)
    return Comparison(
        distorted=first.path,
        reference=second.path,
        width=second.stream.width,
        height=second.stream.height,
        pixel_format=videos.pixel_format,
        frames=frames,
        distorted_frames=counts[0],
        reference_frames=counts[1],
        metrics=results,
        missing=videos.missing,
        warnings=warnings,
    )


def _result(metric: Metric, program: Program, ended: Ended, lines: FrameLines) -> MetricResult:
    # Planes in the order y, u, v, all, whatever the filter's.
    order = sorted(lines.values, key=lambda name: "yuv".find(name) % 4)
    frames = {name: np.array(lines.values[name]) for name in order}
    return MetricResult(
        metric=metric.name,
        overall=metric.pool(frames),
        frames=frames,
        seconds=ended.seconds,
        cpu_seconds=ended.cpu_seconds,
        program=program.path,
        version=program.version,
    )


def _run(
    videos: Pair,
    metric: Metric,
    program: Program,
    lines: FrameLines,
    counts: list[int] | None,
    output: LineReader,
) -> Ended:
    """One pass over both videos; counts: where to count the frames of each, to its end."""

    def command(ends: Sequence[int]) -> list[str]:
        words = [
            program.path, "-hide_banner", "-nostdin", "-nostats", "-v", "error",
            "-noauto_conversion_filters", "-progress", "pipe:1", "-stats_period", "0.25",
        ]  # fmt: skip
        if metric.x86_flags and platform.machine().lower() in _X86:
            words += ["-cpuflags", metric.x86_flags]
        for video in (videos.distorted, videos.reference):
            # The rate makes the times: n / rate for frame n, whatever the file says.
            words += ["-noautorotate", "-r", str(videos.rate), "-i", f"file:{video.path}"]
        words += ["-lavfi", _graph(videos, metric, ends)]
        for output_name in ("[out]", "[first]", "[second]")[: len(ends)]:
            words += ["-map", output_name, "-f", "null", "-"]
        return words

    readers = [metric.reader(lines)]
    if counts is not None:
        readers += [_counter(counts, 0), _counter(counts, 1)]
    return run_program(command, readers, output)


def _graph(videos: Pair, metric: Metric, ends: Sequence[int]) -> str:
    """The filters of one pass; ends: for the values and, where frames are counted, two more."""
    first = _chain(videos, 0, videos.distorted, videos.resize)
    second = _chain(videos, 1, videos.reference, None)
    order = "[b][a]" if metric.reference_first else "[a][b]"
    measured = f"{order}{metric.chain(ends[0], len(os.sched_getaffinity(0)))}[out]"
    if len(ends) == 1:
        return f"{first}[a];{second}[b];{measured}"
    count = [
        f"metadata=mode=add:key=n:value=0,metadata=mode=print:key=n:file=/dev/fd/{end}"
        for end in ends[1:]
    ]
    return (
        f"{first},split[a][x];{second},split[b][y];{measured};"
        f"[x]{count[0]}[first];[y]{count[1]}[second]"
    )


def _chain(videos: Pair, index: int, video: Video, resize: str | None) -> str:
    """Brings one video's frames to what is compared."""
    rate = videos.rate
    filters = [f"settb={rate.denominator}/{rate.numerator}", "setpts=N"]
    if resize is not None or video.stream.pixel_format != videos.pixel_format:
        size = f"{videos.reference.stream.width}:{videos.reference.stream.height}"
        kernel = resize or "bicubic"
        span = "full" if video.full_range else "limited"
        filters += [
            f"scale={size}:flags={kernel}+accurate_rnd:in_range={span}:out_range={span}",
            f"format={videos.pixel_format}",
        ]
    # Alike on both sides, or newer programs would convert one to the other.
    filters.append("setparams=range=limited:colorspace=bt709")
    return f"[{index}:{video.stream.index}]{','.join(filters)}"


def _counter(counts: list[int], index: int) -> LineReader:
    def take(line: str) -> None:
        counts[index] += line.startswith("frame:")

    return take


def _frames_done(show: CompareProgress, title: str, expected: int) -> LineReader:
    def take(line: str) -> None:
        name, _, value = line.partition("=")
        if name == "frame" and value.strip().isdigit():
            show(title, int(value), expected)

    return take


def _check(metric: Metric, program: Program, ended: Ended, lines: FrameLines) -> None:
    words = "; ".join(_plain(ended.words)) or f"exit code {ended.code}"
    if ended.code != 0:
        changes = ". Do pictures change their size on the way? Convert that video to one size first"
        hint = changes if "reinitializing" in words else ""
        raise InputError(f"{program.path} cannot compute {metric.title}: {words}{hint}")
    if lines.frames == 0:
        raise InputError(f"{program.path} found no frames to compare: {words}")


def _plain(words: Sequence[str]) -> list[str]:
    """The last of ffmpeg's words, without addresses, each once."""
    plain = dict.fromkeys(re.sub(r"^(\[[^]]* @ 0x[0-9a-f]+\] *)+", "", line) for line in words)
    return list(plain)[-_MOST_WORDS:]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


@contextmanager
def _shown(progress: CompareProgress | bool) -> Iterator[CompareProgress]:
    """What shows progress: the user's callable, a bar a metric, or nothing."""
    if callable(progress):
        yield progress
        return
    if not progress:
        yield lambda title, done, expected: None
        return
    from tqdm.auto import tqdm

    bars: dict[str, Any] = {}

    def show(title: str, done: int, expected: int) -> None:
        if title not in bars:
            bars[title] = tqdm(
                desc=title, total=expected or None, unit="frame", dynamic_ncols=True, leave=False
            )
        bar = bars[title]
        bar.total = max(bar.total, done) if bar.total is not None else None
        bar.update(done - bar.n)
        if done == expected:
            bar.close()

    try:
        yield show
    finally:
        for bar in bars.values():
            bar.close()
