"""Names a user may have misspelt."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from streamvsr.errors import ConfigError

# What others call the same thing.
_ALIASES = {"h265": "hevc", "x265": "hevc", "libx265": "hevc", "x264": "h264", "libx264": "h264",
            "avc": "h264", "matroska": "mkv", "quicktime": "mov", "bfloat16": "bf16",
            "float32": "fp32", "yes": "True", "no": "False", "never": "False"}  # fmt: skip


def unknown(what: str, name: str, valid: Iterable[str]) -> ConfigError:
    """The error for a name that is none of valid: names the nearest one and lists them all."""
    names = sorted(valid)
    alias = _ALIASES.get(name.lower())
    near = [alias] if alias in names else difflib.get_close_matches(name.lower(), names, 1, 0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return ConfigError(f"unknown {what} {name!r}; {hint}valid: {', '.join(names)}")


def check_name(what: str, name: object, valid: Iterable[str]) -> str:
    """Passes a valid name on. Raises TypeError for a non-string, ConfigError for another name."""
    if not isinstance(name, str):
        raise TypeError(f"{what} must be a str, not {type(name).__name__}")
    choices = tuple(valid)
    if name not in choices:
        raise unknown(what, name, choices)
    return name
