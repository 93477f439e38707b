"""The CPU engine against torch and against its own bare matrix products.

    python tests/benchmarks/bench_engine.py [--rounds 9] [--sizes 480x270,960x540]
                                            [--nets 64x16,32x8,16x4,default]

Networks: the compact network of Real-ESRGAN (luma, twice the size, PReLU) with so many channels
and layers, and the bundled default. GFLOP/s are of the convolutions, two operations a multiply-
add, per second of CPU time on one thread. The candidates of a row take turns, round by round, and
medians are shown, so that what else the machine does falls on all alike. torch runs with
channels_last and with glibc's mmap and trim thresholds raised, without which page faults would
slow it down. "Bare products" are the network's matrix products alone, their operands in cache.
The last columns compare two threads with one: by wall time for a batch of two pictures (one a
thread) and for one picture that is cut, and for that one by CPU time, which says what the cut
costs where other programs hold the second core.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "model"))

from network_oracle import Net, load, noise, srvgg, write
from streamvsr import _core

RAISED = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}
PACKAGE = Path(_core.__file__).parent
BRGEMM = str(PACKAGE / "_brgemm.so")


class Sequence(nn.Module):
    """The network as a torch user would write it, residual included."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = net.plane_count + len(net.inputs) - 1
        for layer in net.layers:
            if layer["op"] in ("conv3x3", "conv1x1"):
                weight = net.tensors[layer["weight"]]
                size = weight.shape[-1]
                conv: Any = nn.Conv2d(channels, weight.shape[0], size, padding=size // 2)
                conv.weight.data, conv.bias.data = weight, net.tensors[layer["bias"]]
                channels = weight.shape[0]
                layers.append(conv)
            elif layer["op"] == "prelu":
                prelu = nn.PReLU(channels)
                prelu.weight.data = net.tensors[layer["weight"]]
                layers.append(prelu)
            elif layer["op"] == "relu":
                layers.append(nn.ReLU(inplace=True))
            elif layer["op"] == "leaky_relu":
                layers.append(nn.LeakyReLU(layer["slope"], inplace=True))
            elif layer["op"] == "pixel_shuffle":
                layers.append(nn.PixelShuffle(layer["factor"]))
            else:
                raise SystemExit(f"this benchmark has no {layer['op']}")
        self.body = nn.Sequential(*layers)
        self.scale = net.scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        base = functional.interpolate(x[:, :1], scale_factor=float(self.scale), mode="nearest")
        result: torch.Tensor = self.body(x) + base
        return result


def torch_candidate(
    net: Net, dtype: torch.dtype, script: bool
) -> Callable[[NDArray[np.uint8]], None]:
    """From integer plane to integer plane, like the engine."""
    last = torch.channels_last
    model: Any = Sequence(net).eval().to(dtype=dtype)
    model = model.to(memory_format=last)
    constants = len(net.inputs) - 1
    if script:
        example = torch.zeros(1, 1 + constants, 32, 32, dtype=dtype).to(memory_format=last)
        jit: Any = torch.jit
        with torch.no_grad():
            model = jit.freeze(jit.trace(model, example))

    def run(plane: NDArray[np.uint8]) -> None:
        with torch.inference_mode():
            x = (torch.from_numpy(plane)[None, None].float() / 255).to(dtype)
            if constants:
                x = torch.cat([x, torch.full_like(x, 0.3).expand(-1, constants, -1, -1)], 1)
            y = model(x.contiguous(memory_format=last))
            (y.float().clamp(0, 1) * 255).round().to(torch.uint8).numpy()

    return run


def rounds(
    candidates: dict[str, Callable[[], object]], count: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Median seconds of each, taking turns."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for run in candidates.values():
        run()
    for _ in range(count):
        for name, run in candidates.items():
            start = clock()
            run()
            seconds[name].append(clock() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def bench(name: str, net: Net, path: Path, width: int, height: int, count: int) -> None:
    (plane,) = noise(height, width, 1, 8, 1)
    told = [0.3] * (len(net.inputs) - 1)
    precisions = ["fp32"]
    auto = _core.RowsEngine(str(path), brgemm=BRGEMM)
    if "bf16" in auto.describe():
        precisions.append("bf16")
    flops = auto.flops_per_pixel * width * height
    for precision in precisions:
        rows = _core.RowsEngine(str(path), brgemm=BRGEMM, precision=precision)
        dtype = torch.float32 if precision == "fp32" else torch.bfloat16
        eager, scripted = torch_candidate(net, dtype, False), torch_candidate(net, dtype, True)
        candidates: dict[str, Callable[[], object]] = {
            "rows": functools.partial(rows.run, [plane], told, 8),
            "eager": functools.partial(eager, plane),
            "script": functools.partial(scripted, plane),
        }
        seconds = rounds(candidates, count, time.process_time)
        speed = {key: flops / value * 1e-9 for key, value in seconds.items()}
        bare = statistics.median(rows.bare_gflops(width, 0.1) for _ in range(5))
        best = max(speed["eager"], speed["script"])
        print(
            f"| {name} | {width}x{height} | {precision} | {speed['rows']:.0f} | {bare:.0f} | "
            f"{speed['rows'] / bare:.2f} | {speed['eager']:.0f} | {speed['script']:.0f} | "
            f"{speed['rows'] / best:.2f} | {two_threads(path, precision, plane, told, count)} |",
            flush=True,
        )


def two_threads(
    path: Path, precision: str, plane: NDArray[np.uint8], told: list[float], count: int
) -> str:
    one = _core.RowsEngine(str(path), brgemm=BRGEMM, precision=precision, threads=1)
    two = _core.RowsEngine(str(path), brgemm=BRGEMM, precision=precision, threads=2)
    pair, both = [[plane], [plane]], [told, told]
    cut: dict[str, Callable[[], object]] = {
        "cut 1": lambda: one.run([plane], told, 8),
        "cut 2": lambda: two.run([plane], told, 8),
    }
    batch: dict[str, Callable[[], object]] = {
        "pair 1": lambda: one.run_batch(pair, both, 8),
        "pair 2": lambda: two.run_batch(pair, both, 8),
    }
    wall = rounds({**cut, **batch}, count, time.perf_counter)
    cpu = rounds(cut, count, time.process_time)
    return (
        f"{wall['pair 1'] / wall['pair 2']:.2f} | {wall['cut 1'] / wall['cut 2']:.2f} | "
        f"{2 * cpu['cut 1'] / cpu['cut 2']:.2f}"
    )


def main() -> None:
    if os.environ.get("MALLOC_MMAP_THRESHOLD_") != RAISED["MALLOC_MMAP_THRESHOLD_"]:
        # glibc reads them once, when a program starts.
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **RAISED})
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--sizes", default="480x270,960x540")
    parser.add_argument("--nets", default="64x16,32x8,16x4,default")
    options = parser.parse_args()
    torch.set_num_threads(1)
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "none")
    print(f"torch {torch.__version__}, limit of the instruction set: {limit}")
    columns = (
        "network", "size", "type", "rows", "bare products", "share", "torch eager", "TorchScript",
        "rows / best torch", "2 threads, batch", "2 threads, one picture", "the same by CPU time",
    )  # fmt: skip
    print(f"| {' | '.join(columns)} |")
    print("|" + " --- |" * len(columns))
    with tempfile.TemporaryDirectory() as folder:
        for name in options.nets.split(","):
            if name == "default":
                path = PACKAGE / "weights" / "default_x2.safetensors"
                net = load(path)
            else:
                channels, layers = map(int, name.split("x"))
                net = srvgg(channels, layers)
                path = write(net, Path(folder) / f"{name}.safetensors")
            for size in options.sizes.split(","):
                width, height = map(int, size.split("x"))
                bench(name, net, path, width, height, options.rounds)


if __name__ == "__main__":
    main()
