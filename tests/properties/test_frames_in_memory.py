"""Frames live in memory, within the limit, and are gone before the next ones."""

from __future__ import annotations

import itertools
import os
import subprocess
import tempfile
from pathlib import Path

import pytest
import streamvsr
from helpers import cli_command
from hypothesis import given
from hypothesis import strategies as st
from streamvsr import MemoryLimitError, StreamingMonitor, StreamingVideoProcessor

from .films import Case, cases, examples
from .watch import FolderWatch


def _words(options: dict[str, object]) -> list[str]:
    words = []
    for name, value in options.items():
        words += [f"--{name.replace('_', '-')}", "none" if value is None else str(value)]
    return words


@examples(8)
@given(cases(most_frames=40))
def test_frames_never_touch_the_disk(case: Case) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        places = {place: folder / place for place in ("input", "output", "home", "tmp")}
        for place in places.values():
            place.mkdir()
        source = case.source(places["input"])
        target = places["output"] / f"out{case.target}"
        environment = {
            **os.environ,
            "HOME": str(places["home"]),
            "TMPDIR": str(places["tmp"]),
            "XDG_CACHE_HOME": str(places["home"]),
        }
        with FolderWatch(places.values()) as watch:
            done = subprocess.run(
                cli_command("upscale", source, target, *_words(case.options)), env=environment,
                cwd=places["tmp"], capture_output=True, text=True, check=False,
            )  # fmt: skip
        refused = done.returncode == 2 and "max_memory_mb" in done.stderr
        assert refused or done.returncode == 0, done.stderr
        ours = {f"{target}{end}" for end in ("", ".part", ".streamvsr.json", ".streamvsr.json.tmp")}
        assert watch.names <= ours
        assert refused or f"{target}.part" in watch.names


class _StoppedByTest(Exception):
    pass


@examples(12)
@given(cases(), st.one_of(st.none(), st.integers(0, 3)))
def test_frames_in_flight_stay_within_their_share_and_end_at_zero(
    case: Case, stop_at: int | None
) -> None:
    seen: list[float] = []
    monitors: list[StreamingMonitor] = []

    def look(progress: streamvsr.Progress) -> None:
        monitors.append(progress.monitor)
        seen.append(progress.memory_mb)
        if stop_at is not None and progress.segments_done >= stop_at:
            raise _StoppedByTest

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        processor = StreamingVideoProcessor(case.options)
        try:
            result = processor.process(
                case.source(folder), folder / f"out{case.target}", progress=look
            )
        except _StoppedByTest:
            result = None
        details = processor.monitor.get_realtime_stats()["details"]
        if result is not None and isinstance(result.exception, MemoryLimitError):
            return
        assert details["frames_mb"] == 0
        assert all(fill["items"] == 0 for fill in details["queues"].values())
        limits = [fill["limit"] for fill in details["queues"].values()]
        assert all(megabytes <= sum(limits) / 2**20 for megabytes in seen)
        assert sum(limits) <= case.options["max_memory_mb"] * 2**20
        if result is not None:
            result.raise_for_error()
            report = result.performance_report
            assert 0 < report["peak_frames_mb"] <= sum(limits) / 2**20
            assert report["memory_plan_mb"]["used"] <= case.options["max_memory_mb"]


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_nothing_is_in_flight_behind_a_job_that_was_stopped(
    long_clip: Path, tmp_path: Path, steps: int
) -> None:
    looks = itertools.count(1)
    most = 0.0

    def look(progress: streamvsr.Progress) -> None:
        nonlocal most
        most = max(most, progress.memory_mb)
        if next(looks) >= steps and progress.memory_mb > 0:
            raise _StoppedByTest

    processor = StreamingVideoProcessor({"model": "nearest", "encoder_preset": "medium"})
    with pytest.raises(_StoppedByTest):
        processor.process(long_clip, tmp_path / "out.mkv", progress=look)
    details = processor.monitor.get_realtime_stats()["details"]
    assert most > 0
    assert details["frames_done"] < 400
    assert details["frames_mb"] == 0
    assert all(fill["items"] == 0 for fill in details["queues"].values())
