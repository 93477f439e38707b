"""The input: cut, changed, unreadable or slow while it is read."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterator
from functools import partial
from random import Random
from typing import Protocol

from faults.campaign import Counts, Task
from faults.jobs import JOBS, Bench, Case, Outcome


class _Check(Protocol):
    def __call__(self, case: Case, end: Outcome) -> None: ...


NAMES = ("wide", "intra", "tail")  # inputs of many reads


def changed(bench: Bench, container: str, seed: int, count: int) -> Iterator[Task]:
    """The input becomes another one while the job runs: refused, and nothing of it is kept."""
    rng = Random(f"changed {seed} {container}")
    for number in range(count):
        job = JOBS[NAMES[number % len(NAMES)]]
        planning, reads = _reads(bench, job.name, container)
        size = bench.clip(job).stat().st_size
        action = rng.choice(("truncate", "change"))
        at = rng.randint(size // 8, size - 64)
        plan = f"input {rng.randint(planning + 1, reads)} {action} {at}"
        yield _task(bench, job.name, container, plan, _changed)


def unreadable(bench: Bench, container: str, seed: int, count: int) -> Iterator[Task]:
    """A read fails, also while the job is planned."""
    rng = Random(f"unreadable {seed} {container}")
    for number in range(count):
        name = NAMES[number % len(NAMES)]
        index = rng.randint(1, _reads(bench, name, container)[1])
        yield _task(bench, name, container, f"input {index} errno {errno.EIO}", _unreadable)


def _reads(bench: Bench, name: str, container: str) -> tuple[int, int]:
    """How many reads of the input there are before the first change of the disk, and in all."""
    calls = bench.reference(JOBS[name], container).calls
    begun = next(number for number, call in enumerate(calls) if call.group == "op")
    planning = sum(call.group == "input" for call in calls[:begun])
    return planning, sum(call.group == "input" for call in calls)


def _task(bench: Bench, name: str, container: str, plan: str, check: _Check) -> Task:
    return Task(f"{name} {container} {plan}", partial(_run, bench, name, container, plan, check))


def _run(bench: Bench, name: str, container: str, plan: str, check: _Check) -> Counts:
    with bench.case(JOBS[name], container) as case:
        check(case, case.run(plan))
        case.restore_input()
        case.finish()
    return Counter(refused=1)


def _changed(case: Case, end: Outcome) -> None:
    if end.code == 0:  # all of it had been read
        case.check_output()
        case.output.unlink()
        return
    assert end.code == 1, f"{case}: {end.code}: {end.said}"
    _check_complaint(case, end)


def _unreadable(case: Case, end: Outcome) -> None:
    if end.code == 0:  # it asked again, or went without what it did not need
        case.check_output()
        case.output.unlink()
        return
    assert end.code in (1, 2), f"{case}: {end.code}: {end.said}"
    _check_complaint(case, end)


def _check_complaint(case: Case, end: Outcome) -> None:
    case.check_complaint(end)
    assert os.fspath(case.source) in end.said, f"{case}: {end.said}"
    assert not case.output.exists()
    case.check_remains()
