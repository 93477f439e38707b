"""Parts of an existing application that a stream drives: its progress tracker, its validator."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from streamvsr.progress import LOGGER

if TYPE_CHECKING:
    from streamvsr._core import Progress

# name, display name, weight; the weights add up to 1.
STAGES: tuple[tuple[str, str, float], ...] = (
    ("planning", "Planning", 0.02),
    ("streaming", "Enhancing and encoding", 0.93),
    ("validation", "Validating quality", 0.05),
)


class TrackerFeed:
    """Purpose: tells a progress tracker how far a job is, never backwards.

    What the tracker raises is logged, the first time, and does the job no harm; only what ends a
    program (KeyboardInterrupt, SystemExit) passes. Thread-safety: call it from one thread.
    Ownership: the tracker stays the application's.

    A tracker has add_stage(name, display_name, weight), start_processing(total_items),
    start_stage(name, details), update_stage_progress(name, 0..1, details), complete_stage(name),
    skip_stage(name), display_progress_bar() and finish_processing(success). details is a dict.

    Attributes:
        interval: Least time between two updates, in seconds.
    """

    def __init__(self, tracker: Any) -> None:
        """Tells nothing yet; tracker: None: nothing is told to anybody."""
        self.interval = 0.25
        self._tracker = tracker
        self._next = 0.0
        self._open: str | None = None
        self._waiting = [name for name, _, _ in STAGES]
        self._share = 0.0
        self._complained = False

    def begin(self, frames: int) -> None:
        """Names the stages and begins the first; frames: in the video, estimate, 0 if unknown."""
        for name, display_name, weight in STAGES:
            self._call("add_stage", name, display_name, weight)
        self._call("start_processing", frames)
        self.reach("planning", {"frames_total": frames})

    def reach(self, name: str, details: Mapping[str, Any]) -> None:
        """Completes the stage under way and starts another, unless that has been started."""
        if name not in self._waiting:
            return
        self.complete()
        self._waiting.remove(name)
        self._open, self._share = name, 0.0
        self._call("start_stage", name, dict(details))

    def stream(self, progress: Progress) -> None:
        """Takes the state of the running job."""
        self.reach("streaming", {"frames_total": progress.frames_total})
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + self.interval
        share = progress.frames_done / max(1, progress.frames_total, progress.frames_done)
        self._share = max(self._share, share)
        details = {
            "frames_done": progress.frames_done,
            "frames_total": progress.frames_total,
            "fps": progress.fps,
            "eta_seconds": progress.eta_seconds,
            "memory_mb": progress.memory_mb,
        }
        self._call("update_stage_progress", "streaming", self._share, details)
        self._call("display_progress_bar")

    def complete(self) -> None:
        """Completes the stage under way, if there is one."""
        if self._open is not None:
            self._call("update_stage_progress", self._open, 1.0, {})
            self._call("complete_stage", self._open)
            self._open = None

    def skip(self) -> None:
        """Gives the stage under way up."""
        if self._open is not None:
            self._call("skip_stage", self._open)
            self._open = None

    def finish(self, success: bool) -> None:
        """Ends it: what has not begun is skipped."""
        if success:
            self.complete()
        for name in self._waiting:
            self._call("skip_stage", name)
        self._waiting = []
        self._call("finish_processing", success)

    def _call(self, name: str, *arguments: Any) -> None:
        if self._tracker is None:
            return
        try:
            getattr(self._tracker, name)(*arguments)
        except Exception as error:
            if not self._complained:
                LOGGER.warning(
                    "the progress tracker failed in %s(): %s: %s; the job goes on",
                    name, type(error).__name__, error,
                )  # fmt: skip
            self._complained = True


def validate(validator: Any, source: str, target: str) -> dict[str, Any]:
    """Asks a quality validator about an output.

    Args:
        validator: An object with validate(input_path, output_path), or a function of both.
        source: The input's path.
        target: The output's path.

    Returns:
        Its figures by name. It may give a mapping, a dataclass, an object with attributes, a single
        bool or number, which is named "passed" or "score", or None.

    Raises:
        TypeError: It is no validator, or gives something else.
        Exception: Whatever it raises.
    """
    method = getattr(validator, "validate", validator)
    if not callable(method):
        raise TypeError(
            f"a quality validator has validate(input_path, output_path), or is a function of both; "
            f"{type(validator).__name__} is neither"
        )
    found = method(source, target)
    if found is None:
        return {}
    if isinstance(found, bool):
        return {"passed": found}
    if isinstance(found, (int, float)):
        return {"score": found}
    if dataclasses.is_dataclass(found) and not isinstance(found, type):
        found = dataclasses.asdict(found)
    elif not isinstance(found, Mapping) and hasattr(found, "__dict__"):
        found = vars(found)
    if not isinstance(found, Mapping):
        raise TypeError(f"it gives a {type(found).__name__}, not figures by name")
    return {str(name): value for name, value in found.items()}
