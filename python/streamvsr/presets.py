"""The presets and qualities that process() knows by name.

A preset describes the screen the film is made for, a quality how much work may go into it. They are
checked and recorded in the result; every one of them runs the same network today.
"""

from __future__ import annotations

from streamvsr._names import check_name

PRESETS: tuple[str, ...] = ("theater_small", "theater_medium", "theater_large")
QUALITIES: tuple[str, ...] = ("fast", "balanced", "high")


def check_preset(name: str) -> str:
    """Passes a known preset on; raises ConfigError, or TypeError for a non-string."""
    return check_name("preset", name, PRESETS)


def check_quality(name: str) -> str:
    """Passes a known quality on; raises ConfigError, or TypeError for a non-string."""
    return check_name("quality", name, QUALITIES)
