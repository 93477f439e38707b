"""Two processes on one output: the later one is told who is there, the first is not disturbed."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from faults.jobs import JOBS, PATIENCE, Bench, Case
from faults.shim import Faults, operations

SHORT = JOBS["short"]


@contextmanager
def held_at(case: Case, index: int) -> Iterator[subprocess.Popen[str]]:
    """The program, stopped before its index-th call; it goes on when the block ends."""
    gate = case.bench.folder / f"{case.folder.name}.gate{index}"
    reached, go = Path(f"{gate}.reached"), Path(f"{gate}.go")
    program = case.start(Faults([f"op {index} gate {gate}"]))
    try:
        patience = time.monotonic() + PATIENCE
        while not reached.exists():
            assert program.poll() is None, program.communicate()
            assert time.monotonic() < patience, f"{case}: call {index} never came"
            time.sleep(0.002)
        yield program
        go.touch()
    except BaseException:
        program.kill()
        program.communicate()
        raise
    finally:
        reached.unlink(missing_ok=True)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 1.0])
def test_the_second_is_refused(bench: Bench, every_container: str, share: float) -> None:
    # From the lock, which is the second call, to the last rename.
    calls = operations(bench.reference(SHORT, every_container).calls)
    last = next(call.index for call in calls if call.other.endswith(f"out.{every_container}"))
    with bench.case(SHORT, every_container) as case:
        with held_at(case, round(3 + share * (last - 3))) as first:
            before = {name: (case.folder / name).read_bytes() for name in case.names()}
            second = case.run()
            assert second.code != 0
            case.check_complaint(second)
            assert "another process" in second.said
            assert str(first.pid) in second.said.replace(str(case.folder), "")
            assert before == {name: (case.folder / name).read_bytes() for name in case.names()}
        assert case.end(first).code == 0
        case.check_finished()


@pytest.mark.parametrize("index", [1, 2])
def test_overtaken_before_the_lock(bench: Bench, every_container: str, index: int) -> None:
    with bench.case(SHORT, every_container) as case:
        with held_at(case, index) as first:
            second = case.run()
            assert second.code == 0, second.said
            case.check_finished()
        end = case.end(first)
        case.check_complaint(end)
        case.check_finished()


def test_overtaken_at_the_very_end(bench: Bench, every_container: str) -> None:
    """One looks before another one's output is in place, and acts just after it."""
    calls = operations(bench.reference(SHORT, every_container).calls)
    removal = next(c.index for c in calls if c.kind == "unlink" and c.name.endswith(".json"))
    with bench.case(SHORT, every_container) as case:
        with ExitStack() as last:
            with held_at(case, 1) as late:
                early = last.enter_context(held_at(case, removal))
                assert case.output.exists()
            end = case.end(late)
            if end.code != 0:
                case.check_complaint(end)
        assert case.end(early).code == 0
        case.check_finished()


def test_many_at_once(bench: Bench, every_container: str) -> None:
    with bench.case(SHORT, every_container) as case:
        programs = [case.start() for _ in range(5)]
        ends = [case.end(program) for program in programs]
        assert 0 in [end.code for end in ends], ends
        for end in ends:
            if end.code != 0:
                case.check_complaint(end)
        case.check_finished()


def test_a_dead_owner_is_no_obstacle(bench: Bench, every_container: str) -> None:
    with bench.case(SHORT, every_container) as case:
        with held_at(case, 20) as first:
            first.kill()
            first.communicate()
        assert case.part.exists()
        case.finish()
