"""Calls that fail: every call with every error it can give, a disk that is full and stays full.

A failing job ends with one clear line and leaves what a rerun can go on from, or nothing. Calls
that only take longer, or do half, must not be noticed.
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Container, Iterator
from random import Random

from faults.campaign import Counts, Task
from faults.disk import Disk, store
from faults.jobs import JOBS, Bench, Case, Outcome
from faults.shim import ERRORS, INTERRUPTIBLE, Call, operations

# What a file system without RENAME_NOREPLACE, or without hard links too, answers.
_NO_RENAMEAT2 = (errno.EINVAL, errno.ENOSYS)


def every_error(
    bench: Bench, container: str, seed: int, count: int = 0, job: str = "short"
) -> Iterator[Task]:
    """Every call fails with every error that it can give.

    count: so many of these, drawn from all, no two of one call as long as there are others; 0: all.
    """
    rng = Random(f"errors {seed} {container}")
    calls = operations(bench.reference(JOBS[job], container).calls)
    choices = [(n, call, e) for call in calls for n, e in enumerate(_shuffled(call, rng))]
    rng.shuffle(choices)
    choices.sort(key=lambda choice: choice[0])
    for _, call, number in choices[: count or len(choices)]:
        yield _task(bench, container, job, f"op {call.index} errno {number}", call)


def _shuffled(call: Call, rng: Random) -> list[int]:
    return rng.sample(ERRORS[call.kind], len(ERRORS[call.kind]))


def full_disk(bench: Bench, container: str, step: int = 1, job: str = "short") -> Iterator[Task]:
    """From a write on every further one fails: at once, or after half of one was written."""
    writes = [c for c in operations(bench.reference(JOBS[job], container).calls) if c.is_write]
    for call in writes[::step]:
        for number in (errno.ENOSPC, errno.EDQUOT):
            yield _task(bench, container, job, f"op {call.index}+ errno {number}", call)
        half = f"op {call.index} short;op {call.index + 1}+ errno {errno.ENOSPC}"
        yield _task(bench, container, job, half, call)


def reads_fail(bench: Bench, container: str, seed: int, count: int) -> Iterator[Task]:
    """A rerun that cannot look at what lies there: it fails and harms nothing, or succeeds."""
    calls = bench.reference(JOBS["short"], container).operations
    rng = Random(f"reads {seed} {container}")
    for _ in range(count):
        plans = (f"op {rng.randint(3, calls)} kill-after", f"look {rng.randint(1, 90)} errno 5")
        yield _after_kill(bench, container, plans)


def rerun_fails(bench: Bench, container: str, seed: int, count: int) -> Iterator[Task]:
    """Killed, then an error while the rerun changes the disk."""
    calls = bench.reference(JOBS["short"], container).operations
    rng = Random(f"rerun {seed} {container}")
    for _ in range(count):
        number = rng.choice((errno.EIO, errno.ENOSPC))
        first, second = rng.randint(3, calls), rng.randint(1, calls)
        plans = (f"op {first} kill-after", f"op {second} errno {number}")
        yield _after_kill(bench, container, plans)


def unnoticed(
    bench: Bench, container: str, seed: int, count: int = 0, job: str = "short"
) -> Iterator[Task]:
    """Short, slow and interrupted calls: the run succeeds as if nothing had been.

    count: so many interrupted calls, drawn from all; 0: every one.
    """
    plans = [
        f"{group} 1+ {what}" for group in ("op", "look", "input") for what in ("short", "sleep 2")
    ]
    calls = bench.reference(JOBS[job], container).calls
    interrupted = [
        f"{call.group} {call.index} errno {errno.EINTR}"
        for call in calls
        if call.kind in INTERRUPTIBLE and (call.group == "op" or call.is_read)
    ]
    rng = Random(f"unnoticed {seed} {container}")
    plans += rng.sample(interrupted, min(count or len(interrupted), len(interrupted)))
    for plan in plans:
        yield _unnoticed(bench, container, job, plan)


def old_file_systems(bench: Bench, container: str, job: str = "short") -> Iterator[Task]:
    """One that does not know RENAME_NOREPLACE, and one that has no hard links either."""
    for call in operations(bench.reference(JOBS[job], container).calls):
        if call.kind == "renameat2":
            for number in _NO_RENAMEAT2:
                missing = f"op {call.index} errno {number}"
                yield _unnoticed(bench, container, job, missing)
                no_links = f"{missing};op {call.index + 1} errno {errno.EPERM}"
                yield _unnoticed(bench, container, job, no_links)


def _unnoticed(bench: Bench, container: str, job: str, plan: str) -> Task:
    label = f"{job} {container} {plan}"

    def work() -> Counts:
        with bench.case(JOBS[job], container) as case:
            end = case.run(plan)
            assert end.code == 0, f"{case}: {end.code}: {end.said}"
            case.check_finished()
        return Counter(unnoticed=1)

    return Task(label, work)


def _task(bench: Bench, container: str, job: str, plan: str, call: Call) -> Task:
    label = f"{job} {container} {plan} ({call.kind} of {call.name})"

    def work() -> Counts:
        counts: Counts = Counter()
        with bench.case(JOBS[job], container) as case:
            end = case.run(plan, data=True)
            if end.code == 0:
                assert case.output.exists(), f"{case}: success without an output"
                ignorable = call.kind == "unlink" or _is_committed(case, call)
                assert ignorable, f"{case}: the error was ignored"
                counts["ignored"] += 1
            else:
                _check_failure(case, end)
                counts["refused"] += 1
                # What a failed fsync should have made durable may be gone for good.
                disk = Disk(case.folder).apply(case.calls())
                store(disk.data_lost(), case.folder, {case.source.name})
                case.check_remains()
            case.finish()
        return counts

    return Task(label, work)


def _after_kill(bench: Bench, container: str, plans: tuple[str, str]) -> Task:
    label = f"short {container} {' then '.join(plans)}"

    def work() -> Counts:
        counts: Counts = Counter()
        with bench.case(JOBS["short"], container) as case:
            assert case.run(plans[0]).code == -9
            counts["kills"] += 1
            case.check_remains()
            before = case.names()
            end = case.run(plans[1])
            if end.code != 0:
                _check_failure(case, end, before)
                counts["refused"] += 1
            case.finish()
        return counts

    return Task(label, work)


def _is_committed(case: Case, call: Call) -> bool:
    """True when a call came after the output got its name: then the job had succeeded."""
    target = str(case.output)
    return any(done.index < call.index and done.other == target for done in case.calls())


def _check_failure(case: Case, end: Outcome, before: Container[str] = ()) -> None:
    """before: the names that were there when the run began; it may have refused to touch them."""
    case.check_complaint(end)
    case.check_remains()
    new = {name for name in case.names() if name not in before}
    assert case.temporary.name not in new, f"{case}: {case.temporary.name} was left"
    if case.part.name in new:
        assert case.checkpoint.exists(), f"{case}: a .part was left without a checkpoint"
