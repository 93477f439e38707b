"""Killed at every single call, and at pairs of them."""

from __future__ import annotations

from faults import points
from faults.campaign import run_all
from faults.jobs import JOBS, Bench


def test_every_call(bench: Bench, every_container: str) -> None:
    counts = run_all(points.singles(bench, every_container, ("before",)))
    assert counts["kills"] == bench.reference(JOBS["short"], every_container).operations


def test_every_write_torn(bench: Bench, every_container: str) -> None:
    run_all(points.torn_writes(bench, every_container))


def test_patches_torn(bench: Bench, seed: int, times: float, every_container: str) -> None:
    run_all(points.torn_patches(bench, every_container, seed, int(15 * times)))


def test_after_the_last_call(bench: Bench, every_container: str) -> None:
    run_all(points.after_last(bench, every_container))


def test_with_an_older_output(bench: Bench, seed: int, times: float, every_container: str) -> None:
    run_all(points.overwriting(bench, every_container, seed, int(15 * times)))


def test_pairs(bench: Bench, seed: int, times: float, every_container: str) -> None:
    run_all(points.pairs(bench, every_container, seed, int(20 * times)))
