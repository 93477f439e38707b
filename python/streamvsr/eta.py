"""How long a job still takes, and how sure that is."""

from __future__ import annotations

import math
from collections import deque

# Two-sided 90 % of Student's t, by degrees of freedom; beyond the last the normal distribution's.
_STUDENT = {2: 2.920, 3: 2.353, 4: 2.132, 5: 2.015, 6: 1.943, 7: 1.895, 8: 1.860, 9: 1.833,
            10: 1.812, 12: 1.782, 15: 1.753, 20: 1.725, 30: 1.697}  # fmt: skip
_NORMAL = 1.645


class RemainingTime:
    """Purpose: the rest of a job from the speed of its last steps, with an interval.

    A step is what was done between two times at which the count of finished frames rose. The
    interval holds the true rest in 90 % of all cases where the steps are alike: their times
    per frame independent, of one mean, and not far from normal. It knows nothing of harder scenes
    to come. Thread-safety: none.
    """

    STEPS = 32

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._steps: deque[tuple[float, int]] = deque(maxlen=self.STEPS)
        self._last: tuple[float, int] | None = None

    def add(self, seconds: float, frames: int) -> None:
        """Notes how many frames were finished by a time.

        Args:
            seconds: Since the run began.
            frames: Finished so far.
        """
        if self._last is None or frames > self._last[1]:
            if self._last is not None:
                self._steps.append((seconds - self._last[0], frames - self._last[1]))
            self._last = (seconds, frames)

    @property
    def frames_per_second(self) -> float:
        """Over the last steps; 0 while there is none."""
        seconds = math.fsum(step[0] for step in self._steps)
        return sum(step[1] for step in self._steps) / seconds if seconds > 0 else 0.0

    def estimate(self, seconds: float, frames_total: int) -> tuple[float, float, float] | None:
        """The seconds left: expected, lowest, highest; None where fewer than 3 steps are known."""
        if self._last is None or len(self._steps) < 3:
            return None
        done = sum(frames for _, frames in self._steps)
        pace = math.fsum(time for time, _ in self._steps) / done
        spread = math.fsum((time - pace * frames) ** 2 / frames for time, frames in self._steps)
        freedom = len(self._steps) - 1
        rest = max(0, frames_total - self._last[1])
        since = max(0.0, seconds - self._last[0])
        # The rest's own spread, and that of the pace it is foretold with.
        sigma = math.sqrt(spread / freedom * rest * (1 + rest / done))
        half = _student(freedom) * sigma
        middle = pace * rest - since
        return max(0.0, middle), max(0.0, middle - half), max(0.0, middle + half)


def _student(freedom: int) -> float:
    if freedom > max(_STUDENT):
        return _NORMAL
    return _STUDENT[max(known for known in _STUDENT if known <= freedom)]
