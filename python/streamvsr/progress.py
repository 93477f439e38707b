"""How far a job is: a bar in the terminal or the notebook, or a callable of the user's."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from streamvsr._core import Plan, Progress

ProgressCallback = Callable[["Progress"], object]
LOGGER = logging.getLogger("streamvsr")


class ProgressBar:
    """Purpose: a tqdm bar fed with a job's progress; tqdm.auto draws it in terminal and notebook.

    Thread-safety: call it from one thread. Ownership: closes the bar on exit.
    """

    def __init__(self, plan: Plan, file: TextIO | None = None) -> None:
        """Draws the bar: empty, or as far as an earlier run had come, and then it says so.

        Args:
            plan: Of the job; its estimate of the frames is the bar's length.
            file: Where a terminal's bar is drawn; None: stderr.
        """
        from tqdm.auto import tqdm

        self._bar: Any = tqdm(
            desc=f"going on at frame {plan.resumed_frames}" if plan.resumed_frames else None,
            initial=plan.resumed_frames,
            total=plan.frames or None,
            unit="frame",
            file=file,
            dynamic_ncols=True,
            bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}, {rate_fmt}]",
        )

    def __call__(self, progress: Progress) -> None:
        """Shows the state of the job: the frames that the network has done."""
        if self._bar.total is not None:
            self._bar.total = max(self._bar.total, progress.frames_done)
        rest = ""
        if progress.finishing:
            rest = "finishing, "
        elif progress.eta_seconds >= 0:
            rest = f"{self._bar.format_interval(progress.eta_seconds)} left, "
        self._bar.set_postfix_str(f"{rest}{progress.memory_mb:.0f} MB", refresh=False)
        self._bar.update(progress.frames_done - self._bar.n)

    def finish(self, frames: int) -> None:
        """Sets the bar to its end: the frames that there really were."""
        self._bar.total = frames
        self._bar.update(frames - self._bar.n)
        self._bar.refresh()

    def __enter__(self) -> ProgressBar:
        """The bar itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the bar as it stands."""
        self._bar.close()


class _Announcer(logging.Handler):
    def __init__(self, announced: list[str], show: Callable[[str], None] | None) -> None:
        super().__init__(logging.WARNING)
        self._announced, self._show = announced, show

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        self._announced.append(text)
        if self._show is not None:
            self._show(f"{record.levelname.lower()}: {text}")


@contextmanager
def announcing(announced: list[str], show: Callable[[str], None] | None) -> Iterator[None]:
    """Shows what is logged meanwhile, and adds it to the list; show: None shows nothing."""
    handler = _Announcer(announced, show)
    LOGGER.addHandler(handler)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
