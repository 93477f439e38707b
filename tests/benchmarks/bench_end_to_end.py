"""End to end, 960x540 -> 1920x1080, H.264 in and out: streamvsr beside three other ways.

    python tests/benchmarks/bench_end_to_end.py speed [--runs 5]     needs opencv-python-headless
    python tests/benchmarks/bench_end_to_end.py memory [--minutes 10]

speed runs the ways in turn and prints the median of wall and CPU time and of their ratios to
streamvsr's:

    cv2    a loop of cv2.VideoCapture, torch with the same network, cv2.VideoWriter (MPEG-4: the
           wheel has no x264, so its encoder has less to do than the others')
    pipe   ffmpeg decodes into a pipe, torch with the same network, ffmpeg encodes from a pipe
    scale  ffmpeg -vf scale with the same encoder: the floor

The network runs in torch as fast as torch can: bf16, channels_last, no gradients, glibc's malloc
kept from giving memory back. The same crf, preset and encoder threads for all. Every way is a
process of its own; its CPU time includes its children's.
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parent.parent))

WIDTH, HEIGHT = 960, 540
CRF, PRESET = "18", "veryfast"
STRENGTH = 0.4  # the network's second input, for the ways that cannot know it


@dataclass
class Cost:
    """What one run of a command took."""

    wall: float  # s
    cpu: float  # s, of the process and its children
    memory: float  # MB, peak resident, of its largest process


def measure(command: list[str], keep_memory: bool) -> Cost:
    """Runs a command to its end; keep_memory: glibc's malloc gives nothing back meanwhile."""
    environment = dict(os.environ)
    if keep_memory:
        environment.update(MALLOC_MMAP_THRESHOLD_="4294967296", MALLOC_TRIM_THRESHOLD_="4294967296")
    begun = time.monotonic()
    program = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(program.pid, 0)
    program.returncode = os.waitstatus_to_exitcode(status)
    if program.returncode:
        sys.exit(f"{' '.join(command)}: exit {program.returncode}")
    return Cost(time.monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


# --- the ways -------------------------------------------------------------------------------------


def ways(source: Path, folder: Path, threads: int) -> dict[str, list[str]]:
    """The command of each way."""
    me = [sys.executable, str(HERE)]
    target = {name: str(folder / f"{name}.mp4") for name in ("streamvsr", "cv2", "pipe", "scale")}
    ours = [
        sys.executable, "-m", "streamvsr", "upscale", str(source), target["streamvsr"], "-y", "-q",
        "--crf", CRF, "--encoder-preset", PRESET, "--encoder-threads", str(threads),
        "--disk-ratio", "none",
    ]  # fmt: skip
    floor = [
        "ffmpeg", "-v", "error", "-nostdin", "-y", "-i", str(source),
        "-vf", f"scale={2 * WIDTH}:{2 * HEIGHT}:flags=bicubic", *_encoder(threads), target["scale"],
    ]  # fmt: skip
    return {
        "streamvsr": ours,
        "cv2": [*me, "cv2", str(source), target["cv2"], str(threads)],
        "pipe": [*me, "pipe", str(source), target["pipe"], str(threads)],
        "scale": floor,
    }


def _encoder(threads: int) -> list[str]:
    return ["-c:v", "libx264", "-crf", CRF, "-preset", PRESET, "-threads", str(threads)]


def _torch_luma(threads: int) -> Any:
    """The packaged network as a function from a luma plane to a luma plane of twice the size."""
    import torch
    from streamvsr import packaged_models
    from torch_network import torch_network

    torch.set_num_threads(threads)
    network = torch_network(packaged_models()[0].path).to(torch.bfloat16)
    for weight in network.parameters():
        if weight.dim() == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)

    def enhance(plane: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        with torch.inference_mode():
            codes = torch.from_numpy(plane)[None, None].to(torch.bfloat16).div_(255)
            result = network(codes.contiguous(memory_format=torch.channels_last), STRENGTH)
            picture: np.ndarray[Any, Any] = (
                result.clamp_(0, 1).mul_(255).round_().to(torch.uint8)[0, 0].numpy()
            )
            return picture

    return enhance


def way_cv2(source: str, target: str, threads: int) -> None:
    """A loop over OpenCV's reader and writer."""
    cv2 = importlib.import_module("cv2")
    enhance = _torch_luma(threads)
    reader = cv2.VideoCapture(source)
    rate = reader.get(cv2.CAP_PROP_FPS)
    size = (2 * WIDTH, 2 * HEIGHT)
    writer = cv2.VideoWriter(target, cv2.VideoWriter_fourcc(*"mp4v"), rate, size)
    while True:
        there, picture = reader.read()
        if not there:
            break
        planes = cv2.cvtColor(picture, cv2.COLOR_BGR2YCrCb)
        result = cv2.resize(planes, size, interpolation=cv2.INTER_CUBIC)
        result[:, :, 0] = enhance(np.ascontiguousarray(planes[:, :, 0]))
        writer.write(cv2.cvtColor(result, cv2.COLOR_YCrCb2BGR))
    writer.release()


def way_pipe(source: str, target: str, threads: int) -> None:
    """ffmpeg on both sides, planes of 4:2:0 between."""
    import torch
    from torch.nn import functional

    enhance = _torch_luma(threads)
    decoder = subprocess.Popen(
        ["ffmpeg", "-v", "error", "-nostdin", "-i", source, "-f", "rawvideo",
         "-pix_fmt", "yuv420p", "-"],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    encoder = subprocess.Popen(
        ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "yuv420p",
         "-s", f"{2 * WIDTH}x{2 * HEIGHT}", "-r", "25", "-i", "-", *_encoder(threads), target],
        stdin=subprocess.PIPE,
    )  # fmt: skip
    assert decoder.stdout is not None
    assert encoder.stdin is not None
    luma, chroma = WIDTH * HEIGHT, WIDTH * HEIGHT // 4
    while data := decoder.stdout.read(luma + 2 * chroma):
        frame = np.frombuffer(data, np.uint8)
        encoder.stdin.write(enhance(frame[:luma].reshape(HEIGHT, WIDTH).copy()).tobytes())
        planes = torch.from_numpy(frame[luma:].reshape(1, 2, HEIGHT // 2, WIDTH // 2).copy())
        scaled = functional.interpolate(planes.float(), scale_factor=2, mode="bicubic")
        encoder.stdin.write(scaled.clamp_(0, 255).round_().to(torch.uint8).numpy().tobytes())
    encoder.stdin.close()
    if decoder.wait() or encoder.wait():
        sys.exit("ffmpeg failed")


# --- the figures ----------------------------------------------------------------------------------


def make_source(path: Path, seconds: int) -> None:
    """A real clip at 960x540 where there is one, over and over; else FFmpeg's test picture."""
    from conftest import every_clip

    real = [clip for clip in every_clip() if clip.name == "bigbuckbunny.mp4"]
    before = (
        ["-stream_loop", "-1", "-i", str(real[0])] if real else ["-f", "lavfi", "-i", "testsrc2"]
    )
    subprocess.run(
        ["ffmpeg", "-v", "error", "-nostdin", "-y", *before, "-t", str(seconds), "-an", "-r", "25",
         "-vf", f"scale={WIDTH}:{HEIGHT}:flags=area", "-c:v", "libx264", "-crf", "20",
         "-pix_fmt", "yuv420p", str(path)],
        check=True,
    )  # fmt: skip


def speed(runs: int, seconds: int) -> None:
    """Prints the table of times."""
    import streamvsr

    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "source.mp4"
        make_source(source, seconds)
        commands = ways(source, folder, cores)
        costs: dict[str, list[Cost]] = {way: [] for way in commands}
        for number in range(runs + 1):
            for way, command in commands.items():
                cost = measure(command, keep_memory=way in ("cv2", "pipe"))
                if number:  # the first turn warms the caches
                    costs[way].append(cost)
        print(f"{WIDTH}x{HEIGHT} -> x2, {25 * seconds} frames, {cores} cores, {runs} runs, medians")
        print(f"{'':10} {'wall s':>8} {'CPU s':>8} {'MB':>6} {'wall ratio':>11} {'CPU ratio':>10}")
        ours = costs["streamvsr"]
        for way, measured in costs.items():
            wall = statistics.median(cost.wall for cost in measured)
            cpu = statistics.median(cost.cpu for cost in measured)
            memory = statistics.median(cost.memory for cost in measured)
            walls = statistics.median(
                cost.wall / mine.wall for cost, mine in zip(measured, ours, strict=True)
            )
            cpus = statistics.median(
                cost.cpu / mine.cpu for cost, mine in zip(measured, ours, strict=True)
            )
            print(f"{way:10} {wall:8.2f} {cpu:8.2f} {memory:6.0f} {walls:11.2f} {cpus:10.2f}")
        report = streamvsr.upscale(
            source, folder / "stages.mp4", crf=float(CRF), encoder_preset=PRESET,
            encoder_threads=cores, disk_ratio=None,
        ).performance_report  # fmt: skip
        stages = {key: report[f"{key}_seconds"] for key in ("read", "compute", "write")}
        floor = max(*stages.values(), report["cpu_seconds"] / cores)
        print("busy: " + ", ".join(f"{key} {value:.2f} s" for key, value in stages.items()))
        print(
            f"wall {report['seconds']:.2f} s = {report['seconds'] / floor:.3f} x "
            f"max(slowest stage, CPU seconds / cores = {report['cpu_seconds'] / cores:.2f} s)"
        )


def memory(minutes: int) -> None:
    """Prints the memory of jobs of growing length, each in a process of its own."""
    script = (
        "import sys, streamvsr; r = streamvsr.upscale(sys.argv[1], sys.argv[2], "
        "encoder_preset='ultrafast', disk_ratio=None).performance_report; "
        "print(r['frames'], r['peak_frames_mb'], r['peak_memory_mb'], r['seconds'])"
    )
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name) / "in.mp4", Path(name) / "out.mp4"
        print(f"{'seconds':>8} {'frames':>8} {'in flight MB':>13} {'process MB':>11} {'took s':>8}")
        for seconds in (10, 60, 60 * minutes):
            subprocess.run(
                ["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "lavfi",
                 "-i", "testsrc2=s=320x180:r=25", "-f", "lavfi", "-i", "sine", "-t", str(seconds),
                 "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac",
                 str(source)],
                check=True,
            )  # fmt: skip
            said = subprocess.run(
                [sys.executable, "-c", script, str(source), str(target)],
                check=True, capture_output=True, text=True,
            ).stdout.split()  # fmt: skip
            frames, flight, process, took = int(said[0]), *map(float, said[1:])
            print(f"{seconds:8} {frames:8} {flight:13.1f} {process:11.1f} {took:8.1f}")
            target.unlink()


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    timing = commands.add_parser("speed", help="times beside the other ways")
    timing.add_argument("--runs", type=int, default=5)
    timing.add_argument("--seconds", type=int, default=10, help="of video")
    growth = commands.add_parser("memory", help="memory over the length of the video")
    growth.add_argument("--minutes", type=int, default=10)
    for way in ("cv2", "pipe"):
        worker = commands.add_parser(way, help="one way, as speed runs it")
        worker.add_argument("source")
        worker.add_argument("target")
        worker.add_argument("threads", type=int)
    options = parser.parse_args()
    if options.command == "speed":
        speed(options.runs, options.seconds)
    elif options.command == "memory":
        memory(options.minutes)
    else:
        run = {"cv2": way_cv2, "pipe": way_pipe}[options.command]
        run(options.source, options.target, options.threads)


if __name__ == "__main__":
    main()
