"""What surviving a kill costs: durable segments, and encoding in segments at all.

    python tests/benchmarks/bench_checkpoint.py speed CLIP...    [--runs 7] [--model nearest]
    python tests/benchmarks/bench_checkpoint.py segments CLIP... [--crf 18]

The clips, scaled to 640x360 at 24 frames/s, are joined and repeated to a film of a minute.

speed runs the same job three ways in turn and prints medians of the ratios of wall and CPU times:

    kept       segments of 10 s, each made durable before its checkpoint: what every run does
    no sync    the same, with fsync and fdatasync replaced by nothing
    none       one segment, hence no checkpoint on the way, and no sync

segments encodes the film in segments of 10 s and in one, with the same settings, and prints size
and PSNR against the unencoded frames (ffv1), for each codec.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from faults.shim import Faults, build
from helpers import run

SECONDS = 60
RATE = 24
ONE_SEGMENT = 600


def make_film(clips: list[Path], folder: Path) -> Path:
    """Joins the clips, lossless, again and again until the film is long enough."""
    scale = f"scale=640:360:flags=area,setsar=1,fps={RATE},format=yuv420p"
    inputs = [word for clip in clips for word in ("-i", str(clip))]
    graph = ";".join(f"[{n}:v:0]{scale}[v{n}]" for n in range(len(clips)))
    graph += ";" + "".join(f"[v{n}]" for n in range(len(clips))) + f"concat=n={len(clips)}[out]"
    once, film = folder / "once.mkv", folder / "film.mkv"
    lossless = ("-c:v", "libx264", "-qp", "0", "-preset", "ultrafast")
    run(
        [
            "ffmpeg",
            "-v",
            "error",
            *inputs,
            "-filter_complex",
            graph,
            "-map",
            "[out]",
            *lossless,
            once,
        ]
    )
    run(
        ["ffmpeg", "-v", "error", "-stream_loop", "-1", "-i", once, "-t", str(SECONDS),
         "-c", "copy", film]
    )  # fmt: skip
    return film


def upscale(
    film: Path, target: Path, seconds: float, *options: str, env: dict[str, str]
) -> tuple[float, float]:
    """Runs the program; wall and CPU seconds."""
    command = [
        sys.executable, "-m", "streamvsr", "upscale", str(film), str(target), "-q", "-y",
        "--segment-seconds", str(seconds), "--disk-ratio", "none", *options,
    ]  # fmt: skip
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env={**os.environ, **env}, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - begun, cpu


def speed(film: Path, folder: Path, runs: int, model: str) -> None:
    """Prints the cost of durable segments."""
    library = build(folder)
    target = folder / "out.mp4"
    silent = Faults(no_sync=True).environment(library, folder, film)
    ways: dict[str, tuple[float, dict[str, str]]] = {
        "kept": (10, {}),
        "no sync": (10, silent),
        "none": (ONE_SEGMENT, silent),
    }
    options = ["--encoder-preset", "veryfast", *(["--model", model] if model else [])]
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, (seconds, env) in ways.items():
            times[name].append(upscale(film, target, seconds, *options, env=env))
    for name, taken in times.items():
        print(f"{name:8} {statistics.median(wall for wall, _ in taken):7.2f} s", end="")
        for kind, unit in enumerate(("wall", "CPU")):
            ratios = [a[kind] / b[kind] for a, b in zip(times["kept"], taken, strict=True)]
            print(
                f"   kept / {name}, {unit}: {statistics.median(ratios):.3f} "
                f"({min(ratios):.3f}..{max(ratios):.3f})",
                end="",
            )
        print()


def psnr(target: Path, reference: Path) -> float:
    """Mean PSNR of luma in dB."""
    done = run(
        ["ffmpeg", "-v", "info", "-nostdin", "-i", target, "-i", reference, "-lavfi", "psnr",
         "-f", "null", "-"]
    )  # fmt: skip
    found = re.search(r"PSNR y:([0-9.]+)", done.stderr.decode())
    assert found is not None
    return float(found[1])


def segments(film: Path, folder: Path, crf: str) -> None:
    """Prints what fresh encoders cost in size and quality."""
    reference = folder / "frames.mkv"
    upscale(film, reference, ONE_SEGMENT, "--model", "nearest", "--codec", "ffv1", env={})
    for codec in ("h264", "hevc"):
        sizes, qualities = [], []
        for seconds in (ONE_SEGMENT, 10):
            target = folder / f"{codec}.mkv"
            upscale(
                film, target, seconds, "--model", "nearest", "--codec", codec, "--crf", crf,
                "--encoder-preset", "medium", env={},
            )  # fmt: skip
            sizes.append(target.stat().st_size)
            qualities.append(psnr(target, reference))
        print(
            f"{codec}: {sizes[0]} -> {sizes[1]} bytes ({100 * (sizes[1] / sizes[0] - 1):+.2f} %), "
            f"PSNR-Y {qualities[0]:.3f} -> {qualities[1]:.3f} dB "
            f"({qualities[1] - qualities[0]:+.3f})"
        )


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("what", choices=("speed", "segments"))
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--model", default="", help="default: the packaged network")
    parser.add_argument("--crf", default="18")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        film = make_film(options.clips, folder)
        if options.what == "speed":
            speed(film, folder, options.runs, options.model)
        else:
            segments(film, folder, options.crf)


if __name__ == "__main__":
    main()
