"""A checkpoint of an application's own job, kept as the stream keeps its own."""

from __future__ import annotations

import json
import math
import operator
import os
import threading
from collections.abc import Mapping
from typing import Any

from streamvsr import _core
from streamvsr.errors import ConfigError, ResumeError
from streamvsr.remains import PathInput

_MOST_FRAME = (1 << 63) - 1
_INTEGERS = (-(1 << 63), (1 << 64) - 1)
_MOST_DEPTH = 64


class CheckpointManager:
    """Purpose: progress and parameters of a job in one small file that a crash cannot tear.

    It is written by the very code that writes the stream's checkpoint (docs/checkpoint.md): JSON
    with magic, version and checksum, at most 64 KiB, made durable in a `.tmp` beside it and renamed
    over the old one. After a crash the old or the new one is there. Frame data is refused.

    Thread-safety: any thread may call at any time. Two processes, or two managers, must not save
    to one path at a time. Ownership: the file and its `.tmp`; the folder must be there.

    Attributes:
        path: Of the checkpoint.

    Example:
        >>> manager = streamvsr.CheckpointManager("job.json")  # doctest: +SKIP
        >>> manager.save_checkpoint(250, {"crf": 18, "input": "in.mkv"})  # doctest: +SKIP
        >>> manager.load_checkpoint()  # doctest: +SKIP
        {'frame_index': 250, 'params': {'crf': 18, 'input': 'in.mkv'}}
    """

    def __init__(self, path: PathInput) -> None:
        """Names the file; touches nothing.

        Args:
            path: Of the checkpoint; where nothing is, the first save makes it.

        Raises:
            ConfigError: The path is empty or that of a folder.
            TypeError: It is no path.
        """
        name = os.fspath(path)
        if not isinstance(name, str):
            raise TypeError(f"path must be a str or os.PathLike of it, not {type(path).__name__}")
        if not os.path.basename(name) or os.path.isdir(name):
            raise ConfigError(f"{name!r} must name a file, not a folder", name)
        self.path = name
        self._lock = threading.Lock()

    def save_checkpoint(self, frame_index: int, params: Mapping[str, Any]) -> None:
        """Replaces the checkpoint; it is on the disk when this returns.

        Args:
            frame_index: The first frame that is still to be done, 0 or more.
            params: What a later run needs to go on or to know its job again, by name: None, bool,
                int of 64 bits, finite float, str, and mappings by str and sequences (list, tuple,
                which comes back as a list) of them.

        Raises:
            ConfigError: frame_index is negative, a value has no place in JSON, or the file would
                pass 64 KiB.
            TypeError: frame_index is no integer, or a value of another type is in params: bytes,
                arrays and tensors among them, since a checkpoint holds no frames.
            OutputExistsError: Something is there that is none of CheckpointManager's.
            OutputError: The system refused.
        """
        entries = {"frame_index": _frame(frame_index), "params": _mapping(params, "params", 0)}
        text = json.dumps(entries, allow_nan=False)
        with self._lock:
            _core.save_application_checkpoint(self.path, text)

    def load_checkpoint(self) -> dict[str, Any] | None:
        """What was saved last: {"frame_index": ..., "params": {...}}; None where nothing is.

        Raises:
            ResumeError: The file is torn, altered, of another version, holds what no
                CheckpointManager saves, or is none of CheckpointManager's; the message says which,
                and what to do.
            OutputError: The system refused.
        """
        text = _core.load_application_checkpoint(self.path)
        if text is None:
            return None
        entries = json.loads(text)
        try:
            return {
                "frame_index": _frame(entries["frame_index"]),
                "params": _mapping(entries["params"], "params", 0),
            }
        except (ConfigError, KeyError, TypeError) as error:
            raise ResumeError(
                f"the checkpoint {self.path!r} lacks an entry, or one is wrong: {error}; "
                "clear_checkpoint() removes it, to start over",
                self.path,
            ) from error

    def clear_checkpoint(self) -> None:
        """Removes the checkpoint and its `.tmp`, damaged ones too; where none is, does nothing.

        Raises:
            OutputExistsError: Something is there that is none of CheckpointManager's.
            OutputError: The system refused.
        """
        with self._lock:
            _core.clear_application_checkpoint(self.path)


def _frame(value: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"frame_index must be an int, not {type(value).__name__}")
    frame = operator.index(value)
    if not 0 <= frame <= _MOST_FRAME:
        raise ConfigError(f"frame_index must be 0 or more and below 2^63, not {frame}")
    return frame


def _mapping(value: Any, where: str, depth: int) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{where} must be a mapping, not {type(value).__name__}")
    for name in value:
        if not isinstance(name, str):
            raise TypeError(f"the names in {where} must be str, not {type(name).__name__}")
    return {
        _plain(name, f"a name in {where}", depth): _plain(item, f"{where}[{name!r}]", depth + 1)
        for name, item in value.items()
    }


def _plain(value: Any, where: str, depth: int) -> Any:
    """A value as JSON gives it back; raises for one that JSON would change or cannot hold."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not _INTEGERS[0] <= value <= _INTEGERS[1]:
            raise ConfigError(f"{where} must fit into 64 bits: give a larger number as a str")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigError(f"{where} is {value}, which JSON cannot hold: give None or a str")
        return float(value)
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ConfigError(
                f"{where} is no Unicode text, which JSON cannot hold: give os.fsencode(it).hex()"
            ) from error
        return str(value)
    if depth >= _MOST_DEPTH:
        raise ConfigError(f"params are nested deeper than {_MOST_DEPTH} levels")
    if isinstance(value, Mapping):
        return _mapping(value, where, depth)
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{where}[{at}]", depth + 1) for at, item in enumerate(value)]
    kind = type(value)
    if isinstance(value, (bytes, bytearray, memoryview)) or _has_samples(value):
        raise TypeError(
            f"{where} is data ({kind.__module__}.{kind.__qualname__}): a checkpoint holds progress "
            "and parameters, never frames"
        )
    raise TypeError(
        f"{where} is a {kind.__module__}.{kind.__qualname__}, which JSON cannot hold: give "
        "numbers, str, bool, None, and lists and mappings of them"
    )


def _has_samples(value: Any) -> bool:
    """Whether a value is an array or tensor, and not one of NumPy's numbers."""
    return getattr(value, "shape", ()) != ()
