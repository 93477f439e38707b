"""Jobs that a disk budget binds, in every codec: the same bytes under load, and after kills."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from random import Random

from helpers import busy_processor

from faults import kills
from faults.campaign import Counts, Task
from faults.jobs import Bench, Job, make_job

# Three segments, or with hevc and av1 two that may have several encoders each.
JOBS = {
    codec: make_job(
        f"tight-{codec}", "mkv", preset, seconds, "--codec", codec, "--disk-ratio", "1.02",
        "--encoder-threads", "3",
        frames=240, audio="aac",
        options=("-vf", "noise=alls=60:allf=t", "-preset", "ultrafast", "-crf", "40"),
    )
    for codec, preset, seconds in (
        ("h264", "veryfast", "3.2"), ("hevc", "ultrafast", "4.8"), ("av1", "10", "4.8"),
    )
}  # fmt: skip


@contextmanager
def load(rng: Random) -> Iterator[None]:
    """One to three other programs at work on the machine."""
    with ExitStack() as stack:
        for _ in range(rng.randint(1, 3)):
            stack.enter_context(busy_processor())
        yield


def loaded(bench: Bench, job: Job, container: str, rng: Random) -> Counts:
    """One run under load, with other numbers of the threads that the bytes must not depend on."""
    threads = [str(rng.randint(1, 4)) for _ in range(2)]
    bench.reference(job, container)
    with bench.case(job, container) as case, load(rng):
        more = ("--compute-threads", threads[0], "--decoder-threads", threads[1])
        end = case.run(more=more)
        assert end.code == 0, f"{case}: {end.code}: {end.said}"
        case.check_finished()
    return Counter({"loaded": 1})


def tasks(bench: Bench, container: str, seed: int, count: int) -> Iterator[Task]:
    """For each codec so many runs under load, then twice as many jobs that are killed."""
    for job, number in itertools.product(JOBS.values(), range(count)):
        label = f"budget --seed {seed} {job.name} {container} #{number}"
        yield Task(label, partial(loaded, bench, job, container, Random(label)))
    for job, number in itertools.product(JOBS.values(), range(2 * count)):
        label = f"budget --seed {seed} {job.name} {container} killed #{number}"
        yield Task(label, partial(kills.killed, bench, job, container, Random(label)))
