"""The input while it is read."""

from __future__ import annotations

from faults import input_side
from faults.campaign import run_all
from faults.jobs import Bench


def test_an_input_that_changes(bench: Bench, seed: int, times: float, every_container: str) -> None:
    run_all(input_side.changed(bench, every_container, seed, int(8 * times)))


def test_an_input_that_cannot_be_read(
    bench: Bench, seed: int, times: float, every_container: str
) -> None:
    run_all(input_side.unreadable(bench, every_container, seed, int(8 * times)))
