"""Peak memory of jobs against max_memory_mb, by the kernel's figures (`--help`).

    python tests/benchmarks/bench_memory.py length --seconds 10 600 7200
    python tests/benchmarks/bench_memory.py resolution
    python tests/benchmarks/bench_memory.py uhd --presets ultrafast veryfast

length: the same small film at several lengths: frames and packets take the same, and beside them
the index takes at most 200 bytes a packet. resolution: a film whose pictures change their size.
uhd: 1920x1080 to 3840x2160 under the smallest max_memory_mb that is accepted, and the refusal below
it. All peaks are resident memory beyond that of the idle process. Exit code 1 where one does not
hold.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers import run
from memory_of import MB, Figures, memory_of

SHARE = 0.02  # that a longer film may take more
INDEX = 200  # bytes a packet
RUNS = 3  # of each job, of which the least counts: heaps keep now more, now less
UNEVEN = 1.0  # MB, between two runs of the same job: what the allocator's heaps keep
RESIZED = 3.0  # MB, the same where pictures change their size, each with zimg's tables for it
FAST: dict[str, Any] = {
    "model": "nearest", "encoder_preset": "ultrafast", "encoder_threads": 2, "decoder_threads": 2,
    "max_disk_fraction": None, "overwrite": True,
}  # fmt: skip


# A short film may take 1 MiB in all: with a ratio the budget would bind in the longer ones alone,
# and what it takes then would be told as growth.
UNBOUND = {"disk_ratio": None}


def film(path: Path, seconds: float, size: str = "64x36", rate: str = "25") -> Path:
    """Moving stripes in H.264."""
    source = f"testsrc2=s={size}:r={rate}:d={seconds}"
    run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source, "-c:v", "libx264",
         "-preset", "veryfast", "-pix_fmt", "yuv420p", str(path)], timeout=3600)  # fmt: skip
    return path


def lengths(folder: Path, seconds: list[float], **options: Any) -> dict[float, Figures]:
    """The same film at several lengths: what each takes."""
    found = {}
    for length in seconds:
        source = film(folder / "film.mkv", length)
        job = {**FAST, **UNBOUND, **options}
        runs = [memory_of(source, folder / "out.mkv", **job) for _ in range(RUNS)]
        found[length] = min(runs, key=lambda figures: figures.peak)
    return found


def is_flat(found: dict[float, Figures]) -> bool:
    """Whether the longer films take no more than the shortest one, but for the index."""
    short = found[min(found)]
    flat = True
    for figures in found.values():
        index = INDEX * (figures.report["frames"] - short.report["frames"]) / MB
        flat &= figures.peak <= short.peak * (1 + SHARE) + index + UNEVEN
        frames = short.report["peak_frames_mb"]
        flat &= figures.report["peak_frames_mb"] <= frames * (1 + SHARE)
    return flat


def changing_film(folder: Path, changes: int) -> Path:
    """H.264 whose size changes to and fro: the first size is the smaller one."""
    parts = []
    for n in range(changes):
        part = folder / f"part{n}.h264"
        run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i",
             f"testsrc2=s={'320x180' if n % 2 == 0 else '640x360'}:r=25:d=1", "-c:v", "libx264",
             "-preset", "ultrafast", "-pix_fmt", "yuv420p", str(part)])  # fmt: skip
        parts.append(part.read_bytes())
    stream = folder / "all.h264"
    stream.write_bytes(b"".join(parts))
    target = folder / f"changes{changes}.mkv"
    run(["ffmpeg", "-v", "error", "-y", "-fflags", "+genpts", "-r", "25", "-i", str(stream),
         "-c", "copy", str(target)])  # fmt: skip
    return target


def resolutions(folder: Path, changes: list[int]) -> dict[int, Figures]:
    """Films whose size changes ever more often: what each takes."""
    job = {**FAST, **UNBOUND}
    return {n: memory_of(changing_film(folder, n), folder / "out.mkv", **job) for n in changes}


def is_flat_over_sizes(found: dict[int, Figures]) -> bool:
    """Whether more changes take no more, but for what demuxers keep of a larger file."""
    first = found[min(found)]
    fixed = first.report["memory_plan_mb"]["fixed"]
    return all(
        figures.peak
        <= first.peak * (1 + SHARE) + RESIZED + figures.report["memory_plan_mb"]["fixed"] - fixed
        for figures in found.values()
    )


def smallest_limit(source: Path, target: Path, **options: Any) -> int:
    """The smallest max_memory_mb that a refusal names."""
    try:
        memory_of(source, target, **options, max_memory_mb=64)
    except AssertionError as refusal:
        return int(re.findall(r"max_memory_mb=(\d+)", str(refusal))[-1])
    return 64


def under_the_smallest_limit(folder: Path, size: str, seconds: float, **options: Any) -> Figures:
    """A job under the smallest limit that is accepted; it must be refused below that."""
    source, target = film(folder / "film.mp4", seconds, size), folder / "out.mkv"
    least = smallest_limit(source, target, **options)
    try:
        memory_of(source, target, **options, max_memory_mb=least - 1)
    except AssertionError as refusal:
        if f"max_memory_mb={least} or more" not in str(refusal):
            raise
    else:
        raise AssertionError(f"{least - 1} MB were accepted, too")
    return memory_of(source, target, **options, max_memory_mb=least)


def _line(name: str, figures: Figures) -> str:
    plan = figures.report["memory_plan_mb"]
    return (
        f"{name:28} frames {figures.report['frames']:7}  peak {figures.peak:7.1f} MB  "
        f"limit {figures.limit:5.0f}  planned {plan['used']:7.1f}  "
        f"network beside it {plan['workspace']:5.1f}  "
        f"frames in flight {figures.report['peak_frames_mb']:6.2f}"
    )


def main() -> int:
    """The commands above."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    length = commands.add_parser("length")
    length.add_argument("--seconds", type=float, nargs="+", default=[10, 600])
    resolution = commands.add_parser("resolution")
    resolution.add_argument("--changes", type=int, nargs="+", default=[4, 40])
    uhd = commands.add_parser("uhd")
    uhd.add_argument("--presets", nargs="+", default=["ultrafast"])
    uhd.add_argument("--codec", default="h264")
    uhd.add_argument("--model", default="nearest", help="'network' for the packaged one")
    uhd.add_argument("--size", default="1920x1080", help="of the source")
    uhd.add_argument("--seconds", type=float, default=2.4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.command == "length":
            found = lengths(folder, options.seconds)
            for seconds, figures in found.items():
                print(_line(f"{seconds:g} s", figures), flush=True)
            return 0 if is_flat(found) else 1
        if options.command == "resolution":
            changed = resolutions(folder, options.changes)
            for changes, figures in changed.items():
                print(_line(f"{changes} sizes", figures), flush=True)
            return 0 if is_flat_over_sizes(changed) else 1
        holds = True
        for preset in options.presets:
            job = {**FAST, "codec": options.codec, "encoder_preset": preset, "segment_seconds": 1}
            for name in ("encoder_threads", "decoder_threads"):
                del job[name]
            if options.codec == "ffv1":
                del job["encoder_preset"]
                job["disk_ratio"] = None
            if options.model == "network":
                del job["model"]
            figures = under_the_smallest_limit(folder, options.size, options.seconds, **job)
            print(_line(f"{options.codec} {preset}", figures), flush=True)
            holds &= figures.peak <= figures.limit + figures.report["memory_plan_mb"]["workspace"]
        return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
