"""The rows engine against torch: random networks, sizes, depths, precisions, threads and strips.

What a CPU cannot do in hardware is tried as well: the engine's own loops in this process, narrower
instruction sets of the microkernels in child processes with ONEDNN_MAX_CPU_ISA.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from network_oracle import Builder, Net, codes, load, noise, reference, srvgg, write
from streamvsr import _core
from streamvsr.models import torch_path

BRGEMM = str(Path(_core.__file__).parent / "_brgemm.so")
WEIGHTS = Path(_core.__file__).parent / "weights"
KERNELS = pytest.mark.parametrize("brgemm", [BRGEMM, ""], ids=["brgemm", "own loops"])


@st.composite
def networks(draw: st.DrawFn) -> Net:
    """Any layer list the format allows, small enough to run often."""
    planes = draw(st.sampled_from(["luma", "luma", "rgb"]))
    count = 3 if planes == "rgb" else 1
    inputs = ["frame"] + ["codec_strength"] * draw(st.integers(0, 2))
    inputs = draw(st.permutations(inputs))
    scale = draw(st.integers(1, 4))
    build = Builder(count + len(inputs) - 1, draw(st.integers(0, 1 << 30)))
    for _ in range(draw(st.integers(0, 5))):
        kind = draw(st.sampled_from(["conv", "conv", "conv1", "act", "skip"]))
        if kind == "conv":
            build.conv(draw(st.sampled_from([1, 3, 8, 16, 17, 32, 48, 64, 65])))
        elif kind == "conv1":
            build.conv(draw(st.sampled_from([2, 16, 24])), size=1)
        elif kind == "act":
            build.activation(draw(st.sampled_from(["relu", "leaky_relu", "prelu"])))
        else:
            same = [i for i, c in enumerate(build.channels) if c == build.channels[-1]]
            if same:
                build.skip(draw(st.sampled_from(same)) - 1)
    size = draw(st.sampled_from([3, 3, 1]))
    build.conv(count * scale * scale, size, gain=draw(st.sampled_from([0.2, 0.5])), bias=0.05)
    if draw(st.booleans()):
        build.activation("leaky_relu")
    if scale > 1:
        build.add({"op": "pixel_shuffle", "factor": scale})
    residual = draw(st.sampled_from(["nearest", "none"]))
    return Net(build.layers, build.tensors, scale, planes, list(inputs), residual)


def engine(
    path: Path, brgemm: str, precision: str, threads: int = 1, strip: int = 0
) -> _core.RowsEngine:
    return _core.RowsEngine(
        str(path), brgemm=brgemm, threads=threads, precision=precision, strip=strip
    )


def check(
    net: Net,
    path: Path,
    *,
    width: int,
    height: int,
    depth: int,
    brgemm: str,
    precision: str,
    threads: int = 1,
    strip: int = 0,
    seed: int = 0,
    any_size: bool = False,
) -> None:
    """any_size: bfloat16's steps grow with the values, so then does what one step may do."""
    conditions = [0.3 + 0.2 * i for i in range(net.inputs.count("codec_strength"))]
    picture = noise(height, width, net.plane_count, depth, seed)
    run = engine(path, brgemm, precision, threads, strip)
    got = np.stack(run.run(picture, conditions, depth)).astype(np.float64)
    sizes: list[float] = []
    numbers = reference(net, picture, conditions, depth, bf16=precision == "bf16", sizes=sizes)
    assert got.shape == numbers.shape
    largest = max(1.0, *sizes) if any_size else 1.0
    if precision == "fp32":
        # Where the number itself lies on the border between two codes, to float's own precision,
        # both are right; anywhere else the code must be torch's.
        slack = 2.0 ** (depth - 8) * 2e-3 * largest
        off = np.abs(got - numbers)
        assert (off <= 0.5 + slack).all(), off.max()
        # Few lie there at 8 bits; at 16, float's precision is a good part of a code.
        different = int((got != codes(numbers, depth)).sum())
        assert depth > 8 or different <= max(3 if any_size else 1, 1e-4 * largest * got.size)
    else:
        # Another order of summation can round a value to its other neighbour in bfloat16: one code
        # of 8 bits is the contract.
        off = np.abs(got - numbers)
        assert (off <= 2.0 ** (depth - 8) * largest + 0.5).all(), off.max()


SIZES = st.tuples(st.integers(1, 40), st.integers(1, 20)) | st.sampled_from(
    [(1, 1), (2, 1), (1, 9), (131, 3), (260, 2)]
)


@KERNELS
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    net=networks(),
    size=SIZES,
    depth=st.sampled_from([8, 8, 10, 16]),
    precision=st.sampled_from(["fp32", "bf16"]),
    threads=st.integers(1, 3),
    strip=st.sampled_from([0, 1, 7, 16, 33]),
    stored=st.sampled_from(["F32", "F16", "BF16"]),
)
def test_random_networks(
    tmp_path: Path,
    brgemm: str,
    net: Net,
    size: tuple[int, int],
    depth: int,
    precision: str,
    threads: int,
    strip: int,
    stored: str,
) -> None:
    path = write(net, tmp_path / "net.safetensors", stored)
    check(
        load(path), path, width=size[0], height=size[1], depth=depth, brgemm=brgemm,
        precision=precision, threads=threads, strip=strip, any_size=True,
    )  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    net=networks(), size=st.tuples(st.integers(1, 40), st.integers(1, 40)), seed=st.integers(0, 9)
)
def test_random_networks_on_the_torch_engine(
    tmp_path: Path, net: Net, size: tuple[int, int], seed: int
) -> None:
    path = write(net, tmp_path / "net.safetensors")
    made = _core.TorchEngine(path, library=torch_path(), device="cpu", layers=True)
    planes = noise(*size, net.plane_count, 10, seed)
    conditions = [0.1 + 0.2 * i for i in range(net.inputs.count("codec_strength"))]
    found = np.stack(made.run(planes, conditions, depth=10)).astype(int)
    expected = codes(reference(load(path), planes, conditions, 10), 10)
    off = np.abs(found - np.stack(list(expected)).astype(int))
    assert off.max() <= 1
    assert np.mean(off > 0) < 0.01


@KERNELS
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(
    "net",
    [
        srvgg(64, 4, scale=2, planes="rgb"),
        srvgg(32, 4, conditions=1, activation="relu"),
        srvgg(16, 4, scale=4),
    ],
    ids=["64x4 rgb x2", "32x4 luma x2 told", "16x4 luma x4"],
)
def test_compact_networks(tmp_path: Path, brgemm: str, precision: str, net: Net) -> None:
    path = write(net, tmp_path / "net.safetensors")
    for width, height, depth in [(97, 60, 8), (480, 12, 8), (130, 31, 10)]:
        check(
            net, path, width=width, height=height, depth=depth, brgemm=brgemm, precision=precision,
            threads=2,
        )  # fmt: skip


@pytest.mark.parametrize("path", sorted(WEIGHTS.glob("*.safetensors")), ids=lambda p: p.stem)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_bundled_networks(path: Path, precision: str) -> None:
    check(
        load(path),
        path,
        width=201,
        height=77,
        depth=8,
        brgemm=BRGEMM,
        precision=precision,
        threads=2,
    )


@KERNELS
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_results_do_not_depend_on_how_the_work_is_cut(
    tmp_path: Path, brgemm: str, precision: str
) -> None:
    net = srvgg(32, 5, conditions=1)
    path = write(net, tmp_path / "net.safetensors")
    pictures = [noise(41, 301, 1, 8, seed) for seed in range(5)]
    told = [[0.1 * i] for i in range(5)]
    first = engine(path, brgemm, precision, 1, 1000).run_batch(pictures, told, 8)
    for threads in (1, 2, 3):
        for strip in (0, 5, 96, 150):
            again = engine(path, brgemm, precision, threads, strip).run_batch(pictures, told, 8)
            for one, other in zip(first, again, strict=True):
                assert (one[0] == other[0]).all(), (threads, strip)


@KERNELS
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("channels", [16, 32, 64])
def test_results_do_not_depend_on_where_a_piece_lies(
    tmp_path: Path, brgemm: str, precision: str, channels: int
) -> None:
    net = srvgg(channels, 3)
    path = write(net, tmp_path / "net.safetensors")
    run = engine(path, brgemm, precision, 2)
    (piece,) = noise(30, 50, 1, 8, 1)
    alone = run.run([piece], [], 8)[0]
    reach = 5
    for left, top in [(1, 1), (7, 2), (31, 64), (64, 150)]:
        (whole,) = noise(200, 150, 1, 8, 2)
        whole[top : top + 30, left : left + 50] = piece
        got = run.run([whole], [], 8)[0][2 * top : 2 * (top + 30), 2 * left : 2 * (left + 50)]
        inside = slice(2 * reach, -2 * reach)
        assert (got[inside, inside] == alone[inside, inside]).all(), (left, top)


def test_auto_takes_bf16_where_the_processor_has_it(tmp_path: Path) -> None:
    path = write(srvgg(16, 1), tmp_path / "net.safetensors")
    flags = Path("/proc/cpuinfo").read_text()
    fast = "avx512_bf16" in flags or "amx_bf16" in flags
    assert ("rows bf16, brgemm" if fast else "rows fp32") in engine(path, BRGEMM, "auto").describe()
    assert "rows fp32, own loops" in engine(path, "", "auto").describe()


CHILD = """
import sys
sys.path[:0] = {path!r}
import test_rows_oracle as t
from pathlib import Path
net = t.srvgg(32, 3, conditions=1)
path = t.write(net, Path({file!r}))
for precision in ("fp32", "bf16"):
    for depth in (8, 10):
        t.check(net, path, width=150, height=20, depth=depth, brgemm=t.BRGEMM, precision=precision,
                threads=2, strip=64)
print(t.engine(path, t.BRGEMM, "auto").describe(), "|", t.engine(path, t.BRGEMM, "bf16").describe())
"""


@pytest.mark.parametrize(
    ("isa", "kernels"),
    [
        ("AVX512_CORE_BF16", "rows bf16, brgemm"),
        ("AVX512_CORE", ""),
        ("AVX2", "rows bf16, own loops"),
        ("SSE41", "rows bf16, own loops"),
    ],
)
def test_narrower_instruction_sets(tmp_path: Path, isa: str, kernels: str) -> None:
    file = tmp_path / "net.safetensors"
    script = CHILD.format(path=sys.path, file=str(file))
    env = {**os.environ, "ONEDNN_MAX_CPU_ISA": isa}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert kernels in done.stdout.split("|")[1]


def test_float_mode_of_the_caller_does_not_matter(tmp_path: Path) -> None:
    # Values that only denormals carry from layer to layer: flushed, they would leave nothing.
    build = Builder(1, 1)
    build.conv(16)
    build.conv(4)
    build.add({"op": "pixel_shuffle", "factor": 2})
    for name in build.tensors:
        build.tensors[name] = torch.zeros_like(build.tensors[name])
    build.tensors["w0"][:, 0, 1, 1] = 2.0**-130
    build.tensors["w1"][:, 0, 1, 1] = 2.0**127
    net = Net(build.layers, build.tensors, 2, residual="none")
    path = write(net, tmp_path / "net.safetensors")
    picture = [np.full((9, 9), 255, np.uint8)]
    torch.set_flush_denormal(True)
    try:
        got = engine(path, "", "fp32").run(picture, [], 8)[0]
    finally:
        torch.set_flush_denormal(False)
    assert (got == round(255 * 2.0**-3)).all()


def test_arrays_of_any_stride_are_taken(tmp_path: Path) -> None:
    path = write(srvgg(16, 1), tmp_path / "net.safetensors")
    run = engine(path, BRGEMM, "fp32")
    (picture,) = noise(20, 30, 1, 8, 1)
    expected = run.run([np.ascontiguousarray(picture[::2, ::3])], [], 8)[0]
    assert (run.run([picture[::2, ::3]], [], 8)[0] == expected).all()


def test_wrong_arguments_are_refused(tmp_path: Path) -> None:
    path = write(srvgg(16, 1, conditions=1), tmp_path / "net.safetensors")
    run = engine(path, BRGEMM, "fp32")
    (picture,) = noise(8, 8, 1, 8, 1)
    for planes, conditions, depth in [
        ([picture], [], 8),
        ([picture], [0.1, 0.2], 8),
        ([picture, picture], [0.1], 8),
        ([picture], [0.1], 10),
        ([picture.astype(np.float32)], [0.1], 8),
        ([picture[0]], [0.1], 8),
        ([picture[:0]], [0.1], 8),
        ([], [0.1], 8),
    ]:
        with pytest.raises((ValueError, TypeError, RuntimeError)):
            run.run(planes, conditions, depth)
    wrongs: list[dict[str, Any]] = [{"threads": 0}, {"precision": "fp64"}, {"strip": -1}]
    for wrong in wrongs:
        with pytest.raises((ValueError, RuntimeError)):
            _core.RowsEngine(str(path), **wrong)


def test_network_info(tmp_path: Path) -> None:
    net = srvgg(16, 2, conditions=1, scale=2)
    info = _core.network_info(str(write(net, tmp_path / "net.safetensors")))
    assert (info.name, info.scale, info.planes) == ("test", 2, "luma")
    assert info.inputs == ["frame", "codec_strength"]
    assert info.licence == "CC0-1.0"
    assert info.parameters == sum(t.numel() for t in net.tensors.values())
    convs = [t for name, t in net.tensors.items() if name.startswith("w")]
    assert info.flops_per_pixel == 2 * sum(t.numel() for t in convs)
