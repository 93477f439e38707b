"""A job beside an event loop: in a thread of its own, stopped when its task is cancelled."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import asyncio

    from streamvsr._core import Job

Result = TypeVar("Result")


class StopSwitch:
    """Purpose: stops one job, whether or not it has been planned by then.

    Thread-safety: every call may come from any thread. Ownership: none of the job.
    """

    def __init__(self) -> None:
        """Knows no job yet."""
        self._lock = threading.Lock()
        self._job: Job | None = None
        self._stopped = False

    def attach(self, job: Job) -> None:
        """Names the job; where stop() came before, it is stopped now."""
        with self._lock:
            self._job = job
            if self._stopped:
                job.stop()

    def stop(self) -> None:
        """Stops the job within a second, or as soon as there is one."""
        with self._lock:
            self._stopped = True
            if self._job is not None:
                self._job.stop()


async def in_thread(work: Callable[[], Result], stop: Callable[[], None]) -> Result:
    """Runs some work in a thread of its own, and gives or raises what it does.

    The thread is none of the loop's pool, whose few workers a long job would keep from others.

    Args:
        work: What to do.
        stop: Makes it end soon; from any thread.

    Raises:
        asyncio.CancelledError: The awaiting task was cancelled; stop() was called and the work had
            ended by then, whatever came of it.
    """
    import asyncio  # most jobs run without

    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Result] = loop.create_future()
    context = contextvars.copy_context()

    def tell(action: Callable[..., None], outcome: Any) -> None:
        if not ended.done():
            action(outcome)

    def run() -> None:
        action: Callable[..., None] = ended.set_result
        outcome: Any
        try:
            outcome = context.run(work)
        except StopIteration as error:  # no future can hold one
            action, outcome = ended.set_exception, RuntimeError(f"StopIteration: {error}")
        except BaseException as error:
            action, outcome = ended.set_exception, error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, action, outcome)

    threading.Thread(target=run, name="streamvsr-job").start()
    try:
        return await asyncio.shield(ended)
    except asyncio.CancelledError:
        stop()
        while not ended.done():
            with suppress(asyncio.CancelledError):  # asked for again: it ends as soon as it can
                await asyncio.wait([ended])
        if not ended.cancelled():
            ended.exception()  # looked at, or asyncio complains
        raise
    except GeneratorExit:  # the coroutine is dropped, and may not wait any more
        stop()
        raise
