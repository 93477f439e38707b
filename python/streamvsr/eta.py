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

    A step is what was done between two times at which the count of finished frames rose. Steps
    shorter than a 64th of the time so far are joined, so that the last ones cover at least half of
    that time: stages that wait for each other work in bursts. The interval holds the true rest in
    90 % of all cases where the steps are alike: their times per frame independent, of one mean, and
    not far from normal. It knows nothing of harder scenes to come. Thread-safety: none.
    """

    STEPS = 32
    SHORTEST = 1 / 64  # of the time so far
    FACTOR = 2.0  # between the ends of an interval that is worth showing
    SOON = 2.0  # s; a rest below it is worth showing whatever the factor

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._steps: deque[tuple[float, int]] = deque(maxlen=self.STEPS)
        self._last: tuple[float, int] | None = None
        self._first = 0.0

    def add(self, seconds: float, frames: int) -> None:
        """Notes how many frames were finished by a time.

        Args:
            seconds: Since the run began.
            frames: Finished so far.
        """
        if self._last is None:
            self._first = seconds
            self._last = (seconds, frames)
            return
        step = (seconds - self._last[0], frames - self._last[1])
        if step[1] > 0 and step[0] >= self.SHORTEST * (seconds - self._first):
            self._steps.append(step)
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

    def known(self, seconds: float, frames_total: int) -> tuple[float, float, float] | None:
        """What estimate() gives, where it is worth showing: within a factor of 2, or very soon."""
        told = self.estimate(seconds, frames_total)
        if told is None or not (told[2] <= self.SOON or told[2] <= self.FACTOR * told[1]):
            return None
        return told


def _student(freedom: int) -> float:
    if freedom > max(_STUDENT):
        return _NORMAL
    return _STUDENT[max(known for known in _STUDENT if known <= freedom)]
