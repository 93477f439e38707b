"""The long runs: python tests/faults/run.py SUITE; --help names the suites."""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, os.fspath(Path(__file__).resolve().parent.parent))

from faults import budget, damage, failing, input_side, kills, points, power
from faults.campaign import Counts, Task, run_all, summary
from faults.jobs import CONTAINERS, JOBS, Bench

_Tasks = Callable[[Bench, str, int, int], Iterator[Task]]


def _points(bench: Bench, container: str, seed: int, count: int) -> Iterator[Task]:
    yield from points.singles(bench, container)
    yield from points.torn_patches(bench, container)
    yield from points.overwriting(bench, container, seed)
    yield from points.pairs(bench, container, seed, count)


def _errors(bench: Bench, container: str, seed: int, count: int) -> Iterator[Task]:
    yield from failing.every_error(bench, container, seed)
    yield from failing.full_disk(bench, container)
    yield from failing.unnoticed(bench, container, seed)
    yield from failing.old_file_systems(bench, container)
    yield from failing.rerun_fails(bench, container, seed, count)
    yield from failing.reads_fail(bench, container, seed, count)


def _input(bench: Bench, container: str, seed: int, count: int) -> Iterator[Task]:
    yield from input_side.changed(bench, container, seed, count)
    yield from input_side.unreadable(bench, container, seed, count)


# What runs, what --count counts (nothing: cases), its default, and what it means.
SUITES: dict[str, tuple[_Tasks, str, int, str]] = {
    "kills": (
        lambda bench, container, seed, count: kills.tasks(bench, container, seed),
        "kills", 1000, "kills that hit a running process",
    ),
    "points": (_points, "", 300, "pairs of calls, beside every single one"),
    "errors": (_errors, "", 200, "errors in a rerun, beside every error of every call"),
    "power": (
        lambda bench, container, seed, count: power.tasks(bench, container, seed),
        "cuts", 500, "power cuts",
    ),
    "damage": (damage.tasks, "", 50, "damaged inputs"),
    "budget": (budget.tasks, "", 5, "runs under load of each codec, and twice as many killed jobs"),
    "input": (_input, "", 100, "inputs changed while they are read, and as many unreadable ones"),
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="--count: " + "; ".join(f"{n} {s[3]} ({s[2]})" for n, s in SUITES.items()),
    )
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("--seed", type=int, help="of an earlier run, to have it again")
    parser.add_argument("--count", type=int, help="for each container; see below")
    parser.add_argument("--container", choices=(*CONTAINERS, "both"), default="both")
    parser.add_argument("--jobs", type=int, default=2, help="cases at a time (default: 2)")
    parser.add_argument("--of", nargs="+", choices=JOBS, default=(), help="kills: these jobs alone")
    parser.add_argument("--folder", type=Path, help="where cases that fail stay behind")
    options = parser.parse_args()
    if options.of and options.suite != "kills":
        parser.error("--of goes with kills alone")
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    folder = options.folder or Path(tempfile.mkdtemp(prefix="streamvsr-faults-"))
    tasks, counted, default, _ = SUITES[options.suite]
    if options.of:

        def tasks(bench: Bench, container: str, seed: int, count: int) -> Iterator[Task]:
            return kills.tasks(bench, container, seed, options.of)

    count = default if options.count is None else options.count
    print(f"{options.suite} --seed {seed} --count {count}, in {folder}", flush=True)
    bench = Bench(folder)
    failed = False
    for container in CONTAINERS if options.container == "both" else (options.container,):
        begun = time.monotonic()

        def enough(counts: Counts) -> bool:
            return bool(counted) and counts[counted] >= count

        try:
            counts = run_all(tasks(bench, container, seed, count), options.jobs, enough)
            line = summary(f"{options.suite} {container}", counts)
        except AssertionError as error:
            failed = True
            line = f"{options.suite} {container}: FAILED\n{error}"
        print(f"{line} ({time.monotonic() - begun:.0f} s)", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
