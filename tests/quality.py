"""What the tests of compare() hold its figures against: films with texture, plain arithmetic."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from helpers import run
from numpy.typing import NDArray
from streamvsr.programs import find_programs

Planes = list[NDArray[np.float64]]  # one frame's: Y, Cb, Cr

LOSSLESS = ("-c:v", "ffv1")


def full_program() -> str:
    """A program that has every filter: the package imageio-ffmpeg brings one."""
    for program in find_programs():
        if {"psnr", "ssim", "xpsnr", "libvmaf"} <= program.filters:
            return program.path
    raise AssertionError("no ffmpeg program here has every metric: pip install imageio-ffmpeg")


def textured_clip(
    path: Path, filters: str, *options: str, frames: int = 12, size: str = "352x288"
) -> Path:
    """A film of moving, textured pictures."""
    source = f"testsrc2=s={size}:r=25,noise=alls=12:all_seed=7:allf=t"
    run(
        ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source, "-frames:v", str(frames),
         "-vf", f"{filters},format=yuv420p" if "format" not in filters else filters, *options, path]
    )  # fmt: skip
    return path


def decoded(path: Path, pixel_format: str, width: int, height: int) -> list[Planes]:
    """Planes of each frame as ffmpeg decodes them; pixel_format must be the video's own."""
    data = run(
        ["ffmpeg", "-v", "error", "-noautorotate", "-i", path, "-map", "0:v:0",
         "-fps_mode", "passthrough", "-f", "rawvideo", "-"]
    ).stdout  # fmt: skip
    kind = np.dtype("<u2" if pixel_format.endswith("le") else "u1")
    half = "420" in pixel_format
    chroma = ((height + 1) // 2, (width + 1) // 2) if half else (height, width)
    shapes = [(height, width), chroma, chroma]
    frames, place = [], 0
    while place < len(data):
        planes = []
        for rows, columns in shapes:
            plane = np.frombuffer(data, kind, rows * columns, place).reshape(rows, columns)
            place += plane.nbytes
            planes.append(plane.astype(np.float64))
        frames.append(planes)
    return frames


def plane_psnr(a: NDArray[np.float64], b: NDArray[np.float64], peak: float) -> float:
    error = float(np.mean((a - b) ** 2))
    return math.inf if error == 0 else 10 * math.log10(peak * peak / error)


def plane_ssim(a: NDArray[np.float64], b: NDArray[np.float64], peak: float) -> float:
    """Windows of 8 x 8 at steps of 4, flat weights: what ffmpeg takes for Wang's Gaussian ones.

    Its first constant is a 64th of the paper's, which shows in dark places alone.
    """

    def sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
        rows, columns = values.shape[0] // 4, values.shape[1] // 4
        blocks = values[: rows * 4, : columns * 4].reshape(rows, 4, columns, 4).sum(axis=(1, 3))
        whole: NDArray[np.float64] = (
            blocks[:-1, :-1] + blocks[1:, :-1] + blocks[:-1, 1:] + blocks[1:, 1:]
        )
        return whole

    n = 64
    mean_a, mean_b = sums(a) / n, sums(b) / n
    var_a = (sums(a * a) - n * mean_a**2) / (n - 1)
    var_b = (sums(b * b) - n * mean_b**2) / (n - 1)
    covariance = (sums(a * b) - n * mean_a * mean_b) / (n - 1)
    c1, c2 = (0.01 * peak) ** 2 / 64, (0.03 * peak) ** 2
    return float(
        np.mean(
            (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
            / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
        )
    )  # fmt: skip


def plane_xpsnr(originals: list[Planes], coded: list[Planes]) -> NDArray[np.float64]:
    """Of each frame's Y, Cb and Cr: 8 bits, above 640x480 and up to HD, below 32 frames/s."""
    height, width = originals[0][0].shape
    share = width * height / (3840 * 2160)
    block = 4 * int(32 * math.sqrt(share) + 0.5)
    previous = np.zeros((height, width))
    found = []
    for original, other in zip(originals, coded, strict=True):
        luma = original[0]
        around = {
            (y, x): luma[1 + y : height - 1 + y, 1 + x : width - 1 + x]
            for y in (-1, 0, 1) for x in (-1, 0, 1)
        }  # fmt: skip
        edges = sum(plane * -1.0 for (y, x), plane in around.items() if abs(y) + abs(x) == 2)
        cross = sum(plane * -2.0 for (y, x), plane in around.items() if abs(y) + abs(x) == 1)
        spatial = np.zeros((height, width))
        spatial[1:-1, 1:-1] = np.abs(12 * luma[1:-1, 1:-1] + edges + cross)
        temporal = 2 * np.abs(luma - previous)
        previous = luma
        distortion = np.zeros(3)
        for top in range(0, height, block):
            for left in range(0, width, block):
                part = np.s_[top : top + block, left : left + block]
                inner = np.s_[
                    max(top, 1) : min(top + block, height - 1),
                    max(left, 1) : min(left + block, width - 1),
                ]
                activity = max(4.0, spatial[inner].mean() + temporal[part].mean())
                for plane in range(3):
                    half = 1 if plane == 0 else 2
                    piece = np.s_[
                        top // half : (top + block) // half, left // half : (left + block) // half
                    ]
                    error = (original[plane][piece] - other[plane][piece]) ** 2
                    distortion[plane] += error.sum() / activity
        distortion *= math.sqrt(16 * 2 ** (2 * 8 - 9) / math.sqrt(share))
        samples = np.array([plane.size for plane in original])
        found.append(10 * np.log10(samples * 255.0**2 / distortion))
    return np.array(found)
