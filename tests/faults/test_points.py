"""Killed at every single call, and at pairs of them."""

from __future__ import annotations

from itertools import islice

from faults import points
from faults.campaign import run_all
from faults.jobs import JOBS, Bench


def test_every_call(bench: Bench, seed: int, times: float, every_container: str) -> None:
    """Every third call, from a drawn one on; every one where more is asked for."""
    step, start = _thinned(seed, times)
    counts = run_all(islice(points.singles(bench, every_container, ("before",)), start, None, step))
    calls = bench.reference(JOBS["short"], every_container).operations
    assert counts["kills"] == len(range(start, calls, step))


def test_every_write_torn(bench: Bench, seed: int, times: float, every_container: str) -> None:
    step, start = _thinned(seed, times)
    run_all(islice(points.torn_writes(bench, every_container), start, None, step))


def _thinned(seed: int, times: float) -> tuple[int, int]:
    step = 3 if times <= 1 else 1
    return step, seed % step


def test_patches_torn(bench: Bench, seed: int, times: float, every_container: str) -> None:
    run_all(points.torn_patches(bench, every_container, seed, int(8 * times)))


def test_after_the_last_call(bench: Bench, every_container: str) -> None:
    run_all(points.after_last(bench, every_container))


def test_with_an_older_output(bench: Bench, seed: int, times: float, every_container: str) -> None:
    run_all(points.overwriting(bench, every_container, seed, int(8 * times)))


def test_pairs(bench: Bench, seed: int, times: float, every_container: str) -> None:
    run_all(points.pairs(bench, every_container, seed, int(10 * times)))
