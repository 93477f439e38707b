"""Times that repeat, fall back, jump, or are told in unusual units."""

from __future__ import annotations

from pathlib import Path

from fidelity.sources import source
from fidelity.sources._tools import X264, ffmpeg, pictures, tone


def _retimed(path: Path, filter_: str, *more: str) -> None:
    """A film whose packets' times a bitstream filter rewrites."""
    base = path.with_name(path.name + ".base.mkv")
    ffmpeg(*pictures(), *tone(), "-c:v", "mpeg4", "-c:a", "ac3", base)
    ffmpeg("-i", base, "-c", "copy", "-bsf:v", filter_, *more, path)
    base.unlink()


@source("repeated.mkv")
def repeated(path: Path) -> None:
    """Two pictures at each time, as a recorder of whole milliseconds writes them."""
    _retimed(path, "setts=pts=floor(PTS/80)*80:dts=floor(DTS/80)*80")


@source("microseconds.mp4")
def microseconds(path: Path) -> None:
    """Times in microseconds, unequal ones."""
    ffmpeg(
        *pictures(),
        *tone(),
        "-vf",
        "settb=1/1000000,setpts=PTS+mod(N*7919\\,9973)",
        *X264,
        "-c:a",
        "aac",
        "-enc_time_base",
        "1:1000000",
        "-fps_mode",
        "passthrough",
        "-video_track_timescale",
        "1000000",
        path,
    )


@source("nanoseconds.nut")
def nanoseconds(path: Path) -> None:
    """Times in nanoseconds, a gap of an hour between two pictures."""
    ffmpeg(
        *pictures(),
        "-vf",
        "settb=1/1000000000,setpts=PTS+gte(N\\,25)*3600/TB",
        *X264,
        "-bf",
        "0",
        "-enc_time_base",
        "1:1000000000",
        "-fps_mode",
        "passthrough",
        path,
    )


@source("slides.mkv")
def slides(path: Path) -> None:
    """A lecture's slides: a picture every ten minutes, beside the sound."""
    ffmpeg(
        *pictures(0.2),
        *tone(3, rate=8000),
        "-vf",
        "setpts=N*600/TB",
        "-fps_mode",
        "passthrough",
        *X264,
        "-bf",
        "0",
        "-c:a",
        "libmp3lame",
        path,
    )


@source("far.mkv")
def far(path: Path) -> None:
    """A film that begins after ten days."""
    ffmpeg(*pictures(), *tone(), *X264, "-c:a", "aac", "-output_ts_offset", "864000", path)


@source("fast.mkv")
def fast(path: Path) -> None:
    """A high-speed camera: 960 pictures a second."""
    ffmpeg(*pictures(0.5, rate="960"), *X264, path)
