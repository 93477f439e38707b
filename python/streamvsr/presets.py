"""The presets and qualities that process() knows by name, and what they stand for.

A preset describes the stage that was filmed: how far its pictures are steadied and how far the
network is trusted in them. A quality is how much work may go into that. docs/temporal.md has the
table; every value is an option of StreamingConfig, and one that is set there stays as it is.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from streamvsr._names import check_name
from streamvsr.config import StreamingConfig

PRESETS: tuple[str, ...] = ("theater_small", "theater_medium", "theater_large")
QUALITIES: tuple[str, ...] = ("fast", "balanced", "high")
DEFAULT_PRESET = "theater_medium"
DEFAULT_QUALITY = "balanced"

_BY_PRESET: dict[str, dict[str, Any]] = {
    # Near the camera: faces fill the picture, hands move, the network's detail is wanted.
    "theater_small": {
        "temporal_strength": 0.5,
        "background_lock": False,
        "mask_strength": 1.0,
        "mask_highlights": 0.85,
        "mask_shadows": 0.15,
        "mask_edges": 0.0,
        "mask_motion": 0.08,
    },
    "theater_medium": {
        "temporal_strength": 0.7,
        "background_lock": True,
        "mask_strength": 1.0,
        "mask_highlights": 0.85,
        "mask_shadows": 0.15,
        "mask_edges": 0.0,
        "mask_motion": 0.05,
    },
    # Far away: a wide, dark, still stage, in which shimmer is what is seen first.
    "theater_large": {
        "temporal_strength": 0.9,
        "background_lock": True,
        "mask_strength": 0.8,
        "mask_highlights": 0.8,
        "mask_shadows": 0.2,
        "mask_edges": 0.004,
        "mask_motion": 0.03,
    },
}
_BY_QUALITY: dict[str, dict[str, Any]] = {
    "fast": {"temporal_window": 2, "temporal_flow": "half"},
    "balanced": {"temporal_window": 3, "temporal_flow": "full"},
    "high": {"temporal_window": 5, "temporal_flow": "full"},
}


def check_preset(name: str) -> str:
    """Passes a known preset on; raises ConfigError, or TypeError for a non-string."""
    return check_name("preset", name, PRESETS)


def check_quality(name: str) -> str:
    """Passes a known quality on; raises ConfigError, or TypeError for a non-string."""
    return check_name("quality", name, QUALITIES)


def preset_options(preset: str, quality: str) -> dict[str, Any]:
    """The options of StreamingConfig, by name, that a preset and a quality stand for.

    Raises:
        ConfigError: One of the names is unknown.
        TypeError: One of them is no string.
    """
    return {**_BY_PRESET[check_preset(preset)], **_BY_QUALITY[check_quality(quality)]}


def with_preset(
    config: StreamingConfig, preset: str | None, quality: str | None
) -> StreamingConfig:
    """A configuration with what a preset and a quality say where it leaves None.

    With one of the two None it is the default, theater_medium or balanced; with both the
    configuration stays as it is. Raises as preset_options().
    """
    if preset is None and quality is None:
        return config
    options = preset_options(
        DEFAULT_PRESET if preset is None else preset,
        DEFAULT_QUALITY if quality is None else quality,
    )
    missing = {name: value for name, value in options.items() if getattr(config, name) is None}
    return dataclasses.replace(config, **missing)


def table_text() -> str:
    """What presets and qualities stand for, as the tables of docs/temporal.md."""
    return "\n".join([*_table("preset", _BY_PRESET), "", *_table("quality", _BY_QUALITY)]) + "\n"


def _table(what: str, rows: dict[str, dict[str, Any]]) -> list[str]:
    names = list(next(iter(rows.values())))
    lines = [
        f"| {what} | " + " | ".join(f"`{name}`" for name in names) + " |",
        "| --- " * (len(names) + 1) + "|",
    ]
    for name, values in rows.items():
        lines.append(f"| `{name}` | " + " | ".join(str(values[key]) for key in names) + " |")
    return lines
