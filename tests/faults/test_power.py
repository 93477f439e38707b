"""The power fails."""

from __future__ import annotations

import pytest

from faults import power
from faults.campaign import run_all
from faults.jobs import Bench


def test_cut_anywhere(bench: Bench, seed: int, times: float, every_container: str) -> None:
    run_all(power.tasks(bench, every_container, seed), goal=lambda c: c["cuts"] >= 16 * times)


def test_the_model_misses_no_missing_sync(bench: Bench, every_container: str) -> None:
    """A program whose fsync did nothing would not pass."""
    tasks = [power.without_syncs(bench, every_container, number) for number in range(12)]
    with pytest.raises(AssertionError, match="failed"):
        run_all(tasks)
