"""Names a user may have misspelt."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from streamvsr.errors import ConfigError

# What others call the same thing.
_ALIASES = {"h265": "hevc", "x265": "hevc", "libx265": "hevc", "x264": "h264", "libx264": "h264",
            "avc": "h264", "matroska": "mkv", "quicktime": "mov", "bfloat16": "bf16",
            "float32": "fp32", "yes": "True", "no": "False", "never": "False"}  # fmt: skip


def canonical(name: str, valid: Iterable[str]) -> str:
    """Our own name for what others call otherwise; any other name as it is."""
    alias = _ALIASES.get(name.lower(), name.lower())
    return alias if alias in valid else name


def nearest(name: str, valid: Iterable[str]) -> str | None:
    """The valid name that another one probably means; None where none is near."""
    names = {item.lower(): item for item in valid}
    alias = canonical(name, names.values())
    if alias in names.values():
        return alias
    near = difflib.get_close_matches(name.lower(), names, 1, 0.5)
    return names[near[0]] if near else None


def unknown(what: str, name: str, valid: Iterable[str]) -> ConfigError:
    """The error for a name that is none of valid: names the nearest one and lists them all."""
    names = sorted(valid)
    near = nearest(name, names)
    hint = f"did you mean {near!r}? " if near else ""
    return ConfigError(f"unknown {what} {name!r}; {hint}valid: {', '.join(names)}")


def check_name(what: str, name: object, valid: Iterable[str]) -> str:
    """Passes a valid name on. Raises TypeError for a non-string, ConfigError for another name."""
    if not isinstance(name, str):
        raise TypeError(f"{what} must be a str, not {type(name).__name__}")
    choices = tuple(valid)
    if name not in choices:
        raise unknown(what, name, choices)
    return name
