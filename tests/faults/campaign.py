"""Many disturbed jobs, some at a time, with what failed told at the end."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

Counts = Counter[str]
_SHOWN = 5  # failures told in full


@dataclass(frozen=True)
class Task:
    """One disturbed job. label says how to have it again."""

    label: str
    work: Callable[[], Counts]


def run_all(
    tasks: Iterable[Task], jobs: int = 2, goal: Callable[[Counts], bool] = lambda _: False
) -> Counts:
    """Runs tasks until there are no more, or the goal is reached by what they count.

    Raises:
        AssertionError: Tasks failed; the message has the labels.
    """
    total: Counts = Counter()
    failures: list[str] = []
    source = iter(tasks)
    running: dict[Future[Counts], Task] = {}
    with ThreadPoolExecutor(jobs) as pool:
        while True:
            if not goal(total) and len(failures) < 4 * _SHOWN:
                for task in itertools.islice(source, 2 * jobs - len(running)):
                    running[pool.submit(task.work)] = task
            if not running:
                break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                task = running.pop(future)
                error = future.exception()
                if error is None:
                    total += future.result()
                    total["cases"] += 1
                elif isinstance(error, AssertionError):
                    failures.append(f"[{task.label}] {error}")
                else:
                    raise RuntimeError(f"[{task.label}]") from error
    total["failed"] = len(failures)
    if failures:
        told = "\n".join(failures[:_SHOWN])
        raise AssertionError(f"{len(failures)} of {total['cases'] + len(failures)} failed\n{told}")
    return total


def summary(name: str, counts: Counts) -> str:
    """One line: what was counted."""
    return f"{name}: " + ", ".join(f"{key} {value}" for key, value in sorted(counts.items()))
