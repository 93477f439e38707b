"""What mask and temporal window do: flicker, quality and cost, with the default network.

    python tests/benchmarks/bench_temporal.py quality CLIP [CLIP ...] [--frames 60] [--crf 28]
                                              [--presets theater_medium/balanced,...]
    python tests/benchmarks/bench_temporal.py quality LOW.mp4=HIGH.mp4
    python tests/benchmarks/bench_temporal.py cost CLIP [--rounds 5] [--frames 60]
    python tests/benchmarks/bench_temporal.py flow CLIP [--rounds 5] [--frames 60] [--device cpu]

quality: a clip is halved by area and coded by x264 at a CRF, or a LOW one is given with its true
HIGH one. Both are enhanced to FFV1, with nothing done and by each preset. Against the truth: PSNR-Y
and, where the package imageio-ffmpeg is, VMAF; and flicker, as

- static: the energy of frame differences where the truth stands still (mean difference of at most a
  code over 9 x 9 samples);
- warping: the warping error of Lai et al. (ECCV 2018): mean square difference of a picture and the
  one before brought to it by the truth's motion (DIS of OpenCV to the last sample), where that lies
  in the picture, forth and back agree and no border of motions is (Ruder et al., GCPR 2016). Pairs
  in which that is less than a third of the samples are left out: a cut lies between them. The
  truth's own is told beside it, and how much of it is slow: where the truth moves by at most two
  samples;
- tOF of Chu et al. (TecoGAN, 2020): the mean distance in samples of the output's flow from the
  truth's (Farneback's).

Ratios stand against nothing done.

cost: runs with nothing done and by each preset take turns; the median ratio of their CPU time in
the stage that enhances, which the jobs of a network that repeats samples give by subtraction.

flow: motion of each pair, forth and back, by the loops on one core and by tensors on a device take
turns; milliseconds a pair of the process' CPU and of the clock, medians of the rounds' means, and
the share of cells that are equal.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from helpers import luma, streams
from streamvsr import _core, upscale
from streamvsr.models import find_model, torch_path

Pictures = NDArray[np.uint8]
# Share of the samples that a pair must have in common, else it is taken for a cut.
IN_COMMON = 1 / 3
PRESETS = "theater_medium/balanced,theater_small/balanced,theater_large/balanced"


def cut(source: Path, target: Path, frames: int, crf: int | None, halved: bool) -> Path:
    """The first frames of a clip, without sound; coded, or lossless without a CRF.

    Both in limited range: FFV1 would change a full one behind our back.
    """
    size = "scale=trunc(iw/4)*2:trunc(ih/4)*2:flags=area," if halved else ""
    codec = ["libx264", "-crf", str(crf)] if crf is not None else ["ffv1"]
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-noautorotate", "-i", str(source), "-map", "0:v:0",
         "-frames:v", str(frames), "-vf", f"{size}format=yuv420p", "-c:v", *codec, str(target)],
        check=True,
    )  # fmt: skip
    return target


def enhanced(source: Path, target: Path, preset: str | None, **options: Any) -> float:
    """Enhances a clip; returns the CPU seconds it took."""
    name, _, quality = (preset or "").partition("/")
    result = upscale(
        source, target, overwrite=True, codec="ffv1", disk_ratio=None, max_disk_fraction=None,
        preset=name or None, quality=quality or None, **options,
    )  # fmt: skip
    return float(result.performance_report["cpu_seconds"])


def box(values: NDArray[Any], reach: int) -> NDArray[Any]:
    """Means over (2 reach + 1)^2 samples."""
    sums = np.pad(values, ((reach + 1, reach), (reach + 1, reach)), mode="edge")
    sums = sums.cumsum(0).cumsum(1)
    size = 2 * reach + 1
    means = sums[size:, size:] - sums[:-size, size:] - sums[size:, :-size] + sums[:-size, :-size]
    return np.asarray(means / size**2)


def static_energy(pictures: Pictures, truth: Pictures) -> float:
    """Mean square frame difference where the truth stands still; codes squared."""
    total, count = 0.0, 0
    for i in range(1, len(truth)):
        still = box(np.abs(truth[i].astype(np.float64) - truth[i - 1]), 4) <= 1.0
        difference = pictures[i].astype(np.float64) - pictures[i - 1]
        total += float((difference[still] ** 2).sum())
        count += int(still.sum())
    return total / max(count, 1)


@dataclass(frozen=True)
class Motion:
    """From a picture to the one before: where to sample it, and where to rely on that."""

    at: int
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    reliable: NDArray[np.bool_]
    slow: NDArray[np.bool_]


def flows(truth: Pictures) -> list[Motion]:
    """For every second pair, without those that a cut parts."""
    cv2: Any = importlib.import_module("cv2")
    cv2.setNumThreads(1)
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(0)
    search.setVariationalRefinementIterations(10)
    height, width = truth.shape[1:]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    found = []
    for i in range(2, len(truth), 2):
        forth = search.calc(truth[i], truth[i - 1], None)
        back = search.calc(truth[i - 1], truth[i], None)
        at_x, at_y = x + forth[..., 0], y + forth[..., 1]
        there = cv2.remap(back, at_x, at_y, cv2.INTER_LINEAR)
        way = (forth**2).sum(-1)
        apart = ((forth + there) ** 2).sum(-1)
        reliable = apart < 0.01 * (way + (there**2).sum(-1)) + 0.5
        changes = sum(
            (np.gradient(forth[..., part], axis=axis) ** 2 for part in (0, 1) for axis in (0, 1)),
            start=np.zeros(way.shape, np.float32),
        )
        reliable &= changes <= 0.01 * way + 0.002
        reliable &= (at_x >= 0) & (at_y >= 0) & (at_x <= width - 1) & (at_y <= height - 1)
        if reliable.mean() >= IN_COMMON:
            found.append(Motion(i, at_x, at_y, reliable, reliable & (way <= 4)))
    return found


def warping_errors(pictures: Pictures, motions: list[Motion]) -> tuple[float, float]:
    """Mean square difference along the truth's motion, all and slow; codes squared."""
    cv2: Any = importlib.import_module("cv2")
    errors: tuple[list[float], list[float]] = ([], [])
    for motion in motions:
        before = pictures[motion.at - 1].astype(np.float32)
        moved = cv2.remap(before, motion.x, motion.y, cv2.INTER_CUBIC)
        square = (pictures[motion.at] - moved) ** 2
        for kind, where in zip(errors, (motion.reliable, motion.slow), strict=True):
            if where.any():
                kind.append(float(square[where].mean()))
    return statistics.fmean(errors[0]), statistics.fmean(errors[1])


def farneback(pictures: Pictures) -> list[NDArray[np.float32]]:
    """Flow from every second picture to the next, with the settings of tOF's authors."""
    cv2: Any = importlib.import_module("cv2")
    return [
        cv2.calcOpticalFlowFarneback(
            pictures[i - 1], pictures[i], None, 0.5, 3, 15, 3, 5, 1.2, 0
        )
        for i in range(2, len(pictures), 2)
    ]  # fmt: skip


def tof(pictures: Pictures, truth: list[NDArray[np.float32]]) -> float:
    """Mean distance of the flow from the truth's, without the outer 8 samples."""
    apart = [
        np.sqrt(((one - other) ** 2).sum(-1))[8:-8, 8:-8].mean()
        for one, other in zip(farneback(pictures), truth, strict=True)
    ]
    return float(np.mean(apart))


def psnr(pictures: Pictures, truth: Pictures) -> float:
    """Mean of the frames' PSNR in dB, without the outer 8 samples."""
    inner = (slice(None), slice(8, -8), slice(8, -8))
    errors = ((pictures[inner].astype(np.float64) - truth[inner]) ** 2).mean((1, 2))
    return float(np.mean(10 * np.log10(255**2 / np.maximum(errors, 1e-9))))


def vmaf(distorted: Path, reference: Path) -> tuple[float, float] | None:
    """VMAF and VMAF NEG; None without the package imageio-ffmpeg."""
    try:
        imageio_ffmpeg: Any = importlib.import_module("imageio_ffmpeg")
    except ImportError:
        return None
    graph = (
        "[0:v]setpts=N,format=yuv420p[d];[1:v]setpts=N,format=yuv420p[r];[d][r]libvmaf="
        "model='version=vmaf_v0.6.1\\:name=v|version=vmaf_v0.6.1neg\\:name=n':"
        "log_fmt=json:log_path=/dev/stdout"
    )
    done = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-i", str(distorted), "-i",
         str(reference), "-lavfi", graph, "-f", "null", "-"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    pooled = done.stdout[done.stdout.rindex("pooled_metrics") :]
    means = {
        name: float(value)
        for name, value in re.findall(r'"(v|n)": \{.*?"mean": ([\d.]+)', pooled, re.DOTALL)
    }
    return means["v"], means["n"]


def quality(arguments: argparse.Namespace, folder: Path) -> None:
    for clip in arguments.clips:
        low, _, high = clip.partition("=")
        source, truth = folder / "source.mkv", folder / "truth.mkv"
        if high:
            cut(Path(low), source, arguments.frames, 0, False)
            cut(Path(high), truth, arguments.frames, None, False)
        else:
            cut(Path(low), source, arguments.frames, arguments.crf, True)
            cut(Path(low), truth, arguments.frames, None, False)
        size = streams(source, "video")[0]
        width, height = 2 * int(size["width"]), 2 * int(size["height"])
        cropped = cut_to(truth, folder / "cropped.mkv", width, height)
        real = luma(cropped)
        motion, real_flow = flows(real), farneback(real)
        own = warping_errors(real, motion)
        print(
            f"{Path(low).stem} {width}x{height}, {len(real)} frames; the truth's own: static "
            f"{static_energy(real, real):.3f}, warping {own[0]:.3f}, slow {own[1]:.3f}"
        )
        baseline: dict[str, float] = {}
        for preset in [None, *arguments.presets.split(",")]:
            target = folder / "out.mkv"
            enhanced(source, target, preset)
            pictures = luma(target)[: len(real)]
            warping, slow = warping_errors(pictures, motion)
            figures = {
                "psnr": psnr(pictures, real),
                "static": static_energy(pictures, real),
                "warping": warping,
                "slow": slow,
                "tOF": tof(pictures, real_flow),
            }
            if arguments.vmaf and (found := vmaf(target, cropped)) is not None:
                figures["vmaf"], figures["neg"] = found
            baseline = baseline or figures
            told = f"  {preset or 'nothing done':24} PSNR-Y {figures['psnr']:.3f}"
            told += f" ({figures['psnr'] - baseline['psnr']:+.3f})"
            for name in ("static", "warping", "slow", "tOF"):
                told += f"  {name} {figures[name]:.3f} (x{figures[name] / baseline[name]:.2f})"
            for name in ("vmaf", "neg"):
                if name in figures:
                    told += f"  {name} {figures[name]:.2f} ({figures[name] - baseline[name]:+.2f})"
            print(told, flush=True)


def cut_to(source: Path, target: Path, width: int, height: int) -> Path:
    """The upper left part of a clip, lossless."""
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-i", str(source), "-vf", f"crop={width}:{height}:0:0",
         "-c:v", "ffv1", str(target)],
        check=True,
    )  # fmt: skip
    return target


def cost(arguments: argparse.Namespace, folder: Path) -> None:
    for clip in arguments.clips:
        source = cut(Path(clip), folder / "source.mkv", arguments.frames, 23, False)
        kinds: dict[str, tuple[str | None, dict[str, Any]]] = {
            "nearest": (None, {"model": "nearest"}),
            "nothing done": (None, {}),
        }
        kinds |= {preset: (preset, {}) for preset in arguments.presets.split(",")}
        seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
        for turn in range(arguments.rounds + 1):
            for kind, (preset, options) in kinds.items():
                taken = enhanced(source, folder / "out.mkv", preset, **options)
                if turn > 0:  # the first one warms up
                    seconds[kind].append(taken)
            time.sleep(0.2)
        print(f"{Path(clip).stem}: CPU seconds of {arguments.frames} frames, median")
        for kind, values in seconds.items():
            rest = [taken - none for taken, none in zip(values, seconds["nearest"], strict=True)]
            network = [
                taken - none
                for taken, none in zip(seconds["nothing done"], seconds["nearest"], strict=True)
            ]
            ratios = [(one - base) / base for one, base in zip(rest, network, strict=True)]
            told = f"  {kind:24} {statistics.median(values):7.2f}"
            if kind not in ("nearest", "nothing done"):
                told += f"  {100 * statistics.median(ratios):+.1f} % of the network's"
            print(told, flush=True)


def flow(arguments: argparse.Namespace, folder: Path) -> None:
    options = _core.SteadyOptions()
    tensors = _core.TorchEngine(
        str(find_model(None)), library=torch_path(), device=arguments.device, layers=True
    )
    for clip in arguments.clips:
        pictures = luma(cut(Path(clip), folder / "source.mkv", arguments.frames, None, False))
        pairs = list(itertools.pairwise(pictures))
        by: list[_core.TorchEngine | None] = [None, tensors]
        taken: list[list[tuple[float, float]]] = [[], []]
        equal: list[bool] = []
        for turn in range(arguments.rounds + 1):
            found = []
            for finder, times in zip(by, taken, strict=True):
                before = np.array([time.process_time(), time.perf_counter()])
                found.append([_core.relate([b], [a], options, finder)[:2] for a, b in pairs])
                after = np.array([time.process_time(), time.perf_counter()])
                if turn > 0:  # the first one warms up
                    times.append(tuple(1000 * (after - before) / len(pairs)))
            if turn == 0:
                equal = list(np.ravel(np.all(np.equal(*map(np.stack, found)), axis=1)))
        height, width = pictures.shape[1:]
        print(f"{Path(clip).stem}: {len(pairs)} pairs of {width}x{height}")
        for name, times in zip(["loops", f"tensors on {tensors.device}"], taken, strict=True):
            cpu, clock = np.median(times, axis=0)
            print(f"  {name:20} {cpu:8.2f} ms of the CPU {clock:8.2f} ms", flush=True)
        print(f"  {100 * np.mean(equal):.3f} % of the cells are equal")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["quality", "cost", "flow"])
    parser.add_argument("clips", nargs="+")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--crf", type=int, default=28)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--presets", default=PRESETS)
    parser.add_argument("--vmaf", action="store_true")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        {"quality": quality, "cost": cost, "flow": flow}[arguments.what](arguments, Path(folder))


if __name__ == "__main__":
    main()
