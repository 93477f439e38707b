"""What is measured while a job runs, what is warned of, and what is told of it in the end."""

from __future__ import annotations

import json
import logging
import random
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import streamvsr
from helpers import make_clip
from hypothesis import given
from hypothesis import strategies as st
from streamvsr import StreamingMonitor, StreamingVideoProcessor, monitor
from streamvsr.eta import RemainingTime

FAST: dict[str, Any] = {"model": "nearest", "encoder_preset": "ultrafast", "segment_seconds": 1}
KEYS = {
    "memory_usage_mb", "vram_usage_mb", "processing_fps", "disk_io_ops", "eta_seconds", "details",
}  # fmt: skip
GROWING = ("seconds", "frames_done", "segments_done", "bytes_read", "bytes_written")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("film")
    return make_clip(
        folder / "in.mkv", frames=300, width=320, height=240, audio="aac",
        options=("-preset", "ultrafast"),
    )  # fmt: skip


def _check_stats(stats: dict[str, Any]) -> None:
    assert stats.keys() == KEYS
    for name in KEYS - {"details", "disk_io_ops"}:
        assert isinstance(stats[name], float)
    assert isinstance(stats["disk_io_ops"], int)
    assert 5 < stats["memory_usage_mb"] < 20_000
    assert stats["vram_usage_mb"] == 0
    assert stats["processing_fps"] >= 0
    assert stats["eta_seconds"] >= 0 or stats["eta_seconds"] == -1
    interval = stats["details"]["eta_interval_seconds"]
    assert (interval is None) == (stats["eta_seconds"] == -1)
    if interval is not None:
        assert 0 <= interval[0] <= stats["eta_seconds"] <= interval[1]
    json.dumps(stats)


def test_figures_while_a_job_runs(film: Path, tmp_path: Path) -> None:
    processor = StreamingVideoProcessor(FAST)
    _check_stats(processor.monitor.get_realtime_stats())
    assert "frames_done" not in processor.monitor.get_realtime_stats()["details"]
    seen: list[dict[str, Any]] = []
    monitors: set[Any] = set()

    def look(progress: streamvsr.Progress) -> None:
        monitors.add(progress.monitor)
        seen.append(progress.monitor.get_realtime_stats())

    result = processor.process(film, tmp_path / "out.mp4", progress=look)
    assert result.success, result.error
    assert monitors == {processor.monitor}
    last = processor.monitor.get_realtime_stats()
    assert not last["details"]["running"]
    assert last["eta_seconds"] == 0
    assert last["details"]["frames_done"] == 300
    assert last["processing_fps"] > 0
    assert len(seen) >= 2
    assert all(stats["details"]["running"] for stats in seen)
    report = result.performance_report
    assert last["details"]["bytes_read"] == report["bytes_read"]
    assert last["details"]["bytes_written"] == report["bytes_written"]
    for stats in [*seen, last]:
        _check_stats(stats)
        for fill in stats["details"]["queues"].values():
            assert fill["bytes"] == 0 if fill["items"] == 0 else fill["bytes"] >= 0
            assert fill["bytes"] <= fill["limit"]
    assert max(stats["details"]["frames_mb"] for stats in seen) > 0
    for before, after in zip(seen, [*seen[1:], last], strict=True):
        assert after["disk_io_ops"] >= before["disk_io_ops"]
        for name in GROWING:
            assert after["details"][name] >= before["details"][name], name
        for name, times in after["details"]["stages"].items():
            for figure, value in times.items():
                assert value >= before["details"]["stages"][name][figure]
    middle = seen[len(seen) // 2]["details"]
    assert 0 < middle["bytes_read"] <= last["details"]["bytes_read"]
    # A stage is busy or waits, all the time it is there.
    for name, times in last["details"]["stages"].items():
        assert times["busy_seconds"] > 0, name
        spent = times["busy_seconds"] + times["wait_seconds"]
        assert spent <= last["details"]["seconds"]
        assert report[f"{name}_seconds"] <= times["busy_seconds"]
        assert report[f"{name}_wait_seconds"] == times["wait_seconds"]
        assert report[f"{name}_stalls"] == times["stalls"]
    assert last["details"]["stages"]["write"]["wait_seconds"] > 0


def test_nothing_is_left_of_a_job_too_short_to_foretell(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mkv", frames=2)
    processor = StreamingVideoProcessor(FAST)
    assert processor.monitor.get_realtime_stats()["eta_seconds"] == -1
    assert processor.process(clip, tmp_path / "out.mkv").success
    assert processor.monitor.get_realtime_stats()["eta_seconds"] == 0


def test_only_the_video_files_are_open(film: Path, tmp_path: Path) -> None:
    source = tmp_path / "films" / "in.mkv"
    source.parent.mkdir()
    source.write_bytes(film.read_bytes())
    target = tmp_path / "out.mkv"
    other = tmp_path / "films" / "other"
    allowed = {str(source), *(f"{target}{end}" for end in (
        ".part", ".streamvsr.json", ".streamvsr.json.tmp",
    ))}  # fmt: skip
    seen: set[str] = set()

    def look(progress: streamvsr.Progress) -> None:
        seen.update(progress.monitor.get_realtime_stats()["details"]["open_files"])

    processor = StreamingVideoProcessor(FAST)
    result = processor.process(source, target, progress=look)
    assert result.success, result.error
    assert {str(source), f"{target}.part"} <= seen <= allowed
    assert set(result.performance_report["files_open"]) <= allowed
    assert f"{target}.part" in result.performance_report["files_open"]
    assert processor.monitor.get_realtime_stats()["details"]["open_files"] == []
    # It sees what is there.
    with other.open("w"):
        assert processor.monitor.get_realtime_stats()["details"]["open_files"] == [str(other)]


def test_figures_from_another_thread(film: Path, tmp_path: Path) -> None:
    processor = StreamingVideoProcessor(FAST)
    ended = threading.Event()
    problems: list[BaseException] = []

    def ask() -> None:
        try:
            while not ended.is_set():
                _check_stats(processor.monitor.get_realtime_stats())
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            result = processor.process(film, tmp_path / "out.mkv")
            assert result.success, result.error
            (tmp_path / "out.mkv").unlink()
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert problems == []


def test_too_much_memory_is_warned_of_once_and_spared(
    film: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    free = {**FAST, "disk_ratio": None}  # a budget has a warning of its own
    streamvsr.upscale(film, tmp_path / "whole.mkv", **free)
    seen: list[dict[str, Any]] = []

    def look(progress: streamvsr.Progress) -> None:
        seen.append(progress.monitor.get_realtime_stats()["details"]["queues"])

    with caplog.at_level(logging.WARNING, "streamvsr"):
        result = StreamingVideoProcessor({**free, "memory_warning_mb": 1}).process(
            film, tmp_path / "out.mkv", None, None, progress=look
        )
    assert result.success, result.error
    said = [record.getMessage() for record in caplog.records if record.name == "streamvsr"]
    assert len(said) == 1
    assert "more than 1 MB" in said[0]
    assert [text for text in result.warnings if "MB of memory" in text] == said
    plan = result.performance_report["memory_plan_mb"]
    for name, share in (("read", "source"), ("computed", "enhanced")):
        assert 0 < seen[-1][name]["limit"] <= plan[share] * 2**20 / 2
    assert all(fill["items"] <= 1 for fill in seen[-1].values())
    assert (tmp_path / "out.mkv").read_bytes() == (tmp_path / "whole.mkv").read_bytes()


def test_enough_memory_is_not_warned_of(
    film: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    free = {**FAST, "disk_ratio": None}  # a budget has a warning of its own
    with caplog.at_level(logging.WARNING, "streamvsr"):
        result = StreamingVideoProcessor(free).process(film, tmp_path / "out.mkv")
    assert result.warnings == []
    assert caplog.records == []


def test_the_report_holds_samples(film: Path, tmp_path: Path) -> None:
    report = streamvsr.upscale(film, tmp_path / "out.mkv", **FAST).performance_report
    samples = report["samples"]
    lengths = {len(values) for values in samples.values()}
    assert len(lengths) == 1
    assert lengths.pop() >= 1
    for name in ("seconds", "frames_done", "bytes_read", "bytes_written"):
        assert samples[name] == sorted(samples[name])
    assert report["peak_sampled_mb"] >= max(samples["memory_mb"])
    assert report["disk_io_ops"] > 0
    json.dumps(report)


# --- samples --------------------------------------------------------------------------------------


@given(
    most=st.integers(2, 40),
    gaps=st.lists(st.floats(0.001, 3), min_size=1, max_size=400),
)
def test_samples_are_bounded_and_cover_the_run(most: int, gaps: list[float]) -> None:
    series = monitor.SampleSeries(most, 0.25)
    now, taken = 0.0, []
    for gap in gaps:
        if series.wants(now):
            taken.append(now)
            series.add({"seconds": now, "value": 2 * now})
            assert len(series.columns()["seconds"]) <= most
        now += gap
    kept = series.columns()
    assert kept["value"] == [2 * seconds for seconds in kept["seconds"]]
    assert kept["seconds"][0] == 0
    assert kept["seconds"][-1] == taken[-1]
    assert set(kept["seconds"]) <= set(taken)
    if len(taken) <= most:
        assert kept["seconds"] == taken
    else:
        # Evenly thinned: no hole is longer than two intervals and a gap between two looks.
        holes = [b - a for a, b in zip(kept["seconds"], kept["seconds"][1:], strict=False)]
        assert max(holes, default=0) <= 2 * series.interval + max(gaps) + 1e-9


# --- the time that is left ------------------------------------------------------------------------


def _covered(rng: random.Random, frames_a_step: int, spread: float) -> bool | None:
    """A steady job, asked at a random place: whether the interval holds what it then takes."""
    steps = rng.randint(10, 120)
    asked = rng.randint(4, steps - 1)
    rest = RemainingTime()
    rest.add(0.0, 0)
    now, told = 0.0, None
    for step in range(1, steps + 1):
        now += frames_a_step * max(0.01, rng.gauss(1.0, spread)) / 24
        if step <= asked:
            rest.add(now, step * frames_a_step)
        if step == asked:
            told, then = rest.estimate(now, steps * frames_a_step), now
    assert told is not None
    return told[1] <= now - then <= told[2]


@pytest.mark.parametrize("spread", [0.02, 0.2])
@pytest.mark.parametrize("frames_a_step", [1, 25])
def test_the_interval_covers_what_a_steady_job_takes(frames_a_step: int, spread: float) -> None:
    rng = random.Random(1)
    covered = sum(bool(_covered(rng, frames_a_step, spread)) for _ in range(2000)) / 2000
    assert 0.87 <= covered <= 0.93


@given(
    pace=st.floats(0.001, 100), frames=st.integers(1, 50), done=st.integers(4, 100),
    left=st.integers(0, 1000),
)  # fmt: skip
def test_a_job_without_spread_is_known_exactly(
    pace: float, frames: int, done: int, left: int
) -> None:
    rest = RemainingTime()
    for step in range(done + 1):
        rest.add(step * frames * pace, step * frames)
    told = rest.estimate(done * frames * pace, (done + left) * frames)
    assert told is not None
    assert told[0] == pytest.approx(left * frames * pace, rel=1e-6)
    assert told[1] <= told[0] <= told[2]
    assert told[2] - told[1] <= 1e-4 * (1 + told[0])
    assert rest.frames_per_second == pytest.approx(1 / pace, rel=1e-6)


def test_time_that_passes_without_a_frame_counts() -> None:
    rest = RemainingTime()
    for step in range(6):
        assert rest.estimate(step, 100) is None or step > 3
        rest.add(float(step), 10 * step)
    assert rest.estimate(5.0, 100) == pytest.approx((5.0, 5.0, 5.0))
    assert rest.estimate(7.0, 100) == pytest.approx((3.0, 3.0, 3.0))
    assert rest.estimate(70.0, 100) == (0.0, 0.0, 0.0)


# --- drawing --------------------------------------------------------------------------------------


def test_drawing_needs_matplotlib(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = streamvsr.upscale(film, tmp_path / "out.mkv", **FAST).performance_report
    with pytest.raises(ValueError, match="no samples"):
        streamvsr.plot_report({}, tmp_path / "plot.png")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        streamvsr.plot_report(report, tmp_path / "plot.png")


def test_a_report_is_drawn(film: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report = streamvsr.upscale(film, tmp_path / "out.mkv", **FAST).performance_report
    streamvsr.plot_report(report, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_a_monitor_works_alone() -> None:
    _check_stats(StreamingMonitor().get_realtime_stats())
