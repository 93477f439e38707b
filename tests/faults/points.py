"""SIGKILL around every single call that changes the disk, and around every one of the rerun too."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from random import Random

from faults.campaign import Counts, Task
from faults.jobs import JOBS, Bench, Case
from faults.shim import operations

MODES = ("before", "torn", "after")
OLDER = b"what the output was before"


def singles(
    bench: Bench, container: str, modes: tuple[str, ...] = MODES, job: str = "short"
) -> Iterator[Task]:
    """Every call of a job, killed in each of the modes."""
    for index in range(1, bench.reference(JOBS[job], container).operations + 1):
        for mode in modes:
            yield _task(bench, container, job, (f"op {index} kill-{mode}",))


def torn_writes(bench: Bench, container: str, job: str = "short") -> Iterator[Task]:
    """Every write of a job, killed when half of it was done."""
    for call in operations(bench.reference(JOBS[job], container).calls):
        if call.is_write:
            yield _task(bench, container, job, (f"op {call.index} kill-torn",))


def torn_patches(bench: Bench, container: str, seed: int = 0, count: int = 0) -> Iterator[Task]:
    """Every write over older contents, in every job, killed when a part of it was done.

    count: so many of these, drawn from all; 0: every one.
    """
    found = []
    for name, job in JOBS.items():
        sizes: dict[str, int] = {}
        for call in operations(bench.reference(job, container).calls):
            if call.is_write:
                if call.offset < sizes.get(call.path, 0):
                    found.append((name, call.index))
                sizes[call.path] = max(sizes.get(call.path, 0), call.offset + call.result)
            elif call.created or (call.kind == "open" and call.offset & os.O_TRUNC):
                sizes[call.path] = 0
    rng = Random(f"patches {seed} {container}")
    for name, index in rng.sample(found, min(count or len(found), len(found))):
        yield _task(bench, container, name, (f"op {index} kill-torn",))


def after_last(bench: Bench, container: str, job: str = "short") -> Iterator[Task]:
    last = bench.reference(JOBS[job], container).operations
    yield _task(bench, container, job, (f"op {last} kill-after",))


def overwriting(
    bench: Bench, container: str, seed: int, count: int = 0, job: str = "short"
) -> Iterator[Task]:
    """With an older output to replace, which is there until the new one is whole.

    count: so many calls, drawn from all; 0: every one.
    """
    calls = range(1, bench.reference(JOBS[job], container).operations + 1)
    rng = Random(f"overwriting {seed} {container}")
    for index in rng.sample(calls, min(count or len(calls), len(calls))):
        yield _task(bench, container, job, (f"op {index} kill-before",), OLDER)


def pairs(
    bench: Bench, container: str, seed: int, count: int, job: str = "short"
) -> Iterator[Task]:
    """Killed at one call, the rerun killed at another; drawn from all such pairs."""
    calls = bench.reference(JOBS[job], container).operations
    rng = Random(f"pairs {seed} {container}")
    for _ in range(count):
        yield _task(
            bench, container, job,
            tuple(f"op {rng.randint(1, calls)} kill-{rng.choice(MODES)}" for _ in range(2)),
        )  # fmt: skip


def _task(
    bench: Bench, container: str, job: str, plans: tuple[str, ...], older: bytes | None = None
) -> Task:
    label = f"{job} {container} {' then '.join(plans)}{' with an older output' if older else ''}"

    def work() -> Counts:
        counts: Counts = Counter()
        with bench.case(JOBS[job], container, older=older) as case:
            for number, plan in enumerate(plans):
                end = case.run(plan)
                if number > 0 and end.code != -9:  # the rerun had fewer calls than this
                    assert end.code == 0 or _was_done(case, end.code), f"{case}: {end.said}"
                    break
                assert end.code == -9, f"{case}: not killed but {end.code}: {end.said}"
                counts["kills"] += 1
                case.check_remains()
            case.finish()
        return counts

    return Task(label, work)


def _was_done(case: Case, code: int) -> bool:
    return code == 2 and case.output.exists()
