"""Two videos that are to be compared: whether they can be, and which program computes what."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from streamvsr import _core
from streamvsr._names import unknown
from streamvsr.errors import ConfigError, InputError, MissingToolError
from streamvsr.metrics import METRICS, Metric
from streamvsr.programs import PACKAGE, Program, find_programs
from streamvsr.remains import PathInput

if TYPE_CHECKING:
    from streamvsr._core import StreamInfo

KERNELS: tuple[str, ...] = ("bicubic", "lanczos", "spline", "bilinear", "area", "neighbor")

_FORMAT = re.compile(r"(gray|yuvj?(?:420|422|440|444|411)p)(9|10|12|14|16)?(?:le|be)?")
# What libvmaf takes.
_VMAF_FORMAT = re.compile(r"yuv(420|422|444)p((10|12|16)le)?")
_USUAL_RATE = Fraction(25)


@dataclass(frozen=True)
class Video:
    """One of the two.

    Attributes:
        path: Its file.
        stream: Its first video stream that moves.
        layout: Of its planes, as FFmpeg's names of 8-bit formats have it: "yuv420p".
        depth: Bits a sample.
        full_range: Samples span the whole code range.
    """

    path: str
    stream: StreamInfo
    layout: str
    depth: int
    full_range: bool

    @property
    def size(self) -> str:
        """Width and height in samples."""
        return f"{self.stream.width}x{self.stream.height}"


@dataclass(frozen=True)
class Pair:
    """Two videos that can be compared.

    Attributes:
        distorted: The video to be judged.
        reference: The video that it is held against.
        pixel_format: FFmpeg's name of what is compared.
        passes: The metrics, and the program for each.
        missing: The metrics that are left out, by name, and why.
        resize: Kernel by which distorted is scaled; None: it has the reference's size.
        warnings: What a reader of the figures should know.
    """

    distorted: Video
    reference: Video
    pixel_format: str
    passes: list[tuple[Metric, Program]]
    missing: dict[str, str]
    resize: str | None
    warnings: list[str]

    @property
    def expected_frames(self) -> int:
        """How many frames there are to compare, as the containers say; 0: they do not."""
        counts = (self.distorted.stream.frames, self.reference.stream.frames)
        return min((count for count in counts if count > 0), default=0)

    @property
    def rate(self) -> Fraction:
        """The reference's mean rate, by which XPSNR weighs motion; frames a second."""
        rate = Fraction(self.reference.stream.frame_rate).limit_denominator(1001)
        return rate if rate > 0 else _USUAL_RATE


def pair(
    distorted: PathInput,
    reference: PathInput,
    metrics: Iterable[str] | None = None,
    resize: str | None = None,
) -> Pair:
    """Checks all that can be checked before the work; arguments and errors as of compare()."""
    if resize is not None and resize not in KERNELS:
        raise unknown("resize", str(resize), KERNELS)
    wanted = _wanted(metrics)
    first, second = _look_at(os.fspath(distorted)), _look_at(os.fspath(reference))
    pixel_format = _common_format(first, second)
    if first.size == second.size:
        resize = None
    elif resize is None:
        raise ConfigError(
            f"{first.path!r} is {first.size} and the reference {second.path!r} {second.size}: "
            "resize='bicubic' (--resize bicubic) scales the first to the reference's size",
            first.path,
        )
    passes, missing = _assign(wanted or list(METRICS), find_programs(), pixel_format)
    if missing and (wanted or not passes):
        name, why = next(iter(missing.items()))
        raise MissingToolError(f"{METRICS[name].title} cannot be computed: {why}")
    return Pair(first, second, pixel_format, passes, missing, resize, _warnings(first, second))


def _wanted(metrics: Iterable[str] | None) -> list[str]:
    if metrics is None:
        return []
    if isinstance(metrics, str):
        raise ConfigError(f"metrics must be a sequence of names, not {metrics!r}")
    wanted = list(metrics)
    if not wanted:
        raise ConfigError("metrics names none; leave it out for all that there are")
    for name in wanted:
        if name not in METRICS:
            raise unknown("metric", str(name), METRICS)
    return [name for name in METRICS if name in wanted]


def _assign(
    names: Iterable[str], programs: list[Program], pixel_format: str
) -> tuple[list[tuple[Metric, Program]], dict[str, str]]:
    passes, missing = [], {}
    for name in names:
        metric = METRICS[name]
        program = next((one for one in programs if metric.filter in one.filters), None)
        if metric.model and not _VMAF_FORMAT.fullmatch(pixel_format):
            missing[name] = f"libvmaf does not take {pixel_format}"
        elif program is None:
            have = " nor ".join(one.path for one in programs)
            missing[name] = f"{have} has no filter {metric.filter}: pip install {PACKAGE}"
        else:
            passes.append((metric, program))
    return passes, missing


def _look_at(path: str) -> Video:
    info = _core.probe(path)
    if info.video_index < 0:
        raise InputError(f"{path!r} has no video stream", path)
    stream = info.streams[info.video_index]
    found = _FORMAT.fullmatch(stream.pixel_format)
    if found is None:
        raise InputError(
            f"{path!r} has {stream.pixel_format or 'unknown'} pictures, and what is compared are "
            "planes of luma and chroma: convert it to yuv444p, say",
            path,
        )
    return Video(
        path=path,
        stream=stream,
        layout=found[1].replace("yuvj", "yuv"),
        depth=int(found[2] or 8),
        full_range=stream.color_range == "pc" or found[1].startswith("yuvj"),
    )


def _common_format(first: Video, second: Video) -> str:
    if first.layout != second.layout:
        raise ConfigError(
            f"{first.path!r} is {first.layout} and the reference {second.path!r} {second.layout}: "
            "convert one to the other's pixel format first",
            first.path,
        )
    depth = max(first.depth, second.depth)
    return first.layout + (f"{depth}le" if depth > 8 else "")


def _warnings(first: Video, second: Video) -> list[str]:
    told = []
    if first.depth != second.depth:
        told.append(
            f"the videos have {first.depth} and {second.depth} bits a sample: compared in "
            f"{max(first.depth, second.depth)}"
        )
    if first.full_range != second.full_range:
        names = ["full" if video.full_range else "limited" for video in (first, second)]
        told.append(f"the colour range is {names[0]} and {names[1]}: samples compared as they are")
    spaces = (first.stream.color_space, second.stream.color_space)
    if spaces[0] != spaces[1] and all(spaces):
        told.append(f"the matrix is {spaces[0]} and {spaces[1]}: samples compared as they are")
    rates = (first.stream.frame_rate, second.stream.frame_rate)
    if all(rates) and abs(rates[0] / rates[1] - 1) > 0.01:
        told.append(
            f"the videos have {rates[0]:.6g} and {rates[1]:.6g} frames/s: frames are paired by "
            "their order all the same"
        )
    return told
