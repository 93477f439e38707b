"""The power is cut at random calls, up to three times; then the command runs again."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from random import Random

from faults.campaign import Counts, Task
from faults.disk import Disk, store
from faults.jobs import JOBS, Bench, Case
from faults.shim import Call, operations

_TURNS = ("fsync", "fdatasync", "rename", "renameat2")
_FINISH = 10  # so many of them


def tasks(bench: Bench, container: str, seed: int) -> Iterator[Task]:
    """Without end; each counts its "cuts"."""
    names = sorted(JOBS)
    for number in itertools.count():
        label = f"power --seed {seed} {container} #{number}"
        rng = Random(label)
        job = rng.choice(names)
        yield Task(label, partial(_cut, bench, container, job, rng))


def _cut(bench: Bench, container: str, job: str, rng: Random) -> Counts:
    counts: Counts = Counter()
    with bench.case(JOBS[job], container) as case:
        for _ in range(rng.choice((1, 1, 2, 3))):
            before = contents(case)
            end = case.run(data=True)
            assert end.code == 0 or case.output.name in before, f"{case}: {end.said}"
            calls = operations(case.calls())
            disk = Disk(case.folder, before).apply(calls[: _moment(calls, rng)])
            store(disk.cut(rng), case.folder, {case.source.name})
            counts["cuts"] += 1
            # No broken output, no checkpoint that promises what is not there.
            case.check_remains()
        case.finish()
    return counts


def _moment(calls: Sequence[Call], rng: Random) -> int:
    """How many calls came before the cut.

    Anywhere, or just before a sync or rename, when most is at stake; the finish more often.
    """
    turns = [n for n, call in enumerate(calls) if call.kind in _TURNS]
    where = rng.random()
    if where < 0.3 or not turns:
        return rng.randint(0, len(calls))
    return rng.choice(turns if where < 0.6 else turns[-_FINISH:])


def contents(case: Case) -> dict[str, bytes]:
    """What lies beside the input."""
    return {path.name: path.read_bytes() for path in case.folder.iterdir() if path != case.source}


def after_success(bench: Bench, container: str, job: str) -> None:
    """Once the program said that it was done, nothing of the output can be lost."""
    with bench.case(JOBS[job], container) as case:
        assert case.run(data=True).code == 0
        store(Disk(case.folder).apply(case.calls()).lost(), case.folder, {case.source.name})
        case.check_finished()


def every_call_was_seen(bench: Bench, container: str, job: str) -> None:
    """The log alone gives the files that are there: the shim misses no call that matters."""
    with bench.case(JOBS[job], container) as case:
        assert case.run(data=True).code == 0
        assert Disk(case.folder).apply(case.calls()).now() == contents(case)


def without_syncs(bench: Bench, container: str, seed: int, job: str = "short") -> Task:
    """A cut of a run whose syncs did nothing: what the model must find fault with."""
    rng = Random(f"without syncs {seed} {container}")

    def work() -> Counts:
        with bench.case(JOBS[job], container) as case:
            assert case.run(data=True).code == 0
            calls = [call for call in case.calls() if call.kind not in ("fsync", "fdatasync")]
            store(Disk(case.folder).apply(calls).cut(rng), case.folder, {case.source.name})
            case.check_remains()
            case.finish()
        return Counter(cuts=1)

    return Task(f"without syncs {seed} {container}", work)
