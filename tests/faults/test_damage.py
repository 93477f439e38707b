"""Damaged inputs give the same every time."""

from __future__ import annotations

from faults import damage
from faults.campaign import run_all
from faults.jobs import Bench


def test_damage_repeats(bench: Bench, seed: int, times: float, every_container: str) -> None:
    counts = run_all(damage.tasks(bench, every_container, seed, int(4 * times)))
    assert counts["processed"] > 0
