"""How near two videos are: the metrics, as ffmpeg's filters compute them, and how they are pooled.

docs/quality-tools.md says what each means and where it comes from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamvsr.errors import InputError

Values = NDArray[np.float64]
# Makes overall figures from each frame's values, both by name.
Pool = Callable[[Mapping[str, Values]], dict[str, float]]

# A line of ffmpeg's filter "metadata" that holds one plane's value: the plane is what is captured.
_PLANE = re.compile(r"lavfi\.(?:psnr\.psnr[._]|ssim\.|xpsnr\.xpsnr\.)([a-zA-Z]+)=(\S+)")
_FRAME = re.compile(r"frame:\d+\s+pts:(\d+)")
_PLANES = {"avg": "all"}
_NO_PLANES = ("db",)  # SSIM's in decibels

_CHANGES = (
    "the pictures of {path!r} change their size or format on the way (at frame {frame}): convert "
    "it to one size first"
)


class FrameLines:
    """Purpose: reads the values of each frame from the lines that ffmpeg writes while it works.

    Thread-safety: none.
    """

    def __init__(self, path: str) -> None:
        """Knows no values yet; path: the video, for errors."""
        self._path = path
        self._columns: list[str] | None = None
        self.frames = 0
        self.values: dict[str, list[float]] = {}

    def _begin(self, number: int) -> None:
        # ffmpeg starts its filters anew, and with them the count, when a picture is another's size.
        if number != self.frames:
            raise InputError(_CHANGES.format(path=self._path, frame=self.frames), self._path)
        self.frames += 1

    def metadata(self, line: str) -> None:
        """Takes a line of the filter "metadata"."""
        if header := _FRAME.match(line):
            self._begin(int(header[1]))
        elif found := _PLANE.match(line):
            plane = found[1].lower()
            if plane not in _NO_PLANES:
                self._add(_PLANES.get(plane, plane), found[2])

    def table(self, line: str) -> None:
        """Takes a line of libvmaf's table (csv)."""
        cells = line.rstrip(",").split(",")
        if self._columns is None:
            self._columns = cells
            return
        self._begin(int(cells[0]))
        self._add("score", cells[self._columns.index("vmaf")])

    def _add(self, name: str, value: str) -> None:
        self.values.setdefault(name, []).append(float(value))


def pool_psnr(values: Values) -> float:
    """PSNR, in dB, of the mean squared error over all frames; values: each frame's PSNR."""
    return _decibels(np.mean(10.0 ** (-values / 10.0)), 10.0)


def pool_xpsnr(values: Values) -> float:
    """XPSNR, in dB, of the mean distortion over all frames; values: each frame's XPSNR.

    The distortion is the square root of the weighted squared error, which lets a few bad frames
    count for less than in PSNR. Method: Helmrich et al., ITU Journal ICT Discoveries 3(1), 2020.
    """
    return _decibels(np.mean(10.0 ** (-values / 20.0)), 20.0)


def _decibels(mean: np.floating, factor: float) -> float:
    return float("inf") if mean == 0 else float(-factor * np.log10(mean))


def _mean(values: Values) -> float:
    return float(np.mean(values))


def _per_plane(
    pool: Callable[[Values], float],
) -> Callable[[Mapping[str, Values]], dict[str, float]]:
    return lambda frames: {plane: pool(values) for plane, values in frames.items()}


def pool_vmaf(frames: Mapping[str, Values]) -> dict[str, float]:
    """mean, harmonic_mean and min over all frames' "score", 0 to 100.

    The harmonic mean is that of score + 1, less 1, as libvmaf has it: a score of 0 is allowed.
    """
    values = frames["score"]
    return {
        "mean": float(np.mean(values)),
        "harmonic_mean": float(1.0 / np.mean(1.0 / (values + 1.0)) - 1.0),
        "min": float(np.min(values)),
    }


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes:
        name: As an option names it.
        title: As people call it.
        unit: Of its values; "" for none.
        filter: Of ffmpeg, which computes it.
        pool: Makes the overall figures from each frame's values.
        model: Of libvmaf; "" for other filters.
        reference_first: The filter takes the reference as its first input.
        x86_flags: What of an x86 processor its program must not use, for ffmpeg's -cpuflags.
    """

    name: str
    title: str
    unit: str
    filter: str
    pool: Pool
    model: str = ""
    reference_first: bool = False
    x86_flags: str = ""

    def chain(self, descriptor: int, threads: int) -> str:
        """The filters that compute it and write each frame's values to a file descriptor."""
        target = f"/dev/fd/{descriptor}"
        if self.model:
            return (
                f"{self.filter}=shortest=1:log_fmt=csv:log_path={target}:n_threads={threads}:"
                f"model=version={self.model}"
            )
        return f"{self.filter}=shortest=1,metadata=mode=print:file={target}"

    def reader(self, lines: FrameLines) -> Callable[[str], None]:
        """What takes a line of that."""
        return lines.table if self.model else lines.metadata


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("psnr", "PSNR", "dB", "psnr", _per_plane(pool_psnr)),
        # ffmpeg 5.1's SSE 4.1 code is wrong for planes whose width divided by 4 leaves 2 modulo 4.
        Metric("ssim", "SSIM", "", "ssim", _per_plane(_mean), x86_flags="-sse4.1"),
        # Its weights come from the first input: ffmpeg's documentation names the reference first.
        Metric("xpsnr", "XPSNR", "dB", "xpsnr", _per_plane(pool_xpsnr), reference_first=True),
        Metric("vmaf", "VMAF", "", "libvmaf", pool_vmaf, "vmaf_v0.6.1"),
        Metric("vmaf_neg", "VMAF NEG", "", "libvmaf", pool_vmaf, "vmaf_v0.6.1neg"),
    )
}
