"""SIGKILL at random moments until the job is done, with a torn tail after half of them."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from random import Random

from faults.campaign import Counts, Task
from faults.jobs import JOBS, Bench, Case, Job, durable_bytes, read_checkpoint

_MOST_KILLS = 8  # of one job


def tasks(bench: Bench, container: str, seed: int, of: Sequence[str] = ()) -> Iterator[Task]:
    """Without end, of the jobs that `of` names or of all; each counts the "kills" that hit a
    running process.
    """
    names = sorted(of or JOBS)
    only = " ".join(["", "--of", *names]) if of else ""
    for number in itertools.count():
        label = f"kills --seed {seed}{only} {container} #{number}"
        rng = Random(label)
        job = JOBS[rng.choice(names)]
        yield Task(label, partial(killed, bench, job, container, rng))


def killed(bench: Bench, job: Job, container: str, rng: Random) -> Counts:
    """One job, killed until it is done."""
    counts: Counts = Counter()
    seconds = bench.reference(job, container).seconds
    with bench.case(job, container) as case:
        for _ in range(rng.randint(1, _MOST_KILLS)):
            # Python's own start is dull: most of the moments lie behind it.
            moment = rng.uniform(0.3 if rng.random() < 0.9 else 0.0, 1.1) * seconds
            program = case.start()
            try:
                program.wait(moment)
            except subprocess.TimeoutExpired:
                program.kill()
            end = case.end(program)
            if end.code == 0:
                case.check_finished()
                counts["finished"] += 1
                return counts
            if end.code == 2 and case.output.exists():  # killed when all was done
                break
            assert end.code == -9, f"{case}: {end.code}: {end.said}"
            counts["kills"] += 1
            case.check_remains()
            if rng.random() < 0.5:
                counts["torn"] += tear(case, rng)
        case.finish()
    return counts


def tear(case: Case, rng: Random) -> int:
    """Garbage behind the durable length, or less of what lies there. Returns 1 when it did so.

    Without a checkpoint nothing may be there: a program that was killed so early wrote nothing, and
    a file with contents is somebody else's.
    """
    if not case.checkpoint.exists() or not case.part.exists():
        return 0
    durable = durable_bytes(read_checkpoint(case.checkpoint))
    with case.part.open("r+b") as part:
        size = part.seek(0, os.SEEK_END)
        kind = rng.choice(("random", "zeros", "own", "cut", "overwrite"))
        if kind == "random":
            part.write(rng.randbytes(rng.randint(1, 50_000)))
        elif kind == "zeros":
            part.truncate(size + rng.randint(1, 50_000))
        elif kind == "own":  # it looks like what belongs there
            part.seek(0)
            head = part.read(rng.randint(1, 50_000))
            part.seek(0, os.SEEK_END)
            part.write(head)
        elif kind == "cut":
            part.truncate(rng.randint(durable, size))
        else:
            part.seek(rng.randint(durable, size))
            part.write(rng.randbytes(rng.randint(1, 5_000)))
    return 1
