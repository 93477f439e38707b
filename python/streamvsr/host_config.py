"""The configuration of an existing VideoProcessor, read for a stream."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from streamvsr._names import nearest
from streamvsr.config import CONTAINERS, StreamingConfig
from streamvsr.errors import ConfigError
from streamvsr.host_keys import KEYS, OWN, PATHS, SECTIONS, Reading, paths_of
from streamvsr.models import describe_model
from streamvsr.settings import made, read_mapping

_SECONDS = (0.5, 600.0)  # of a segment


@dataclass(frozen=True, kw_only=True)
class HostConfig:
    """What was read, key by key: every key is in exactly one of honoured, unused and unknown.

    Attributes:
        streaming: The switch, streaming_mode; None where it is not there.
        options: Options of StreamingConfig.
        sources: The keys that they come from.
        checkpoint_frames: Frames between two checkpoints; None: streamvsr's own 10 s.
        update_interval: Least time between two updates of the progress tracker, in seconds.
        honoured: Keys that have an effect, with what they decide.
        unused: Keys without one, with the reason.
        unknown: Keys that nobody knows, with the nearest known one or None.
    """

    streaming: bool | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    checkpoint_frames: int | None = None
    update_interval: float = 0.25
    honoured: Mapping[str, str] = field(default_factory=dict)
    unused: Mapping[str, str] = field(default_factory=dict)
    unknown: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def warnings(self) -> list[str]:
        """One sentence for each reason why keys have no effect, and one for the unknown keys."""
        reasons: dict[str, list[str]] = {}
        for key, reason in self.unused.items():
            reasons.setdefault(reason, []).append(key)
        told = [
            f"no effect in streaming mode: {', '.join(keys)}: {reason}"
            for reason, keys in reasons.items()
        ]
        if self.unknown:
            hints = [
                f"{key!r}" + (f" (did you mean {near!r}?)" if near else "")
                for key, near in self.unknown.items()
            ]
            told.append(f"unknown in the configuration, without effect: {', '.join(hints)}")
        return told

    def streaming_config(
        self, frame_rate: float = 0.0, output_path: str | os.PathLike[str] | None = None
    ) -> StreamingConfig:
        """The configuration of one job.

        Args:
            frame_rate: Mean rate of the video in frames a second, by which checkpoint_frames become
                a segment of 0.5 to 600 s; 0: unknown, and they become nothing.
            output_path: Where the output goes; a suffix that names a container stands above the
                configuration's format.

        Raises:
            ConfigError: Values that cannot work together.
            ModelError: The network's file cannot be used.
        """
        options = dict(self.options)
        if self.checkpoint_frames is not None and frame_rate > 0:
            seconds = self.checkpoint_frames / frame_rate
            options["segment_seconds"] = min(max(seconds, _SECONDS[0]), _SECONDS[1])
        suffix = "" if output_path is None else Path(output_path).suffix.lower().lstrip(".")
        if suffix in CONTAINERS and not self.sources.get("container", "").startswith(OWN):
            options.pop("container", None)
        model = options.get("model")
        if isinstance(model, Path) and model.suffix == ".safetensors":
            options.setdefault("scale", describe_model(model).scale)
        return made(options, self.sources)


def read_config(config: Mapping[str, Any] | str | os.PathLike[str]) -> HostConfig:
    """Reads an existing configuration: a mapping, or the path of a JSON or YAML file.

    A key whose value is None counts as honoured: it stands for the default.

    Raises:
        StreamvsrError: As settings.read_mapping(), for a file.
        ConfigError: A value cannot work; the message names the key.
    """
    given = config if isinstance(config, Mapping) else read_mapping(config)
    reading = Reading(given)
    honoured: dict[str, str] = {}
    unused: dict[str, str] = {}
    for name, value in _own(given).items():
        reading.key = f"{OWN}.{name}"
        reading.set(name, value)
        honoured[reading.key] = f"`{name}`"
    found = _flattened(given)
    rows = [(path, row) for row in KEYS for path in paths_of(row) if path in found]
    for path, row in rows:
        reading.key = path
        if found[path] is None:
            honoured[path] = "the default"
        elif isinstance(row.use, str):
            unused[path] = row.use
        elif (reason := row.use(reading, found[path])) is None:
            honoured[path] = row.note
        else:
            unused[path] = reason
    # The container may give way to the output's name, and is looked at by itself.
    options = dict(reading.options)
    made({"container": options.pop("container", None)}, reading.sources)
    made(options, reading.sources)
    return HostConfig(
        streaming=reading.streaming,
        options=reading.options,
        sources=reading.sources,
        checkpoint_frames=reading.checkpoint_frames,
        update_interval=reading.update_interval,
        honoured=honoured,
        unused=unused,
        unknown={path: _near(path) for path in found if path not in PATHS},
    )


def _flattened(config: Mapping[str, Any], section: str = "") -> dict[str, Any]:
    """Values by path; what is no section of ours is left whole."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        path = f"{section}{name}"
        if path == OWN:
            continue
        if path not in SECTIONS:
            found[path] = value
        elif isinstance(value, Mapping):
            found |= _flattened(value, f"{path}.")
        elif value is not None:
            raise ConfigError(f"{path} must hold names and values, not {value!r}")
    return found


def _own(config: Mapping[str, Any]) -> Mapping[str, Any]:
    section = config.get(OWN)
    if section is None:
        return {}
    if not isinstance(section, Mapping):
        raise ConfigError(f"{OWN} must hold options of StreamingConfig, not {section!r}")
    names = [item.name for item in fields(StreamingConfig)]
    for name in section:
        if name not in names:
            near = nearest(str(name), names)
            hint = f"; did you mean {near!r}?" if near else ""
            raise ConfigError(f"{OWN} has no option {name!r}{hint}")
    return section


def _near(path: str) -> str | None:
    """The known key that an unknown one probably means: one beside it, else one of like name."""
    section, _, name = path.rpartition(".")
    known = {*PATHS, *SECTIONS, OWN}
    beside = {key.rpartition(".")[2]: key for key in known if key.rpartition(".")[0] == section}
    near = nearest(name, beside)
    if near is not None:
        return beside[near]
    anywhere = {key.rpartition(".")[2]: key for key in [*reversed(PATHS), *sorted(SECTIONS)]}
    near = nearest(name, anywhere)
    return None if near is None else anywhere[near]
