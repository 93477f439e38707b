"""A TorchScript archive end to end beside a plain loop of torch over the same frames.

    python tests/benchmarks/bench_torch.py [--rounds 5] [--frames 40] [--size 480x270]
                                           [--channels 64] [--layers 16] [--threads N]

The network is the compact one of Real-ESRGAN (luma, twice the size, PReLU). The loop does nothing
but the network, in eager mode with channels_last and no gradients, from luma planes that lie in
memory to luma planes of codes. streamvsr decodes, enhances, resamples chroma and encodes (H.264,
ultrafast). Both take turns in processes of their own with the same number of threads, and medians
are shown: of the loop's time, of streamvsr's busy time in the C stage and of its whole run, from
the first frame on. glibc's malloc keeps its memory in both.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RAISED = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}


def make_network(path: Path, channels: int, layers: int) -> None:
    """Writes the archive."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    parts: list[nn.Module] = [nn.Conv2d(1, channels, 3, padding=1), nn.PReLU(channels)]
    for _ in range(layers):
        parts += [nn.Conv2d(channels, channels, 3, padding=1), nn.PReLU(channels)]
    parts += [nn.Conv2d(channels, 4, 3, padding=1), nn.PixelShuffle(2)]
    network = nn.Sequential(*parts).eval()
    torch.jit.script(network).save(str(path))  # type: ignore[no-untyped-call]
    torch.save(network, path.with_suffix(".pickle"))


def loop(folder: Path, threads: int, width: int, height: int) -> float:
    """Seconds of the plain loop."""
    import torch

    torch.set_num_threads(threads)
    network = torch.load(folder / "net.pickle", weights_only=False)
    network.to(memory_format=torch.channels_last)
    data = bytearray((folder / "luma.raw").read_bytes())
    frames = torch.frombuffer(data, dtype=torch.uint8).reshape(-1, 1, 1, height, width)

    def enhance(frame: torch.Tensor) -> torch.Tensor:
        picture = frame.float().div_(255).contiguous(memory_format=torch.channels_last)
        result: torch.Tensor = network(picture).clamp_(0, 1).mul_(255).round_().to(torch.uint8)
        return result

    with torch.inference_mode():
        enhance(frames[0])
        begun = time.monotonic()
        for frame in frames:
            enhance(frame)
        return time.monotonic() - begun


def ours(folder: Path, threads: int) -> tuple[float, float, int]:
    """Seconds of the C stage and of the whole run, and frames."""
    import streamvsr

    report = streamvsr.upscale(
        folder / "in.mp4", folder / "out.mp4", model=folder / "net.ts", overwrite=True,
        encoder_preset="ultrafast", compute_threads=threads, disk_ratio=None,
    ).performance_report  # fmt: skip
    return report["compute_seconds"], report["seconds"], report["frames"]


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--size", default="480x270")
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--worker", nargs=2, metavar=("WAY", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    if options.worker:
        way, folder = options.worker[0], Path(options.worker[1])
        threads = options.threads
        seconds = loop(folder, threads, width, height) if way == "loop" else ours(folder, threads)
        print(json.dumps(seconds))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_network(folder / "net.ts", options.channels, options.layers)
        source = ["ffmpeg", "-v", "error", "-nostdin", "-y"]
        picture = f"testsrc2=s={options.size}:r=25"
        clip = [*source, "-f", "lavfi", "-i", picture, "-frames:v", str(options.frames)]
        encoder = ["-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p"]
        subprocess.run([*clip, *encoder, str(folder / "in.mp4")], check=True)
        luma = ["-vf", "extractplanes=y", "-f", "rawvideo", str(folder / "luma.raw")]
        subprocess.run([*source, "-i", str(folder / "in.mp4"), *luma], check=True)
        loops: list[float] = []
        stages: list[float] = []
        wholes: list[float] = []
        again = [sys.executable, __file__, "--size", options.size]
        again += ["--threads", str(options.threads)]
        for number in range(options.rounds):
            for way in ("loop", "ours") if number % 2 == 0 else ("ours", "loop"):
                told = subprocess.run(
                    [*again, "--worker", way, name], env={**os.environ, **RAISED}, check=True,
                    stdout=subprocess.PIPE,
                ).stdout  # fmt: skip
                if way == "loop":
                    loops.append(float(json.loads(told)))
                else:
                    stage, whole, frames = json.loads(told)
                    assert frames == options.frames
                    stages.append(stage)
                    wholes.append(whole)
        per_frame = 1000 / options.frames
        print(
            f"{options.channels} channels, {options.layers} layers, {options.size}, "
            f"{options.threads} threads: torch {statistics.median(loops) * per_frame:.1f} ms a "
            f"frame, C stage {statistics.median(stages) * per_frame:.1f}, whole run "
            f"{statistics.median(wholes) * per_frame:.1f}; ratios of the rounds: C stage "
            f"{statistics.median(b / a for a, b in zip(loops, stages, strict=True)):.3f}, whole "
            f"{statistics.median(b / a for a, b in zip(loops, wholes, strict=True)):.3f}"
        )


if __name__ == "__main__":
    main()
