"""Mask and temporal window in whole jobs: less flicker, no ghosts, the same from any start."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import CLIPS
from helpers import cli, luma, make_clip, psnr, run
from numpy.typing import NDArray
from streamvsr import StreamingVideoProcessor, upscale
from unfinished import status_of

Pictures = NDArray[np.uint8]
LOSSLESS: dict[str, Any] = {"codec": "ffv1", "disk_ratio": None, "max_disk_fraction": None}
NEAREST: dict[str, Any] = {"model": "nearest", **LOSSLESS}


def coded(folder: Path, pictures: NDArray[Any], name: str, *options: str) -> Path:
    """A clip of luma pictures, 25 a second, without colour; lossless without options."""
    path = folder / name
    height, width = pictures.shape[1:]
    run(
        ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "gray",
         "-s", f"{width}x{height}", "-r", "25", "-i", "-", "-pix_fmt", "yuv420p",
         *(options or ("-c:v", "ffv1")), str(path)],
        stdin=np.ascontiguousarray(pictures).tobytes(),
    )  # fmt: skip
    return path


def texture(height: int, width: int, seed: int) -> NDArray[np.float64]:
    """Smooth shapes of several sizes, 30..220."""
    random = np.random.default_rng(seed)
    made = np.zeros((height, width))
    for cell, weight in ((24, 0.5), (8, 0.3), (4, 0.2)):
        corners = random.uniform(0, 1, (height // cell + 2, width // cell + 2))
        y, x = np.arange(height) / cell, np.arange(width) / cell
        j, i = y.astype(int), x.astype(int)
        v, u = (y - j)[:, None], (x - i)[None, :]
        made += weight * (
            (corners[j][:, i] * (1 - u) + corners[j][:, i + 1] * u) * (1 - v)
            + (corners[j + 1][:, i] * (1 - u) + corners[j + 1][:, i + 1] * u) * v
        )
    return 30 + 190 * made


def halved(pictures: NDArray[Any]) -> Pictures:
    values = pictures[:, : pictures.shape[1] // 4 * 4, : pictures.shape[2] // 4 * 4].astype(float)
    means = (values[:, ::2, ::2] + values[:, 1::2, ::2]
             + values[:, ::2, 1::2] + values[:, 1::2, 1::2]) / 4  # fmt: skip
    return np.asarray(np.rint(means), np.uint8)


def noisy_camera() -> NDArray[np.float64]:
    """A still scene in which one thing moves: 30 pictures of 128 x 96, without the noise."""
    pictures = np.repeat(texture(96, 128, 1)[None], 30, 0)
    thing = texture(32, 32, 2)
    for i in range(30):
        pictures[i, 30:62, 10 + 2 * i : 42 + 2 * i] = thing
    return pictures


def still_energy(pictures: Pictures, still: NDArray[np.bool_]) -> float:
    differences = np.diff(pictures.astype(np.float64), axis=0)
    return float((differences**2)[still[: len(differences)]].mean())


def made(folder: Path, source: Path, name: str, **options: Any) -> Pictures:
    target = folder / f"{name}.mkv"
    upscale(source, target, **(LOSSLESS | options))
    return luma(target)


def test_flicker_falls_and_quality_does_not(tmp_path: Path) -> None:
    truth = noisy_camera()
    noise = np.random.default_rng(5).normal(0, 3, halved(truth).shape)
    source = np.clip(np.rint(halved(truth) + noise), 0, 255).astype(np.uint8)
    clip = coded(tmp_path, source, "in.mkv", "-c:v", "libx264", "-crf", "23", "-threads", "1")
    real = np.rint(truth).astype(np.uint8)
    still = np.ones((29, *real.shape[1:]), bool)
    still[:, 26:66, 6:110] = False
    plain = made(tmp_path, clip, "plain")
    steady = made(tmp_path, clip, "steady", preset="theater_medium")
    assert still_energy(steady, still) < 0.6 * still_energy(plain, still)
    assert psnr(steady, real) > psnr(plain, real)
    # The moving thing by itself is no worse either.
    assert psnr(steady[:, 26:66], real[:, 26:66]) > psnr(plain[:, 26:66], real[:, 26:66]) - 0.05


@pytest.mark.skipif(not CLIPS.is_dir(), reason=f"{CLIPS} is not there")
@pytest.mark.parametrize("name", ["carphone_pristine.mp4", "asl_book.mkv"])
def test_flicker_of_real_clips_falls(tmp_path: Path, name: str) -> None:
    run(
        ["ffmpeg", "-v", "error", "-i", str(CLIPS / name), "-frames:v", "40", "-vf",
         "crop=min(iw\\,320):min(ih\\,240)", "-an", "-c:v", "ffv1", str(tmp_path / "truth.mkv")]
    )  # fmt: skip
    truth = luma(tmp_path / "truth.mkv")
    clip = coded(tmp_path, halved(truth), "in.mkv", "-c:v", "libx264", "-crf", "28",
                 "-threads", "1")  # fmt: skip
    truth = truth[:, : truth.shape[1] // 4 * 4, : truth.shape[2] // 4 * 4]
    changes = np.abs(np.diff(truth.astype(np.int16), axis=0))
    blocks = changes[:, : truth.shape[1] // 8 * 8, : truth.shape[2] // 8 * 8]
    means = blocks.reshape(len(blocks), blocks.shape[1] // 8, 8, -1, 8).mean((2, 4))
    still = np.zeros(changes.shape, bool)
    still[:, : blocks.shape[1], : blocks.shape[2]] = (means <= 1).repeat(8, 1).repeat(8, 2)
    assert still.mean() > 0.1
    plain = made(tmp_path, clip, "plain")
    steady = made(tmp_path, clip, "steady", preset="theater_medium")
    assert still_energy(steady, still) < 0.8 * still_energy(plain, still)
    assert psnr(steady, truth) > psnr(plain, truth) - 0.02


@pytest.mark.parametrize("window", [2, 3, 5, 8])
def test_a_cut_leaves_no_ghost(tmp_path: Path, window: int) -> None:
    """Whatever its place in the window: each scene is what it is alone."""
    random = np.random.default_rng(window)
    scenes = [texture(64, 80, seed) for seed in (1, 2, 3)]
    cuts = [0, window - 1, 2 * window, 2 * window + 2]
    pictures = np.concatenate(
        [
            np.repeat(s[None], b - a, 0)
            for s, (a, b) in zip(scenes, itertools.pairwise(cuts), strict=True)
        ]
    )
    source = np.clip(np.rint(pictures + random.normal(0, 1.5, pictures.shape)), 0, 255)
    options: dict[str, Any] = {"temporal_window": window, **NEAREST}
    whole = made(tmp_path, coded(tmp_path, source.astype(np.uint8), "whole.mkv"), "w", **options)
    for a, b in itertools.pairwise(cuts):
        part = coded(tmp_path, source[a:b].astype(np.uint8), f"part{a}.mkv")
        assert np.array_equal(whole[a:b], made(tmp_path, part, f"p{a}", **options))
    assert not np.array_equal(whole, np.repeat(np.repeat(source, 2, 1), 2, 2))


@pytest.mark.parametrize("frames", [6, 20, 60])
def test_fades_are_not_held_back(tmp_path: Path, frames: int) -> None:
    """From one scene into another: at most as late as the middle of the window, and by 2 codes."""
    share = np.linspace(0, 1, frames)[:, None, None]
    pictures = (1 - share) * texture(64, 80, 1) + share * texture(64, 80, 2)
    source = np.rint(pictures).astype(np.uint8)
    step = np.abs(np.diff(pictures, axis=0)).mean()
    clip = coded(tmp_path, source, "in.mkv")
    plain = made(tmp_path, clip, "plain", **NEAREST)
    steady = made(tmp_path, clip, "steady", temporal_window=5, **NEAREST)
    behind = np.abs(steady.astype(np.int16) - plain)
    assert behind.mean() < max(min(2 * step, 2), 0.5)
    assert behind.max() <= 12


def test_going_on_gives_the_same_bytes(tmp_path: Path) -> None:
    """From each segment's end: the window and the mask's motion are had again."""
    clip = make_clip(tmp_path / "in.mp4", frames=100, width=96, height=64)
    words = ["--model", "nearest", "--encoder-preset", "ultrafast", "--segment-seconds", "0.5",
             "--max-disk-fraction", "none", "--preset", "theater_medium", "--quality", "high",
             "--mask-motion", "0.005"]  # fmt: skip
    whole = tmp_path / "whole.mkv"
    assert cli("upscale", clip, whole, *words).returncode == 0
    size = whole.stat().st_size
    target = tmp_path / "out.mkv"
    seen = set()
    for tenths in range(2, 10):
        done = cli("upscale", clip, target, *words, room=size * tenths // 10)
        assert done.returncode == 1, done.stderr
        if target.with_name("out.mkv.part").exists():
            seen.add(status_of(target).frames_done)
    assert len(seen) > 3
    command = status_of(target).command
    assert command is not None
    assert "--temporal-window 5" in command
    assert "--mask-motion 0.005" in command
    # Other settings are not mixed in.
    refused = cli("upscale", clip, target, *words, "--temporal-window", "4")
    assert refused.returncode == 2
    assert "window 5" in refused.stderr
    assert cli("upscale", clip, target, *words).returncode == 0
    assert target.read_bytes() == whole.read_bytes()


def test_threads_and_batches_change_nothing(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", frames=30, width=96, height=64)
    results = [
        made(tmp_path, clip, f"threads{threads}", preset="theater_large", compute_threads=threads)
        for threads in (1, 2, 3)
    ]
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])


def test_off_is_off(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", frames=20)
    plain = made(tmp_path, clip, "plain")
    for number, options in enumerate(
        [{"temporal_window": 1}, {"temporal_window": 3, "temporal_strength": 0}, {"mask_edges": 0}]
    ):
        assert np.array_equal(plain, made(tmp_path, clip, f"off{number}", **options))
    assert not np.array_equal(plain, made(tmp_path, clip, "on", mask_strength=0.5))


def test_what_was_used_is_reported(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", frames=10)
    processor = StreamingVideoProcessor({"temporal_strength": 0.25, **LOSSLESS})
    result = processor.process(clip, tmp_path / "out.mkv", "theater_small", "fast")
    assert result.success, result.error
    told = result.performance_report["enhancer"]
    assert "steady: window 2, strength 0.25, flow at 1/2" in told
    assert "mask: strength 1, highlights 0.85, shadows 0.15" in told
    plain = processor.process(clip, tmp_path / "plain.mkv", None, None)
    assert plain.success, plain.error
    assert "steady" not in plain.performance_report["enhancer"]
    planned = [each.performance_report["memory_plan_mb"]["workspace"] for each in (result, plain)]
    assert planned[0] > planned[1]
