"""What each key of an existing VideoProcessor's configuration does to a stream: one table."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamvsr._names import canonical
from streamvsr.config import CODECS
from streamvsr.errors import ConfigError
from streamvsr.models import NEAREST, TORCH_SUFFIXES, packaged_models
from streamvsr.monitor import memory_limit_mb
from streamvsr.presets import QUALITIES

SWITCH = "streaming_mode"
OWN = "streamvsr"  # the section of StreamingConfig's own options
NETWORKS: tuple[str, ...] = (".safetensors", *TORCH_SUFFIXES)


class Reading:
    """Purpose: what the keys read so far come to. Thread-safety: none.

    Attributes:
        config: The whole configuration.
        key: The one in hand, by its path.
        options: Options of StreamingConfig.
        sources: The keys that decide them.
        streaming: The switch; None where it is not there.
        checkpoint_frames: Frames between two checkpoints; None where nothing says.
        update_interval: Least time between two updates of the progress tracker, in seconds.
        models_used: Whether a network was found in models_dir.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Has read nothing yet."""
        self.config = config
        self.key = ""
        self.options: dict[str, Any] = {}
        self.sources: dict[str, str] = {}
        self.streaming: bool | None = None
        self.checkpoint_frames: int | None = None
        self.update_interval = 0.25
        self.models_used = False

    def set(self, option: str, value: Any) -> str | None:
        """Takes an option, unless a key of higher rank has; then that is the reason."""
        if option in self.sources:
            return f"{self.sources[option]} stands above it"
        self.options[option], self.sources[option] = value, self.key
        return None

    def refuse(self, wanted: str, value: object) -> ConfigError:
        """The error for a value that cannot be used."""
        return ConfigError(f"{self.key} must be {wanted}, not {value!r}")

    def number(self, value: object, low: float, high: float = math.inf) -> float:
        """A number above low, up to high."""
        wanted = f"a number above {low:g}" + (f", up to {high:g}" if high < math.inf else "")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.refuse(wanted, value)
        if not math.isfinite(value) or not low < value <= high:
            raise self.refuse(wanted, value)
        return value

    def text(self, value: object) -> str:
        """A name or a path."""
        if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
            raise self.refuse("a name or a path", value)
        return str(os.fspath(value))

    def switch(self, value: object) -> bool:
        """A switch, also as the number 0 or 1."""
        if not isinstance(value, (bool, int)) or value not in (0, 1):
            raise self.refuse("true or false", value)
        return bool(value)

    def in_models_dir(self, name: str, suffixes: tuple[str, ...] = ("",)) -> Path | None:
        """A file in models_dir."""
        folder = self.config.get("models_dir")
        if isinstance(folder, (str, os.PathLike)):
            for suffix in suffixes:
                path = Path(folder) / f"{name}{suffix}"
                if path.is_file():
                    self.models_used = True
                    return path
        return None


# Uses a value; gives the reason where it has no effect after all.
_Use = Callable[[Reading, Any], str | None]


@dataclass(frozen=True)
class HostKey:
    """A key of the existing configuration.

    Attributes:
        path: With dots; "*" stands for a quality.
        use: What it does; a text instead says why it has no effect.
        note: What it does, for people; "" where use is a text.
    """

    path: str
    use: _Use | str
    note: str = ""

    @property
    def text(self) -> str:
        """What it does, or why it has no effect."""
        return f"no effect: {self.use}" if isinstance(self.use, str) else self.note


def _option(name: str) -> _Use:
    return lambda reading, value: reading.set(name, value)


def _switch(reading: Reading, value: Any) -> str | None:
    reading.streaming = reading.switch(value)
    return None


def _checkpoint(reading: Reading, value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise reading.refuse("a whole number of frames above 0", value)
    if (reason := reading.set("segment_seconds", value)) is None:
        reading.options.pop("segment_seconds")  # known when the clip's rate is
        reading.checkpoint_frames = value
    return reason


def _model_path(reading: Reading, value: Any) -> str | None:
    text = reading.text(value)
    path = Path(text)
    if path.suffix not in NETWORKS:
        raise reading.refuse(
            "a network file: .safetensors of streamvsr's own format, or a TorchScript archive "
            "(.pt, .ts)", text,
        )  # fmt: skip
    if not path.is_absolute() and not path.exists():
        path = reading.in_models_dir(text) or path
    return reading.set("model", path)


def _ai_model(reading: Reading, value: Any) -> str | None:
    name = reading.text(value)
    if "model" in reading.sources:
        return reading.set("model", name)
    suffixes = ("",) if Path(name).suffix in NETWORKS else NETWORKS
    if (path := reading.in_models_dir(name, suffixes)) is not None:
        return reading.set("model", path)
    if name == NEAREST or name in {model.path.stem for model in packaged_models()}:
        return reading.set("model", name)
    return f"no network {name!r} is in models_dir or in streamvsr, whose own one runs"


def _models_dir(reading: Reading, value: Any) -> str | None:
    reading.text(value)
    return None if reading.models_used else "no network of it is asked for"


def _codec(reading: Reading, value: Any) -> str | None:
    return reading.set("codec", canonical(value, CODECS) if isinstance(value, str) else value)


def _of_lossy(name: str) -> _Use:
    def use(reading: Reading, value: Any) -> str | None:
        if reading.options.get("codec") == "ffv1":
            return "ffv1 is lossless"
        return reading.set(name, value)

    return use


def _use_gpu(reading: Reading, value: Any) -> str | None:
    if not reading.switch(value):
        return reading.set("device", "cpu")
    number = (reading.config.get("performance") or {}).get("gpu_id")
    return reading.set("device", "cuda" if number is None else f"cuda:{_gpu(reading, number)}")


def _gpu_id(reading: Reading, value: Any) -> str | None:
    device = f"cuda:{_gpu(reading, value)}"
    if reading.options.get("device") == device:
        return None
    if reading.options.get("device") == "cpu":
        return "use_gpu is off"
    return reading.set("device", device)


def _gpu(reading: Reading, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 100:
        raise ConfigError(f"performance.gpu_id must be a whole number from 0 to 99, not {value!r}")
    return value


def _memory_usage(reading: Reading, value: Any) -> str | None:
    share = reading.number(value, 0, 1)
    return reading.set("memory_warning_mb", max(1, int(share * memory_limit_mb())))


def _interval(reading: Reading, value: Any) -> str | None:
    reading.update_interval = reading.number(value, 0)
    return None


def _stabilization(reading: Reading, value: Any) -> str | None:
    return None if reading.switch(value) else reading.set("temporal_window", 1)


def _window(reading: Reading, value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise reading.refuse("a whole number of frames above 0", value)
    return reading.set("temporal_window", min(value, 8))


def _background_lock(reading: Reading, value: Any) -> str | None:
    return reading.set("background_lock", reading.switch(value))


def _optical_flow(reading: Reading, value: Any) -> str | None:
    return None if reading.switch(value) else reading.set("temporal_flow", "off")


def _named(option: str, values: Mapping[str, float]) -> _Use:
    def use(reading: Reading, value: Any) -> str | None:
        if not isinstance(value, str) or value not in values:
            raise reading.refuse(f"one of {', '.join(values)}", value)
        return reading.set(option, values[value])

    return use


def _edges(reading: Reading, value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise reading.refuse("a number from 0 to 1", value)
    return reading.set("mask_edges", value * _EDGE)


# Black to white, a sample. A share of samples that lie on edges, as a policy counts them, is a mean
# step of this times the share, as the mask does: Canny's usual thresholds, 50 and 150 of 255 behind
# Sobel's filter, are steps of 6 and 19 codes a sample.
_EDGE = 0.05
_TILES = "how pictures are cut is planned from the memory that is measured, without seams"
_BATCH = "as many pictures are taken together as wait and fit, which changes none of them"
_GAN_STRENGTHS = {"weak": 0.6, "medium": 0.8, "strong": 1.0}
_TEMPORAL_STRENGTHS = {"low": 0.5, "medium": 0.7, "high": 0.9}  # 1 - the smoothing's alpha

# In this order: of two keys for one thing the upper one stands above the other.
KEYS: tuple[HostKey, ...] = (
    HostKey(SWITCH, _switch, "the switch: on, the video is streamed; off, the parent processes it"),
    HostKey("streaming.enabled", f"{SWITCH} is the switch"),
    HostKey(
        "streaming.max_memory_mb", _option("max_frames_mb"),
        "`max_frames_mb`: of pictures in flight; decoder and encoder take what they need",
    ),
    HostKey("streaming.max_vram_mb", _option("max_vram_mb"), "`max_vram_mb`"),
    HostKey(
        "streaming.checkpoint_interval", _checkpoint,
        "`segment_seconds`: so many frames at the clip's mean rate, within 0.5 to 600 s",
    ),
    HostKey(
        "streaming.enable_temporal_stabilization", _stabilization,
        "off: `temporal_window` 1; on: as preset and quality say",
    ),
    HostKey(
        "streaming.temporal_buffer_size", _window, "`temporal_window`, 8 at most",
    ),
    HostKey("streaming.batch_size", _BATCH),
    HostKey(
        "video.model_path", _model_path,
        "`model`: a network file, seen from the current folder, else from `models_dir`; `scale` is "
        "that of a .safetensors file",
    ),
    HostKey(
        "video.ai_model", _ai_model,
        "`model`, without `model_path`: a network file of that name in `models_dir`, or a packaged "
        "network; where there is none the packaged one runs, and a warning says so",
    ),
    HostKey("video.quality_presets.*.tile_size", _TILES),
    HostKey("video.quality_presets.*.batch_size", _BATCH),
    HostKey(
        "video.quality_presets.*.denoise_strength",
        "how much is cleaned is the network's to decide, which may be told how strongly the source "
        "was compressed",
    ),
    HostKey("video.quality_presets.*.overlap_pixels", _TILES),
    HostKey(
        "video.output.format", _option("container"),
        "`container`, unless the output's name ends in .mp4, .mov or .mkv",
    ),
    HostKey("video.output.codec", _codec, "`codec`, also by its encoders' names (libx264, h265)"),
    HostKey("video.output.crf", _of_lossy("crf"), "`crf`"),
    HostKey("video.output.preset", _of_lossy("encoder_preset"), "`encoder_preset`"),
    HostKey(
        "performance.use_gpu", _use_gpu,
        "`device`: on, cuda, and the CPU with a warning where there is none; off, cpu",
    ),
    HostKey("performance.gpu_id", _gpu_id, "`device`: which one, cuda:0 and so on"),
    HostKey(
        "performance.max_memory_usage", _memory_usage,
        "`memory_warning_mb`: that share of the machine's memory",
    ),
    HostKey("performance.tile_overlap", _TILES),
    HostKey("performance.num_workers", _option("compute_threads"), "`compute_threads`"),
    HostKey(
        "performance.prefetch_factor",
        "as many frames are read ahead as streaming.max_memory_mb has room for",
    ),
    HostKey(
        "performance.checkpoint_interval", _checkpoint,
        "the same as `streaming.checkpoint_interval`, where that is missing",
    ),
    HostKey("models_dir", _models_dir, "where networks that keys above name are looked for"),
    HostKey("temp_dir", "a stream makes no temporary files"),
    HostKey(
        "progress_update_interval", _interval,
        "least seconds between two updates of the progress tracker, of which there are at most "
        "four a second",
    ),
    HostKey(
        "gan_policy.strength", _named("mask_strength", _GAN_STRENGTHS),
        "`mask_strength`: weak 0.6, medium 0.8, strong 1",
    ),
    HostKey("gan_policy.highlight_threshold", _option("mask_highlights"), "`mask_highlights`"),
    HostKey("gan_policy.shadow_threshold", _option("mask_shadows"), "`mask_shadows`"),
    HostKey(
        "gan_policy.edge_threshold", _edges,
        "`mask_edges`: a 20th of it: it is the share of samples on an edge, which is taken to be a "
        "step of a 20th of black to white, where mask_edges is the mean step",
    ),
    HostKey(
        "gan_policy.motion_threshold", _option("mask_motion"),
        "`mask_motion`: the way from one picture to the next as a share of the width",
    ),
    HostKey("temporal_config.background_lock", _background_lock, "`background_lock`"),
    HostKey(
        "temporal_config.strength", _named("temporal_strength", _TEMPORAL_STRENGTHS),
        "`temporal_strength`: low 0.5, medium 0.7, high 0.9",
    ),
    HostKey(
        "temporal_config.optical_flow_enabled", _optical_flow,
        'off: `temporal_flow` "off"; on: as preset and quality say',
    ),
)  # fmt: skip


def table_text() -> str:
    """The keys and what they do, as the table of docs/drop-in.md."""
    rows = [(key.path, key.text) for key in KEYS]
    rows.append((f"{OWN}.*", "every option of `StreamingConfig` by its own name, above all others"))
    lines = [f"| `{path}` | {text} |" for path, text in rows]
    return "\n".join(["| key | in streaming mode |", "| --- | --- |", *lines])


def paths_of(key: HostKey) -> list[str]:
    """The paths that a row stands for."""
    qualities = QUALITIES if "*" in key.path else ("",)
    return [key.path.replace("*", quality) for quality in qualities]


PATHS: tuple[str, ...] = tuple(path for key in KEYS for path in paths_of(key))
SECTIONS: frozenset[str] = frozenset(
    path[:at] for path in PATHS for at, letter in enumerate(path) if letter == "."
)
