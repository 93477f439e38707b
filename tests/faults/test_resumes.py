"""A rerun goes on: it writes what is missing and no more, and never falls back."""

from __future__ import annotations

import errno
import itertools
import signal
from random import Random

import pytest

from faults.jobs import JOBS, Bench, durable_bytes, read_checkpoint
from faults.shim import operations
from faults.test_two_processes import held_at

_INDEX = 16 << 10  # bytes: more than header, index and patches of these small files


def _checkpoints(bench: Bench, job: str, container: str) -> list[int]:
    """The calls that put a checkpoint in place."""
    calls = operations(bench.reference(JOBS[job], container).calls)
    return [call.index for call in calls if call.other.endswith(".json")]


@pytest.mark.parametrize("job", JOBS)
def test_only_what_is_missing_is_written(
    bench: Bench, seed: int, every_container: str, job: str
) -> None:
    size = bench.reference(JOBS[job], every_container).size
    places = _checkpoints(bench, job, every_container)
    index = Random(f"{seed} {job}").choice(places[len(places) // 2 :])
    with bench.case(JOBS[job], every_container) as case:
        assert case.run(f"op {index} kill-after").code == -9
        durable = durable_bytes(read_checkpoint(case.checkpoint))
        assert durable > 0
        assert case.run(log=True).code == 0
        calls = [call for call in operations(case.calls()) if call.is_write]
        written = sum(call.result for call in calls if call.name.startswith("out.") and
                      not call.name.endswith(".tmp"))  # fmt: skip
        assert written <= size - durable + _INDEX
        case.check_finished()


def test_no_death_loses_what_was_done(
    bench: Bench, seed: int, times: float, every_container: str
) -> None:
    rng = Random(f"{seed} {every_container}")
    calls = bench.reference(JOBS["plain"], every_container).operations
    for _ in range(int(3 * times)):
        done = 0
        with bench.case(JOBS["plain"], every_container) as case:
            for _ in range(4):
                end = case.run(f"op {rng.randint(1, calls // 2)} kill-after")
                if end.code != -9 or case.output.exists():
                    break
                content = case.check_remains()
                now = int(content["segments_done"]) if content else 0
                assert now >= done, f"{case}: {done} segments were done, {now} now"
                done = now
            case.finish()


def test_an_error_keeps_what_was_done(
    bench: Bench, seed: int, times: float, every_container: str
) -> None:
    places = _checkpoints(bench, "short", every_container)
    # Behind the two calls that make the checkpoint's name durable.
    between = [
        (index, done)
        # The last one says that the file was finished, no more segments.
        for done, (here, there) in enumerate(itertools.pairwise(places[:-1]))
        for index in range(here + 3, there)
        if done > 0
    ]
    rng = Random(f"errors {seed} {every_container}")
    for index, done in rng.sample(between, min(len(between), int(6 * times))):
        with bench.case(JOBS["short"], every_container) as case:
            error = rng.choice((errno.EIO, errno.ENOSPC, errno.EDQUOT))
            end = case.run(f"op {index} errno {error}")
            case.check_complaint(end)
            content = case.check_remains()
            assert content is not None, f"{case}: no checkpoint after call {index} failed"
            assert content["segments_done"] >= done, f"{case}: call {index} failed"
            case.finish()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_signal_keeps_what_was_done(
    bench: Bench, every_container: str, number: signal.Signals, share: float
) -> None:
    reference = bench.reference(JOBS["short"], every_container)
    with bench.case(JOBS["short"], every_container) as case:
        with held_at(case, max(4, int(share * reference.operations))) as program:
            program.send_signal(number)
        end = case.end(program)
        if end.code != 0:
            assert end.code == {signal.SIGINT: 130, signal.SIGTERM: 143}[number], end.said
            assert "Traceback" not in end.said
        case.check_remains()
        case.finish()
