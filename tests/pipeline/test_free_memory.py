"""Without max_memory_mb: the job takes what it needs, within half of what is free."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from helpers import make_clip, numbers, run
from memory_of import memory_of
from streamvsr import MemoryLimitError, StreamingConfig, _core, api

MB = 1 << 20
SMALL: dict[str, Any] = {"model": "nearest", "encoder_threads": 2, "decoder_threads": 2}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 frames of 480 x 270."""
    folder = tmp_path_factory.mktemp("free")
    return make_clip(folder / "film.mp4", frames=60, width=480, height=270)


def _job(source: Path, target: Path, available: int | None = None, **options: Any) -> _core.Job:
    config = api.job_config(StreamingConfig(**options), str(source), str(target))
    return _core.Job(config) if available is None else _core.Job(config, available * MB)


@pytest.mark.parametrize(
    ("size", "pixels", "options"),
    [
        ("1920x1080", "yuv420p10le", {}),
        ("3840x2160", "yuv420p", {}),
        ("1280x720", "yuv420p", {"scale": 4}),
        ("1920x1080", "yuv420p", {"codec": "hevc"}),
        ("1920x1080", "yuv420p", {"codec": "av1", "encoder_preset": "12"}),
    ],
    ids=["10 bit", "4K", "x4", "hevc", "av1"],
)
def test_ordinary_jobs_are_planned_by_default(
    tmp_path: Path, size: str, pixels: str, options: dict[str, Any]
) -> None:
    source = tmp_path / "film.mkv"
    run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=s={size}:r=25:d=0.2", "-vf",
         f"format={pixels},noise=alls=60", "-c:v", "libx265", "-preset", "ultrafast",
         "-x265-params", "log-level=error", str(source)])  # fmt: skip
    # A real, small choice of threads: what a machine of two cores takes.
    plan = _job(source, tmp_path / "out.mp4", **SMALL, **options).plan
    assert plan.memory.used > 1024 * MB
    assert plan.memory.limit == plan.memory.used
    assert plan.memory.limit <= _core.available_memory() / 2
    assert plan.memory.change == ""


@pytest.mark.parametrize(
    ("codec", "first", "then"),
    [("h264", 250, None), ("h264", 250, 64), ("hevc", None, 64), ("hevc", 340, 900)],
)
def test_a_resumed_job_keeps_its_settings_whatever_is_free(
    film: Path, tmp_path: Path, codec: str, first: int | None, then: int | None
) -> None:
    options = {**SMALL, "codec": codec, "encoder_preset": "fast", "segment_seconds": 1}
    whole, target = tmp_path / "whole.mp4", tmp_path / "out.mp4"
    once = _job(film, whole, first, **options)
    assert (once.plan.memory.change == "") == (first is None)
    report = once.run()
    assert (once.plan.memory.change in report.warnings) == (first is not None)

    def stop(progress: _core.Progress) -> None:
        if progress.segments_done > 0:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        _job(film, target, first, **options).run(stop, 0.001)
    again = _job(film, target, then, **options)
    assert again.plan.resumed_frames > 0
    assert again.plan.encoder_lookahead == once.plan.encoder_lookahead
    again.run()
    assert target.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_what_does_not_fit_is_refused_with_remedies_that_work(
    film: Path, tmp_path: Path, codec: str
) -> None:
    target, options = tmp_path / "out.mp4", {**SMALL, "codec": codec}
    least = {"h264": 130, "hevc": 200, "av1": 400}[codec]
    with pytest.raises(MemoryLimitError, match="that are free") as refusal:
        _job(film, target, least, **options)
    assert list(tmp_path.iterdir()) == []
    text = str(refusal.value)
    remedies = dict(re.findall(r"set (\w+)='?(\w+)'?", text))
    assert "max_memory_mb" in remedies or "encoder_preset" in remedies or "codec" in remedies
    for name, value in remedies.items():
        changed = {**options, name: int(value) if value.isdigit() else value}
        assert _job(film, target, least, **changed).plan.frames == 60
    # A limit of the user's own is kept, whatever is free.
    found = re.search(r"needs (\d+) MB", text)
    assert found is not None
    with pytest.raises(MemoryLimitError):
        _job(film, target, 64, **options, max_memory_mb=int(found[1]) - 1)
    assert _job(film, target, 64, **options, max_memory_mb=int(found[1])).plan.frames == 60


def test_pictures_between_the_stages_have_a_limit_of_their_own(film: Path, tmp_path: Path) -> None:
    plan = _job(film, tmp_path / "out.mp4", **SMALL, max_frames_mb=64, codec="hevc").plan
    assert plan.memory.source + plan.memory.enhanced <= 64 * MB < plan.memory.encoder
    big = tmp_path / "big.mkv"
    run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=3840x2160:r=25:d=0.1", "-c:v",
         "libx264", "-preset", "ultrafast", str(big)])  # fmt: skip
    with pytest.raises(MemoryLimitError, match="max_frames_mb=64") as refusal:
        _job(big, tmp_path / "out.mp4", **SMALL, max_frames_mb=64)
    found = re.findall(r"max_frames_mb=(\d+)", str(refusal.value))
    plan = _job(big, tmp_path / "out.mp4", **SMALL, max_frames_mb=int(found[-1])).plan
    assert plan.memory.source + plan.memory.enhanced <= int(found[-1]) * MB


# Codec, depth, scale and the memory that the kernel lets the process take, MB.
UNDER_A_LIMIT: list[tuple[str, str, int, int]] = [
    ("h264", "yuv420p", 2, 560), ("h264", "yuv420p10le", 2, 840), ("h264", "yuv420p", 4, 1400),
    ("hevc", "yuv420p", 2, 800), ("av1", "yuv420p10le", 2, 2000), ("ffv1", "yuv420p10le", 2, 1000),
]  # fmt: skip


@pytest.mark.parametrize(("codec", "pixels", "scale", "free"), UNDER_A_LIMIT)
def test_a_job_runs_under_the_kernels_own_limit(
    film: Path, tmp_path: Path, codec: str, pixels: str, scale: int, free: int
) -> None:
    options: dict[str, Any] = {**SMALL, "codec": codec, "pixel_format": pixels, "scale": scale}
    options["encoder_preset"] = {"av1": "12", "ffv1": None}.get(codec, "veryfast")
    if codec == "ffv1":
        options["disk_ratio"] = None
    figures = memory_of(film, tmp_path / "out.mkv", free_mb=free, **options)
    assert figures.report["frames"] == 60
    assert figures.limit <= free / 4  # half of what is free, of memory that is virtual
    assert figures.peak <= figures.limit + figures.report["memory_plan_mb"]["workspace"]
    assert numbers(tmp_path / "out.mkv") == list(range(60))
