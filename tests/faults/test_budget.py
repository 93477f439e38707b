"""A budget that binds gives one file, whatever else the machine does."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamvsr

from faults import budget
from faults.campaign import run_all
from faults.jobs import Bench


@pytest.mark.parametrize("codec", budget.JOBS)
def test_under_load_and_after_kills(bench: Bench, seed: int, times: float, codec: str) -> None:
    name = budget.JOBS[codec].name
    tasks = budget.tasks(bench, "mp4", seed, max(1, round(times)))
    mine = [task for task in tasks if name in task.label]
    # One under load, and one that is killed.
    run_all(mine if times > 1 else (mine[0], mine[-1]))


@pytest.mark.parametrize("codec", budget.JOBS)
def test_the_budget_binds(bench: Bench, tmp_path: Path, codec: str) -> None:
    """Else the suite would show nothing."""
    job = budget.JOBS[codec]
    options = dict(zip(job.options[::2], job.options[1::2], strict=True))
    report = streamvsr.upscale(
        bench.clip(job), tmp_path / "out.mp4", model="nearest", codec=codec, disk_ratio=1.02,
        encoder_preset=options["--encoder-preset"], encoder_threads=3,
        segment_seconds=float(options["--segment-seconds"]),
    ).performance_report["disk_budget"]  # fmt: skip
    assert report["bound_segments"] == report["segments"] >= 2
