"""process_async(): beside an event loop, and stopped with the task that waits for it."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import streamvsr
from helpers import listing, numbers
from streamvsr import (
    ProcessResult,
    Progress,
    StoppedError,
    StreamingConfig,
    StreamingVideoProcessor,
    _core,
)
from streamvsr.api import job_config
from streamvsr.async_api import StopSwitch, in_thread

FAST: dict[str, Any] = {"model": "nearest", "encoder_preset": "ultrafast"}


class Gate:
    """A progress callback that says when its job runs, and holds it until it may go on."""

    def __init__(self) -> None:
        self.running = asyncio.Event()
        self.may_go_on = threading.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self, progress: Progress) -> None:
        self._loop.call_soon_threadsafe(self.running.set)
        assert self.may_go_on.wait(60)


def job_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "streamvsr-job"]


def ended(main: Callable[[], Awaitable[None]]) -> None:
    """Runs a coroutine function; no thread of a job's is left."""

    async def whole() -> None:
        await main()

    asyncio.run(whole(), debug=True)
    for thread in job_threads():
        thread.join(5)
    assert job_threads() == []


def test_it_gives_what_process_gives(tmp_path: Path, small_clip: Path) -> None:
    processor = StreamingVideoProcessor(FAST)
    results: list[ProcessResult] = []
    seen: list[str] = []

    async def main() -> None:
        results.append(
            await processor.process_async(
                small_clip, tmp_path / "async.mp4", "theater_small", "high",
                progress=lambda progress: seen.append(threading.current_thread().name),
            )
        )  # fmt: skip

    ended(main)
    (result,) = results
    assert (result.success, result.preset, result.quality) == (True, "theater_small", "high")
    assert set(seen) == {"streamvsr-job"}
    assert numbers(tmp_path / "async.mp4") == list(range(50))
    sync = processor.process(small_clip, tmp_path / "sync.mp4", "theater_small", "high")
    assert sync.success
    assert (tmp_path / "async.mp4").read_bytes() == (tmp_path / "sync.mp4").read_bytes()


def test_failures_come_as_from_process(tmp_path: Path, small_clip: Path) -> None:
    class OfTheCallback(Exception):
        pass

    def fail(progress: Progress) -> None:
        raise OfTheCallback

    async def main() -> None:
        processor = StreamingVideoProcessor(FAST)
        result = await processor.process_async(tmp_path / "missing.mp4")
        assert "missing.mp4" in (result.error or "")
        with pytest.raises(OfTheCallback):
            await processor.process_async(small_clip, tmp_path / "out.mp4", progress=fail)
        with pytest.raises(TypeError):
            await processor.process_async(3)  # type: ignore[arg-type]

    ended(main)


def test_the_loop_goes_on_meanwhile(tmp_path: Path, small_clip: Path) -> None:
    async def main() -> None:
        gate = Gate()
        processor = StreamingVideoProcessor(FAST)
        task = asyncio.create_task(
            processor.process_async(small_clip, tmp_path / "out.mp4", progress=gate)
        )
        await gate.running.wait()  # the job is held, and the loop is here
        assert not task.done()
        gate.may_go_on.set()
        assert (await task).success

    ended(main)


def test_a_cancelled_task_stops_its_job_alone(tmp_path: Path, long_clip: Path) -> None:
    async def main() -> None:
        processor = StreamingVideoProcessor({**FAST, "segment_seconds": 1})
        gates = [Gate(), Gate()]
        tasks = [
            asyncio.create_task(
                processor.process_async(long_clip, tmp_path / f"{n}.mkv", progress=gate)
            )
            for n, gate in enumerate(gates)
        ]
        for gate in gates:
            await gate.running.wait()
        tasks[0].cancel()
        done, _ = await asyncio.wait(tasks, timeout=0)
        assert not done  # it waits for its job, which is held
        gates[0].may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        assert not (tmp_path / "0.mkv").exists()
        gates[1].may_go_on.set()
        assert (await tasks[1]).success
        # Nothing of the cancelled one holds the output any more: the same call goes on with it.
        assert (await processor.process_async(long_clip, tmp_path / "0.mkv")).success

    ended(main)
    assert listing(tmp_path).keys() == {"0.mkv", "1.mkv"}
    assert (tmp_path / "0.mkv").read_bytes() == (tmp_path / "1.mkv").read_bytes()


def test_to_cancel_twice_is_to_cancel(tmp_path: Path, long_clip: Path) -> None:
    async def main() -> None:
        gate = Gate()
        processor = StreamingVideoProcessor(FAST)
        task = asyncio.create_task(
            processor.process_async(long_clip, tmp_path / "out.mkv", progress=gate)
        )
        await gate.running.wait()
        for _ in range(3):
            task.cancel()
            await asyncio.wait([task], timeout=0)
        assert not task.done()
        assert len(job_threads()) == 1
        gate.may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not (tmp_path / "out.mkv").exists()

    ended(main)


def test_stop_ends_all_of_them_with_a_result(tmp_path: Path, long_clip: Path) -> None:
    async def main() -> None:
        processor = StreamingVideoProcessor(FAST)
        gate = Gate()
        jobs = [
            asyncio.create_task(
                processor.process_async(long_clip, tmp_path / f"{n}.mkv", progress=gate)
            )
            for n in range(2)
        ]
        await gate.running.wait()
        processor.stop()  # one of the two may not have been planned yet
        gate.may_go_on.set()
        for result in await asyncio.gather(*jobs):
            assert isinstance(result.exception, StoppedError)
        assert (await processor.process_async(long_clip, tmp_path / "2.mkv")).success

    ended(main)


def test_a_job_that_is_planned_after_the_stop_is_stopped(tmp_path: Path, long_clip: Path) -> None:
    switch = StopSwitch()
    switch.stop()
    config = StreamingConfig(**FAST)
    job = _core.Job(job_config(config, str(long_clip), str(tmp_path / "out.mkv")))
    switch.attach(job)
    with pytest.raises(StoppedError):
        job.run()
    assert not (tmp_path / "out.mkv").exists()


def test_a_coroutine_that_is_dropped_stops_its_job(tmp_path: Path, long_clip: Path) -> None:
    async def main() -> None:
        gate = Gate()
        processor = StreamingVideoProcessor(FAST)
        waiting = processor.process_async(long_clip, tmp_path / "out.mkv", progress=gate)
        waiting.send(None)
        await gate.running.wait()
        waiting.close()
        gate.may_go_on.set()
        for thread in job_threads():
            await asyncio.to_thread(thread.join)
        assert not (tmp_path / "out.mkv").exists()

    ended(main)


def test_the_thread_has_the_context_of_its_task() -> None:
    name = contextvars.ContextVar("name", default="")

    async def main() -> None:
        name.set("mine")
        assert await in_thread(name.get, lambda: None) == "mine"

    ended(main)


def test_what_no_future_can_hold_is_an_error() -> None:
    def stop_iteration() -> None:
        raise StopIteration("of a callback")

    async def main() -> None:
        with pytest.raises(RuntimeError, match="of a callback"):
            await in_thread(stop_iteration, lambda: None)

    ended(main)


_INTERRUPTED = """
import asyncio, sys, streamvsr

def told(progress):
    if progress.segments_done:
        print("running", flush=True)

async def main():
    processor = streamvsr.StreamingVideoProcessor(
        {"model": "nearest", "segment_seconds": 1}
    )
    try:
        await processor.process_async(sys.argv[1], sys.argv[2], progress=told)
    except asyncio.CancelledError:
        print("cancelled", flush=True)
        raise

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_ctrl_c_ends_the_job_and_then_the_program(tmp_path: Path, long_clip: Path) -> None:
    target = tmp_path / "out.mkv"
    command = [sys.executable, "-c", _INTERRUPTED, str(long_clip), str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "running\n"
        running.send_signal(signal.SIGINT)
        said = running.stdout.read().split()
        assert running.wait(60) == 0
    assert said[-2:] == ["cancelled", "interrupted"]
    found = streamvsr.status(target)
    assert found is not None
    assert found.keeps_work
    assert found.writer is None


def test_what_a_plan_warns_of_is_logged_once(
    tmp_path: Path, small_clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "streamvsr"):
        result = StreamingVideoProcessor({**FAST, "model": None, "device": "cuda:99"}).process(
            small_clip, tmp_path / "out.mp4"
        )
    assert any("runs on the CPU, not on cuda:99" in text for text in result.warnings)
    assert sorted(record.getMessage() for record in caplog.records) == sorted(result.warnings)
