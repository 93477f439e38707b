"""Motion found by tensors, as on a device, against the loops'; here both on the CPU.

There they are equal bit for bit: both round every product and every sum by itself, in one order.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamvsr
import torch
from conftest import CLIPS
from helpers import luma, luma_frames, make_clip, psnr
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from properties.films import examples
from streamvsr import _core, api
from streamvsr.errors import ConfigError, MemoryLimitError, ResumeError
from streamvsr.models import torch_path
from torch import Tensor, nn
from unfinished import status_of

from temporal.test_steady_jobs import coded, noisy_camera

Picture = NDArray[np.uint8]
MIB = 1 << 20


class Doubler(nn.Module):
    """Looks around a little."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.body = nn.Conv2d(1, 4, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, picture: Tensor) -> Tensor:
        large = nn.functional.interpolate(picture, scale_factor=2.0)
        return large + 0.1 * self.shuffle(self.body(picture))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("flow") / "net.ts"
    torch.jit.script(Doubler().eval()).save(str(path))  # type: ignore[no-untyped-call]
    return path


def engine(network: Path, limit: int = 1000 * MIB, threads: int = 1) -> _core.TorchEngine:
    return _core.TorchEngine(
        str(network), library=str(torch_path()), device="cpu", threads=threads, limit=limit
    )


def search(flow: bool = True, finest: int = 0) -> _core.SteadyOptions:
    options = _core.SteadyOptions()
    options.flow, options.finest = flow, finest
    return options


def scene(width: int, height: int, seed: int, dx: float = 0, dy: float = 0) -> NDArray[np.float64]:
    """Waves of many lengths, moved by so many samples."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] + np.array([dy, dx])[:, None, None]
    value = np.zeros((height, width))
    for _ in range(12):
        across, down = random.uniform(-0.6, 0.6, 2)
        value += np.sin(across * x + down * y + random.uniform(0, 6))
    return 128 + 18 * value


def codes(values: NDArray[np.float64]) -> Picture:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def pair(
    width: int, height: int, seed: int, dx: float, dy: float, noise: float = 1.0
) -> tuple[Picture, Picture]:
    """A picture and the one before it: all moves, but for a still part and one that is copied."""
    random = np.random.default_rng(seed)
    before = codes(scene(width, height, seed) + random.normal(0, noise, (height, width)))
    now = codes(scene(width, height, seed, dx, dy) + random.normal(0, noise, (height, width)))
    third = slice(height // 3, 2 * height // 3)
    still = slice(width // 3, 2 * width // 3)
    noisy = codes(before[third, still] + random.normal(0, noise, before[third, still].shape))
    now[third, still] = noisy
    now[third, : width // 4] = before[third, : width // 4]
    return now, before


def both(
    now: Picture, before: Picture, options: _core.SteadyOptions, tensors: _core.TorchEngine
) -> tuple[Any, Any]:
    return (
        _core.relate([now], [before], options),
        _core.relate([now], [before], options, tensors),
    )


def assert_same(loops: Any, tensors: Any) -> None:
    for expected, got in zip(loops[:3], tensors[:3], strict=True):
        assert expected.shape == got.shape
        assert np.array_equal(expected, got), np.abs(expected.astype(int) - got).max()
    assert loops[3] == tensors[3]


@examples(60)
@given(
    width=st.one_of(st.integers(1, 60), st.integers(16, 260)),
    height=st.one_of(st.integers(1, 60), st.integers(16, 200)),
    seed=st.integers(0, 1 << 20),
    way=st.tuples(st.floats(-14, 14), st.floats(-14, 14)),
    noise=st.sampled_from([0.0, 0.5, 3.0, 20.0]),
    finest=st.integers(0, 5),
    flow=st.booleans(),
)
def test_tensors_find_what_the_loops_find(
    network: Path, width: int, height: int, seed: int, way: tuple[float, float], noise: float,
    finest: int, flow: bool,
) -> None:  # fmt: skip
    now, before = pair(width, height, seed, *way, noise)
    assert_same(*both(now, before, search(flow, finest), engine(network)))


def test_motion_and_stillness_are_both_among_it(network: Path) -> None:
    """What the others compare is not empty; and a truth from outside holds for the tensors."""
    now, before = pair(300, 203, 5, -3.25, 1.5)
    loops, tensors = both(now, before, search(), engine(network))
    assert_same(loops, tensors)
    dx, dy, reliable, cut = tensors
    assert not cut
    assert reliable.mean() > 0.7
    assert abs(np.median(dx[2:14]) / 16 + 3.25) < 0.15
    assert abs(np.median(dy[2:14]) / 16 - 1.5) < 0.15
    inside = slice(20, 30), slice(28, 46)
    assert (dx[inside] == 0).mean() > 0.9
    # Another scene is a cut for both.
    loops, tensors = both(now, codes(scene(300, 203, 99)), search(), engine(network))
    assert_same(loops, tensors)
    assert tensors[3]


def test_more_patches_than_go_at_a_time(network: Path) -> None:
    now, before = pair(1000, 700, 8, 6.5, -2)  # 43750 patches
    assert_same(*both(now, before, search(), engine(network, threads=2)))


def test_threads_change_nothing(network: Path) -> None:
    now, before = pair(257, 131, 6, 2.5, -1)
    results = [
        _core.relate([now], [before], search(), engine(network, threads=threads))
        for threads in (1, 2, 3)
    ]
    assert_same(results[0], results[1])
    assert_same(results[0], results[2])


@pytest.mark.skipif(not CLIPS.is_dir(), reason=f"{CLIPS} is not there")
@pytest.mark.parametrize(
    "name", ["carphone_pristine.mp4", "asl_book.mkv", "derived_lowrate_360p_of_bigbuckbunny.mp4"]
)
def test_real_clips(network: Path, name: str) -> None:
    frames = luma_frames(CLIPS / name)
    pictures = [picture for picture, _ in zip(frames, range(40), strict=False)]
    frames.close()  # type: ignore[attr-defined]
    tensors = engine(network)
    moved = 0
    for now, before in [(12, 11), (20, 18), (39, 34)]:
        loops, found = both(pictures[now], pictures[before], search(), tensors)
        assert_same(loops, found)
        moved += int((found[0] != 0).sum())
    assert moved > 200
    other = np.ascontiguousarray(pictures[0][::-1, ::-1])
    assert_same(*both(pictures[39], other, search(), tensors))


@pytest.mark.parametrize("size", [(40, 24), (320, 180), (1000, 700)])
def test_memory_is_known_before(network: Path, size: tuple[int, int]) -> None:
    held = engine(network)
    model = held.use.memory.held
    now, before = pair(*size, 1, 2.0, 1.0)
    expected = _core.relate([now], [before], search(), held)
    took, named = held.use.memory.peak - model, held.flow_bytes(*size)
    assert named / 2 < took <= named
    # What stays are the two pictures.
    assert held.use.memory.held - model < 4 * (size[0] + 64) * (size[1] + 64)
    for _ in range(3):
        now, before = pair(*size, 2, 1.0, 1.0)
        _core.relate([now], [before], search(), held)
    assert held.use.memory.peak - model <= named
    now, before = pair(*size, 1, 2.0, 1.0)
    assert_same(expected, _core.relate([now], [before], search(), held))


def test_memory_that_runs_out_is_an_error_and_no_more(network: Path) -> None:
    now, before = pair(90, 50, 4, 3.0, 1.0)
    held = engine(network)
    expected = _core.relate([now], [before], search(), engine(network))
    for nth in [*range(1, 40), 100, 300, 1000]:
        held.fail_allocation(nth)
        with pytest.raises(MemoryLimitError, match=r"motion between pictures of 90x50.*on cpu"):
            _core.relate([now], [before], search(), held)
        assert_same(expected, _core.relate([now], [before], search(), held))


# --- whole jobs ---------------------------------------------------------------------------------


def job_of(source: Path, target: Path, network: Path, flow_by: str, **options: Any) -> _core.Job:
    config = streamvsr.StreamingConfig(
        **{"codec": "ffv1", "disk_ratio": None, "model": network, "device": "cpu",
           "temporal_window": 3, "mask_motion": 0.005, **options}
    )  # fmt: skip
    job = api.job_config(config, str(source), str(target))
    job.flow_by = flow_by
    return _core.Job(job)


def enhance(source: Path, target: Path, network: Path, flow_by: str, **options: Any) -> Path:
    job = job_of(source, target, network, flow_by, **options)
    job.run(None, 1.0)
    job.close()
    return target


@pytest.mark.parametrize(
    "options",
    [{}, {"temporal_flow": "half"}, {"temporal_flow": "off"}, {"temporal_window": 1},
     {"scale": 4, "compute_threads": 2}],
    ids=["full", "half", "off", "mask alone", "two passes"],
)  # fmt: skip
def test_a_whole_job_by_tensors(network: Path, options: dict[str, Any], tmp_path: Path) -> None:
    noise = np.random.default_rng(2).normal(0, 2, (14, 75, 111))
    pictures = codes(noisy_camera()[:14, 10:85, 2:113] + noise)
    source = coded(tmp_path, pictures, "in.mkv")
    by_loops, by_tensors, alone = (
        luma(enhance(source, tmp_path / f"{name}.mkv", network, name, **(options | more)))
        for name, more in [
            ("loops", {}), ("tensor", {}),
            ("auto", {"temporal_window": 1, "mask_motion": 1.0}),
        ]
    )  # fmt: skip
    assert np.array_equal(by_loops, by_tensors)
    assert psnr(by_loops, alone) < 55  # so that there was something to do


def test_a_job_goes_on_with_the_flow_it_began_with(network: Path, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=60, codec="ffv1")
    options: dict[str, Any] = {"segment_seconds": 0.5}
    whole = enhance(source, tmp_path / "whole.mkv", network, "tensor", **options)
    target = tmp_path / "out.mkv"

    class _EnoughError(Exception):
        pass

    for segments in (1, 3):
        job = job_of(source, target, network, "tensor", **options)

        def tick(progress: _core.Progress, segments: int = segments) -> None:
            if progress.segments_done >= segments:
                raise _EnoughError

        with pytest.raises(_EnoughError):
            job.run(tick, 0.001)
        job.close()
        assert segments <= status_of(target).segments_done < 5
        with pytest.raises(ResumeError, match="flow by tensors on cpu"):
            enhance(source, target, network, "loops", **options)
    enhance(source, target, network, "tensor", **options)
    assert target.read_bytes() == whole.read_bytes()


def test_the_cpu_has_loops_unless_told(network: Path, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=4)
    described = {}
    for flow_by in ("auto", "loops", "tensor"):
        job = job_of(source, tmp_path / f"{flow_by}.mkv", network, flow_by)
        described[flow_by] = job.plan.enhancer
        job.run(None, 1.0)
        job.close()
    assert described["auto"] == described["loops"]
    assert described["tensor"] == described["loops"] + "; flow by tensors on cpu"
    still = job_of(source, tmp_path / "off.mkv", network, "tensor", temporal_window=1,
                   mask_motion=1.0, mask_strength=0.5)  # fmt: skip
    assert "flow by" not in still.plan.enhancer
    still.close()
    with pytest.raises(ConfigError, match="auto, loops or tensor"):
        job_of(source, tmp_path / "no.mkv", network, "gpu")


def test_too_little_memory_is_refused_before_the_work(network: Path, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=2, width=640, height=480)
    with pytest.raises(MemoryLimitError, match=r"motion between pictures of 640x480.*max_vram_mb"):
        job_of(source, tmp_path / "out.mkv", network, "tensor", max_vram_mb=16)
    assert not (tmp_path / "out.mkv.part").exists()


def test_the_network_leaves_room_for_it(tmp_path: Path) -> None:
    """A picture that would just fit whole is cut where motion is found there, too."""
    path = tmp_path / "wide.ts"
    wide = nn.Sequential(nn.Conv2d(1, 96, 3, padding=1), nn.ReLU(), nn.Conv2d(96, 1, 3, padding=1))
    torch.jit.script(wide.eval()).save(str(path))  # type: ignore[no-untyped-call]
    source = make_clip(tmp_path / "in.mkv", frames=4, width=320, height=240)
    limit = 62  # MiB, of which the whole takes 57
    peaks = []
    for flow_by in ("loops", "tensor"):
        job = job_of(source, tmp_path / f"{flow_by}.mkv", path, flow_by, max_vram_mb=limit, scale=1)
        use = job.run(None, 1.0).device
        assert use.retries == 0
        peaks.append(use.memory.peak)
        job.close()
    spare = engine(path).flow_bytes(320, 240)
    assert limit * MIB - spare < peaks[0] < limit * MIB
    assert peaks[1] <= limit * MIB - spare
    assert (tmp_path / "loops.mkv").read_bytes() == (tmp_path / "tensor.mkv").read_bytes()
