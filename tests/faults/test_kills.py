"""Killed at random moments."""

from __future__ import annotations

import pytest

from faults import kills
from faults.campaign import run_all
from faults.jobs import JOBS, Bench


def test_random_moments(bench: Bench, seed: int, times: float, every_container: str) -> None:
    run_all(
        kills.tasks(bench, every_container, seed),
        goal=lambda c: c["kills"] >= 16 * times and c["torn"] > 0,
    )


@pytest.mark.parametrize("job", ["short", "bframes"])
def test_garbage_from_another_file(bench: Bench, every_container: str, job: str) -> None:
    """What lies behind the durable length never matters, however much it looks like output."""
    with bench.case(JOBS[job], every_container) as other:
        assert other.run().code == 0
        garbage = other.output.read_bytes()
    for index in range(20, bench.reference(JOBS[job], every_container).operations, 24):
        with bench.case(JOBS[job], every_container) as case:
            assert case.run(f"op {index} kill-after").code == -9
            if case.part.exists():
                with case.part.open("ab") as part:
                    part.write(garbage)
            case.finish()
