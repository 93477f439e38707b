"""The device's budget, on the CPU's counting allocator: limit, saw-tooth, pieces, memory that runs
out at every place it can."""

from __future__ import annotations

import gc
import resource
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamvsr
import torch
from helpers import make_clip
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from streamvsr import _core, api
from streamvsr.errors import ConfigError, MemoryLimitError
from streamvsr.models import torch_path
from torch import Tensor, nn
from unfinished import stop_after_a_segment

MIB = 1 << 20
Plane = NDArray[Any]


def plain(channels: int, layers: int, scale: int, kernel: int = 3) -> nn.Module:
    """What networks for video look like: convolutions of one size, and a shuffle."""
    pad = kernel // 2
    made: list[nn.Module] = [nn.Conv2d(1, channels, kernel, padding=pad), nn.PReLU(channels)]
    for _ in range(layers):
        made += [nn.Conv2d(channels, channels, kernel, padding=pad), nn.PReLU(channels)]
    made += [nn.Conv2d(channels, scale * scale, kernel, padding=pad), nn.PixelShuffle(scale)]
    return nn.Sequential(*made)


class Coarse(nn.Module):
    """Works on a grid four times as coarse: any size, by repeating its last row and column."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(1, 24, 4, stride=4)
        self.body = nn.Conv2d(24, 16, 3, padding=1)
        self.up = nn.PixelShuffle(4)

    def forward(self, picture: Tensor) -> Tensor:
        height, width = picture.size(2), picture.size(3)
        padded = nn.functional.pad(picture, [0, -width % 4, 0, -height % 4], mode="replicate")
        coarse = self.up(torch.relu(self.body(torch.relu(self.down(padded)))))
        return picture + coarse[:, :, :height, :width] * 0.2  # type: ignore[no-any-return]


class Dilated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=7, dilation=7)
        self.depth = nn.Conv2d(8, 8, 5, padding=2, groups=8)
        self.last = nn.ConvTranspose2d(8, 1, 4, stride=2, padding=1)

    def forward(self, picture: Tensor) -> Tensor:
        middle = torch.where(self.first(picture) > 0, self.first(picture), -picture)
        return self.last(nn.functional.gelu(self.depth(middle)))  # type: ignore[no-any-return]


class WholePicture(nn.Module):
    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what
        self.conv = nn.Conv2d(1, 8, 3, padding=1)

    def forward(self, picture: Tensor) -> Tensor:
        features = self.conv(picture)
        if self.what == "mean":
            return picture * features.mean(dim=[1, 2, 3], keepdim=True).sigmoid()  # type: ignore[no-any-return]
        rows = torch.linspace(0.0, 1.0, picture.size(2)).reshape(1, 1, -1, 1)
        return picture * rows + features.mean(dim=1, keepdim=True) * 0.1  # type: ignore[no-any-return]


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "plain6": lambda: plain(6, 1, 1),
    "plain16": lambda: plain(16, 3, 2),
    "plain24": lambda: plain(24, 6, 1),
    "wide kernels": lambda: plain(12, 2, 3, kernel=7),
    "coarse": Coarse,
    "dilated": Dilated,
}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("archives")
    made = {}
    for name, make in NETWORKS.items():
        torch.manual_seed(len(name))
        made[name] = save(make(), folder / f"{name}.ts")
    return made


def save(network: nn.Module, path: Path) -> Path:
    torch.jit.script(network.eval()).save(str(path))  # type: ignore[no-untyped-call]
    return path


def engine(path: Path, limit: int = 1 << 34, **options: Any) -> _core.TorchEngine:
    return _core.TorchEngine(path, library=torch_path(), device="cpu", limit=limit, **options)


def picture(width: int, height: int, seed: int = 0) -> Plane:
    return np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)


@settings(max_examples=50, suppress_health_check=list(HealthCheck))
@given(
    name=st.sampled_from(sorted(NETWORKS)),
    width=st.integers(120, 420),
    height=st.integers(120, 420),
    share=st.floats(0.15, 1.1),
    batch=st.sampled_from([0, 0, 3]),
    seed=st.integers(0, 1 << 20),
)
def test_the_limit_holds_and_changes_no_value(
    archives: dict[str, Path], name: str, width: int, height: int, share: float, batch: int,
    seed: int,
) -> None:  # fmt: skip
    source = picture(width, height, seed)
    free = engine(archives[name])
    whole = free.run([source])[0]
    assert free.plan == (1, 1, 1)
    limit = int(free.use.memory.peak * share)
    try:
        held = engine(archives[name], limit, batch=batch)
    except MemoryLimitError:
        assert limit < 4 * MIB
        return
    if share < 1:
        try:
            result = held.run([source])[0]
        except MemoryLimitError as error:
            refusal = str(error)
            result = None
        assert held.use.memory.peak <= limit
        if result is None:
            assert "max_vram_mb" in refusal
            return
    else:
        result = held.run([source])[0]
    assert (result == whole).all()
    use = held.use.memory
    assert use.limit == limit
    assert use.peak <= limit
    if share < 0.95 and use.peak < 0.9 * free.use.memory.peak:
        assert held.plan != (1, 1, 1) or width * height <= 20480


@pytest.mark.parametrize("name", sorted(NETWORKS))
@pytest.mark.parametrize("batch", [1, 4])
def test_pieces_come_out_as_the_whole(archives: dict[str, Path], name: str, batch: int) -> None:
    source = picture(611, 397)
    free = engine(archives[name])
    whole = free.run([source])[0]
    held = engine(archives[name], free.use.memory.peak // 3, batch=batch)
    assert (held.run([source])[0] == whole).all()
    columns, rows, at_a_time = held.plan
    assert columns * rows >= 4
    assert held.use.retries == 0
    assert at_a_time <= batch
    assert held.use.memory.peak <= held.use.memory.limit


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_in_half_precision_pieces_differ_by_one_code_at_most(
    archives: dict[str, Path], precision: str
) -> None:
    source = picture(500, 300)
    free = engine(archives["plain16"], precision=precision)
    whole = free.run([source])[0].astype(int)
    held = engine(archives["plain16"], free.use.memory.peak // 3, precision=precision)
    assert np.abs(held.run([source])[0] - whole).max() <= 1
    columns, rows, _ = held.plan
    assert columns * rows > 1
    assert f"in {columns}x{rows} piece(s)" in held.describe()
    assert "piece" not in free.describe()


@pytest.mark.parametrize(
    ("network", "halo", "align"),
    [
        (plain(4, 0, 2), 2, 1),
        (plain(4, 5, 1), 7, 1),
        (plain(4, 1, 2, kernel=7), 9, 1),
        (nn.Sequential(nn.Conv2d(1, 4, 3, padding=40, dilation=40), nn.PixelShuffle(2)), 40, 1),
        (Coarse(), 4, 4),
        (nn.PixelShuffle(1), 0, 1),
    ],
)
def test_the_receptive_field_is_found(
    tmp_path: Path, network: nn.Module, halo: int, align: int
) -> None:
    assert engine(save(network, tmp_path / "net.ts")).cut_rules() == (halo, align, "")


@pytest.mark.parametrize(("what", "says"), [("mean", "whole picture"), ("ramp", "where in the")])
def test_a_network_that_sees_the_whole_picture_is_not_cut(
    tmp_path: Path, what: str, says: str
) -> None:
    path = save(WholePicture(what), tmp_path / "net.ts")
    assert says in engine(path).cut_rules()[2]
    source = picture(700, 600)
    free = engine(path)
    free.run([source])
    held = engine(path, free.use.memory.peak * 3 // 4)
    with pytest.raises(MemoryLimitError, match=f"cannot be cut, since .*{says}.*raise max_vram_mb"):
        held.run([source])
    assert held.use.memory.peak <= held.use.memory.limit


@pytest.mark.parametrize("batch", [1, 4])
def test_memory_that_runs_out_anywhere_loses_no_picture(
    archives: dict[str, Path], batch: int
) -> None:
    sources = [[picture(300, 200, seed)] for seed in range(3)]
    free = engine(archives["plain6"])
    whole = [free.run(planes)[0] for planes in sources]
    nth, plans = 0, set()
    while True:
        nth += 1
        held = engine(archives["plain6"], batch=batch)
        held.prepare(300, 200)
        assert held.plan == (1, 1, batch)
        held.fail_allocation(nth)
        results = held.run_batch(sources)
        held.fail_allocation(0)
        assert all((a[0] == b).all() for a, b in zip(results, whole, strict=True))
        if held.use.retries == 0:
            break
        assert held.use.retries == 1
        plans.add(held.plan)
        (note,) = held.take_notes()
        assert "memory ran out" in note
        assert "values stay the same" in note
    assert nth > 10
    assert plans == ({(1, 1, 2)} if batch > 1 else {(3, 1, 1)})


def test_blocks_are_used_again(archives: dict[str, Path]) -> None:
    """The kernel clears no new pages for a picture like those before, in whatever thread."""
    held = engine(archives["plain16"])
    source = [picture(900, 600)]
    faults = []

    def pictures() -> None:
        for _ in range(6):
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            held.run(source)
            faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

    thread = threading.Thread(target=pictures)
    thread.start()
    thread.join()
    assert max(faults[2:]) < held.use.memory.peak / resource.getpagesize(), faults


def _fail_always(held: _core.TorchEngine, source: Plane) -> None:
    while True:
        held.fail_allocation(3)
        held.run([source])


def test_memory_that_goes_on_running_out_ends_in_one_error(archives: dict[str, Path]) -> None:
    held = engine(archives["plain16"])
    for size in ((240, 200), (60, 50)):
        held.run([picture(*size)])
        with pytest.raises(MemoryLimitError, match=r"smallest pieces.*told to fail"):
            _fail_always(held, picture(*size))
        held.fail_allocation(0)
    free = engine(archives["plain16"]).run([picture(240, 200)])[0]
    assert (held.run([picture(240, 200)])[0] == free).all()


def test_everything_of_a_picture_is_freed_before_the_next(archives: dict[str, Path]) -> None:
    for limit in (1 << 34, 6 * MIB):
        held = engine(archives["plain16"], limit)
        model = held.use.memory.held
        assert 0 < model < MIB
        held.run([picture(300, 220)])
        peak = held.use.memory.peak
        for number in range(12):
            held.run([picture(300, 220, number)])
            assert held.use.memory.held == model
            assert held.use.memory.peak == peak
        assert peak <= limit


def test_others_are_neither_counted_nor_limited(archives: dict[str, Path]) -> None:
    held = engine(archives["plain16"], 4 * MIB)
    before = held.use.memory
    large = torch.ones(32 * MIB)
    assert held.use.memory.held == before.held
    assert held.use.memory.peak == before.peak
    kept = large.clone()
    del large, held
    gc.collect()
    assert float(kept[-1]) == 1


def test_two_engines_count_apart(archives: dict[str, Path]) -> None:
    one, two = engine(archives["plain16"]), engine(archives["plain24"])
    before = two.use.memory.peak
    one.run([picture(300, 220)])
    assert two.use.memory.peak == before
    assert one.use.memory.peak > before


def test_what_was_learned_is_remembered(archives: dict[str, Path], tmp_path: Path) -> None:
    path, folder = archives["plain16"], tmp_path / "cache"
    source = picture(320, 240)
    first = engine(path, 8 * MIB, cache_folder=str(folder))
    whole = first.run([source])[0]
    (kept,) = folder.iterdir()
    again = engine(path, 8 * MIB, cache_folder=str(folder))
    again.fail_allocation(10**6)
    again.prepare(320, 240)
    assert again.plan == first.plan
    assert again.use.memory.peak < first.use.memory.peak  # nothing was tried
    kept.write_bytes(kept.read_bytes()[:-9])
    torn = engine(path, 8 * MIB, cache_folder=str(folder))
    assert (torn.run([source])[0] == whole).all()
    held = engine(path, 8 * MIB, cache_folder=str(folder))
    held.prepare(320, 240)
    held.fail_allocation(2)
    held.run([source])
    after = engine(path, 8 * MIB, cache_folder=str(folder))
    after.prepare(320, 240)
    assert after.plan[0] * after.plan[1] > first.plan[0] * first.plan[1]


def test_a_job_in_pieces_gives_the_same_bytes_also_when_gone_on_with(tmp_path: Path) -> None:
    torch.manual_seed(3)
    path = save(plain(64, 1, 2), tmp_path / "net.ts")
    source = make_clip(tmp_path / "in.mkv", frames=36, width=320, height=240, codec="ffv1")
    options: dict[str, Any] = {
        "model": path,
        "codec": "ffv1",
        "disk_ratio": None,
        "segment_seconds": 0.5,
    }
    whole, pieces = tmp_path / "whole.mkv", tmp_path / "pieces.mkv"
    free = streamvsr.upscale(source, whole, **options)
    free_peak = free.performance_report["peak_vram_mb"]
    limit = int(free_peak * 0.5)
    assert limit >= 16
    config = streamvsr.StreamingConfig(**options, max_vram_mb=limit)
    job = _core.Job(api.job_config(config, str(source), str(pieces)))
    stop_after_a_segment(job)
    held = job.figures().device.memory
    assert 0 < held.peak <= held.limit == limit * MIB
    job.close()
    assert job.figures().device.memory.peak == held.peak
    result = streamvsr.upscale(source, pieces, **options, max_vram_mb=limit, resume=True)
    report = result.performance_report
    assert report["resumed_frames"] > 0
    assert 0 < report["peak_vram_mb"] <= limit
    assert report["retries"] == 0
    assert max(report["samples"]["vram_mb"]) <= limit
    assert pieces.read_bytes() == whole.read_bytes()


def test_a_limit_that_cannot_work_is_refused_before_any_work(tmp_path: Path) -> None:
    path = save(WholePicture("mean"), tmp_path / "net.ts")
    source = make_clip(tmp_path / "in.mkv", frames=3, width=1280, height=720, codec="ffv1")
    with pytest.raises(MemoryLimitError, match="1280x720 does not fit in max_vram_mb=16; it needs"):
        streamvsr.upscale(source, tmp_path / "out.mkv", scale=1, model=path, max_vram_mb=16)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["in.mkv", "net.ts"]
    job = _core.JobConfig()
    job.network_path, job.max_vram_mb = str(path), 15
    job.input, job.output = str(source), str(tmp_path / "out.mkv")
    with pytest.raises(ConfigError, match="max_vram_mb is 15: use at least 16"):
        _core.Job(job)
