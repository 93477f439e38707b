"""Colour tags that cannot be true, and a true one that two encoders do not know."""

from __future__ import annotations

from pathlib import Path

from helpers import run

from fidelity.sources import source

_PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=96x64:r=25", "-frames:v", "4")


def tagged_stream(path: Path, matrix: int, primaries: int, transfer: int, layout: str) -> Path:
    """H.264 whose sequence parameter set has these code points of ITU-T H.273."""
    tags = (
        f"matrix_coefficients={matrix}:colour_primaries={primaries}"
        f":transfer_characteristics={transfer}"
    )
    run(
        ["ffmpeg", "-v", "error", "-y", *_PICTURE, "-pix_fmt", layout, "-c:v", "libx264",
         "-preset", "ultrafast", "-bsf:v", f"h264_metadata={tags}", path]
    )  # fmt: skip
    return path


@source("color_yuv_tagged_gbr.mkv")
def yuv_tagged_gbr(path: Path) -> None:
    tagged_stream(path, 0, 1, 1, "yuv420p")


@source("color_gray_tagged_gbr.mkv")
def gray_tagged_gbr(path: Path) -> None:
    tagged_stream(path, 0, 1, 1, "gray")


@source("color_all_reserved.mp4")
def all_reserved(path: Path) -> None:
    tagged_stream(path, 3, 3, 3, "yuv420p")


@source("color_hevc_zero.mkv")
def hevc_zero(path: Path) -> None:
    tags = "matrix_coefficients=0:colour_primaries=0:transfer_characteristics=0"
    run(
        ["ffmpeg", "-v", "error", "-y", *_PICTURE, "-pix_fmt", "yuv420p10le", "-c:v", "libx265",
         "-preset", "ultrafast", "-x265-params", "log-level=none",
         "-bsf:v", f"hevc_metadata={tags}", path]
    )  # fmt: skip


@source("color_ffv1_tagged_gbr.mkv")
def ffv1_tagged_gbr(path: Path) -> None:
    """Only the container has tags."""
    run(
        ["ffmpeg", "-v", "error", "-y", *_PICTURE, "-pix_fmt", "yuv422p", "-c:v", "ffv1",
         "-colorspace", "rgb", path]
    )  # fmt: skip


@source("color_ebu3213.mp4")
def ebu3213(path: Path) -> None:
    """European studio primaries (EBU Tech. 3213)."""
    tagged_stream(path, 5, 22, 1, "yuv420p")


@source("color_rgb_limited.mkv")
def rgb_limited(path: Path) -> None:
    run(
        ["ffmpeg", "-v", "error", "-y", *_PICTURE, "-pix_fmt", "gbrp", "-c:v", "ffv1",
         "-color_range", "tv", path]
    )  # fmt: skip
