"""What a job may be told: one frozen dataclass, checked when it is made."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from streamvsr._names import unknown
from streamvsr.errors import ConfigError
from streamvsr.networks import check_object

CODECS: tuple[str, ...] = ("h264", "hevc", "av1", "ffv1")
_AV1_PRESETS: tuple[str, ...] = tuple(str(number) for number in range(14))  # SVT-AV1's own
# The largest crf of each codec that has one.
_MOST_CRF = {"h264": 51, "hevc": 51, "av1": 63}
CONTAINERS: tuple[str, ...] = ("mp4", "mov", "mkv")
PRECISIONS: tuple[str, ...] = ("auto", "bf16", "fp16", "fp32")
ENGINES: tuple[str, ...] = ("auto", "rows", "torch")
DEVICES: tuple[str, ...] = ("auto", "cpu", "cuda")  # and "cuda:1" and so on
ENCODER_PRESETS: tuple[str, ...] = (
    "ultrafast", "superfast", "veryfast", "faster", "fast",
    "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip
SCALES: tuple[int, ...] = (1, 2, 3, 4, 8)
COLOR_MATRICES: tuple[str, ...] = ("bt601", "bt709", "bt2020")
INTERLACED: tuple[str, ...] = ("deinterlace", "keep", "refuse")
ROTATIONS: tuple[str, ...] = ("keep", "apply")
SIZE_CHANGES: tuple[str, ...] = ("scale", "refuse")
_MOST_SIDE = 32768
TEMPORAL_FLOWS: tuple[str, ...] = ("full", "half", "off")
_SHARES: tuple[str, ...] = (
    "temporal_strength",
    "mask_strength", "mask_highlights", "mask_shadows", "mask_edges", "mask_motion",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class StreamingConfig:
    """Options of a job. Every one has a default and takes effect in every run.

    Raises ConfigError when made with a value that cannot work; the message says what is allowed.

    Attributes:
        scale: Factor in both directions: 1, 2, 3, 4 or 8, as far as the model can reach it (x4 with
            a x2 network is two passes). Default 2.
        model: Name of a packaged network (`streamvsr models` lists them), path of a .safetensors
            network file or of a TorchScript archive (.pt or .ts), or "nearest" (repeats samples);
            or a torch.nn.Module, or a function from pictures to pictures, both torch tensors (n,
            planes, height, width) of values 0..1 (docs/torch-engine.md). None, the default: the
            packaged network.
        model_id: Name and version of a function given as model, by which an interrupted job knows
            it again; a job without it begins anew. None, the default.
        precision: Arithmetic of the network: "auto", "bf16", "fp32", or, of the torch engine alone,
            "fp16". "auto", the default: of the rows engine bf16 where the CPU computes in it, else
            fp32; of the torch engine fp32 on the CPU and for functions, else fp16.
        engine: What runs a .safetensors network: "rows" (our own, for the CPU), "torch", or "auto",
            the default: torch on an accelerator, else rows. All other networks are torch's.
        device: Where the network runs: "auto" (an accelerator where torch has one, else the CPU),
            "cpu", "cuda" or "cuda:1" and so on. Where the device is missing or cannot run
            the network, the CPU does, with a warning. Default "auto".
        temporal_window: Pictures that one result is made of, itself among them, 1 to 8; 1: each by
            itself. None, the default of this and of the options down to mask_motion: as the preset
            and quality say that process() is given, else nothing is done (docs/temporal.md).
        temporal_strength: What an earlier picture weighs in the window against the one after it,
            0 (nothing) to 1. Without a preset 0.7.
        temporal_flow: How motion is followed: "full" (at the source's size), "half" (at half of it:
            cheaper, less exact), "off" (only what stays where it is is steadied). Without a preset
            "full".
        background_lock: True: what stays where it is becomes the plain mean of the window, whatever
            temporal_strength. Without a preset True.
        mask_strength: The network's share of a picture, 0 to 1; the rest is interpolated.
        mask_highlights: Brightness, 0 (black) to 1 (white), from which on the network's share
            falls, to none at white. 1: it never does.
        mask_shadows: Brightness, 0 to 1, from which down it falls, to none at black. 0: never.
        mask_edges: Steps between neighbouring samples, 0 to 1 (black to white), in the mean of
            9 x 9 source samples: where they are smaller it falls in proportion. 0: never.
        mask_motion: Widths of the picture, 0 to 1, that things move from one picture to the next:
            beyond it falls, to none at twice as much. 1: never.
        codec: Of the output's video: "h264", "hevc", "av1" (not in mov) or "ffv1" (lossless; mkv
            only, and disk_ratio must be None). Default "h264".
        crf: Quality, 0 (best) to 51, for av1 1 to 63: constant where disk_ratio leaves room for it.
            None, the default: 18 for h264, 20 for hevc, 25 for av1. Not for ffv1.
        encoder_preset: Effort of the encoder, "ultrafast" to "placebo", for av1 also SVT-AV1's
            numbers, "0" to "13". None, the default: "medium". Not for ffv1.
        pixel_format: FFmpeg's name of the output's pixel format, such as "yuv420p10le". None, the
            default: that of the source, or the nearest one the encoder takes.
        width: Of the output, samples, 1 to 32768: the network enlarges by scale, what is left is
            resampled (spline36). None, the default: as height and the picture's shape say, else as
            scale does.
        height: The same. With both, the shape may change; the sample aspect ratio makes up for it.
        color_matrix: Of the source, where it tells none or a wrong one: "bt601", "bt709" or
            "bt2020" (non-constant luminance); written to the output too. None, the default: what
            the source tells, else by its size (docs/picture.md).
        interlaced: What becomes of interlaced video: "deinterlace", the default: one progressive
            picture for each frame (FFmpeg's bwdif); "keep": enhanced as if it were progressive;
            "refuse": an error.
        rotation: A picture that is shown turned or mirrored: "keep", the default, carries the mark
            that says so; "apply" turns it.
        size_change: Pictures that come in another size than the first: "scale", the default, brings
            them to the first one's; "refuse" makes it an error.
        streams: What is carried beside the enhanced video, by FFmpeg's stream specifiers, such as
            ("a:0", "s:m:language:eng"). Empty, the default: all that the container can hold.
        encoder_options: Further options of the encoder, by FFmpeg's names; empty by default.
        container: Of the output: "mp4", "mov" or "mkv". None, the default: from its suffix.
        resume: What to do about an interrupted run on the same output: "auto" goes on where there
            is one; True does, and it is an error when there is none; False starts over; "frames"
            goes on even where libraries or processor changed: frames and times are then those of
            an uninterrupted run, rounding and bytes are not. Default "auto".
        overwrite: True replaces an output that exists; default False: refused.
        strict: True turns damage in the source into an error; default False: what decodes is
            processed and the damage is counted.
        segment_seconds: Length of the spans that are encoded independently, at most, 0.5 to 600
            s; default 10. Spans that take more than about two minutes of work are shorter, but at
            least 1 s.
        max_memory_mb: The most memory for frames and packets in flight anywhere in the process,
            encoder and decoder included, 64 to 1048576 MB (of 1048576 bytes). None, the default:
            what the job needs, at most half of what the machine or the control group has
            available; a job that is resumed keeps what was decided by that when it began. Where
            the limit does not suffice, the encoder's look-ahead and then threads are lowered, with
            a warning; what you set yourself is not. MemoryLimitError names remedies.
        max_frames_mb: The most memory for pictures that wait between decoder, network and encoder,
            64 to 1048576 MB, codecs not counted. None, the default: no limit of their own.
        max_vram_mb: The most memory that is held on the network's device, its weights, context and
            libraries included, 16 to 1048576 MB; default 6144. Pictures are cut in pieces that fit.
            On the CPU it holds for what torch runs.
        memory_warning_mb: Resident memory of the process, 1 to 1048576 MB, beyond which it is
            warned once and fewer frames wait between the stages. None, the default: 90 % of the
            memory that the process may have.
        disk_ratio: The most that input, output and checkpoint may take together, as a multiple of
            the input, above 1; 1 MiB where that is more. Where crf would pass it, the picture is
            made coarser: the plan's warnings say what that is likely to cost, and the report says
            where it was. What could not hold a watchable picture is refused before any work. None
            lifts it. Default 3.0.
        max_disk_fraction: The most of the output's free disk space that the job may take, above 0
            and up to 1; default 0.8. More than that by estimate is refused before any work; while
            running, the job warns and stops early before the disk is full. None checks nothing.
        encoder_threads: 0 to 128; 0, the default, derives it from the cores. The output's bytes
            depend on it.
        decoder_threads: 0 to 128; 0, the default, derives it from the cores.
        compute_threads: 0 to 128; 0, the default, derives it from the cores. Changes the result
            of what torch runs on the CPU (by rounding), never any other.
    """

    scale: int = 2
    model: str | os.PathLike[str] | Callable[[Any], Any] | None = None
    model_id: str | None = None
    precision: str = "auto"
    engine: str = "auto"
    device: str = "auto"
    temporal_window: int | None = None
    temporal_strength: float | None = None
    temporal_flow: str | None = None
    background_lock: bool | None = None
    mask_strength: float | None = None
    mask_highlights: float | None = None
    mask_shadows: float | None = None
    mask_edges: float | None = None
    mask_motion: float | None = None
    codec: str = "h264"
    crf: float | None = None
    encoder_preset: str | None = None
    pixel_format: str | None = None
    width: int | None = None
    height: int | None = None
    color_matrix: str | None = None
    interlaced: str = "deinterlace"
    rotation: str = "keep"
    size_change: str = "scale"
    streams: Sequence[str] = ()
    encoder_options: Mapping[str, str] = field(default_factory=dict)
    container: str | None = None
    resume: bool | str = "auto"
    overwrite: bool = False
    strict: bool = False
    segment_seconds: float = 10.0
    max_memory_mb: int | None = None
    max_frames_mb: int | None = None
    max_vram_mb: int = 6144
    memory_warning_mb: int | None = None
    disk_ratio: float | None = 3.0
    max_disk_fraction: float | None = 0.8
    encoder_threads: int = 0
    decoder_threads: int = 0
    compute_threads: int = 0

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        _integer("scale", self.scale, min(SCALES), max(SCALES))
        if self.scale not in SCALES:
            raise ConfigError(f"scale must be one of {_listed(SCALES)}, not {self.scale}")
        if self.model is not None:
            if not isinstance(self.model, (str, os.PathLike)):
                if not callable(self.model):
                    raise _wrong_type("model", "a name, a path, a function or None", self.model)
            elif not os.fspath(self.model):
                raise ConfigError('model must not be ""; None means the packaged network')
        if self.model_id is not None and not (isinstance(self.model_id, str) and self.model_id):
            raise _wrong_type("model_id", "a name such as 'my network 3' or None", self.model_id)
        check_object(self.model, self.model_id)
        _choice("precision", self.precision, PRECISIONS)
        _choice("engine", self.engine, ENGINES)
        _device(self.device)
        self._check_steadying()
        _choice("codec", self.codec, CODECS)
        _choice("container", self.container, CONTAINERS, none=True)
        presets = ENCODER_PRESETS + (_AV1_PRESETS if self.codec == "av1" else ())
        _choice("encoder_preset", self.encoder_preset, presets, none=True)
        if self.codec == "av1" and self.container == "mov":
            raise ConfigError("mov cannot hold av1; use container 'mp4' or 'mkv'")
        if self.crf is not None and self.codec in _MOST_CRF:
            _number("crf", self.crf, 1 if self.codec == "av1" else 0, _MOST_CRF[self.codec])
        if self.codec == "ffv1":
            for name in ("crf", "encoder_preset"):
                if getattr(self, name) is not None:
                    raise ConfigError(
                        f"{name} has no meaning for the lossless codec ffv1; leave it out"
                    )
            if self.container in ("mp4", "mov"):
                raise ConfigError(f"{self.container} cannot hold ffv1; use container 'mkv'")
            if self.disk_ratio is not None:
                raise ConfigError(
                    "ffv1 is lossless: its size cannot be held within a disk budget; lift it with "
                    "disk_ratio=None (--disk-ratio none), or choose another codec"
                )
        if self.pixel_format is not None and not (
            isinstance(self.pixel_format, str) and self.pixel_format
        ):
            raise _wrong_type("pixel_format", "a name such as 'yuv420p' or None", self.pixel_format)
        for name in ("width", "height"):
            if getattr(self, name) is not None:
                _integer(name, getattr(self, name), 1, _MOST_SIDE)
        _choice("color_matrix", self.color_matrix, COLOR_MATRICES, none=True)
        _choice("interlaced", self.interlaced, INTERLACED)
        _choice("rotation", self.rotation, ROTATIONS)
        _choice("size_change", self.size_change, SIZE_CHANGES)
        object.__setattr__(self, "streams", _specifiers(self.streams))
        object.__setattr__(self, "encoder_options", _options(self.encoder_options))
        _resume(self.resume)
        _boolean("overwrite", self.overwrite)
        _boolean("strict", self.strict)
        _number("segment_seconds", self.segment_seconds, 0.5, 600)
        for name in ("max_memory_mb", "max_frames_mb"):
            if getattr(self, name) is not None:
                _integer(name, getattr(self, name), 64, 1 << 20)
        _integer("max_vram_mb", self.max_vram_mb, 16, 1 << 20)
        if self.memory_warning_mb is not None:
            _integer("memory_warning_mb", self.memory_warning_mb, 1, 1 << 20)
        if self.disk_ratio is not None:
            _number("disk_ratio", self.disk_ratio, 1, 1000)
            if self.disk_ratio == 1:
                raise ConfigError("disk_ratio must be above 1: the input alone takes all of 1")
        if self.max_disk_fraction is not None:
            _number("max_disk_fraction", self.max_disk_fraction, 0, 1)
            if self.max_disk_fraction == 0:
                raise ConfigError("max_disk_fraction must be above 0; None checks nothing")
        for name in ("encoder_threads", "decoder_threads", "compute_threads"):
            _integer(name, getattr(self, name), 0, 128)

    def _check_steadying(self) -> None:
        if self.temporal_window is not None:
            _integer("temporal_window", self.temporal_window, 1, 8)
        for name in _SHARES:
            if getattr(self, name) is not None:
                _number(name, getattr(self, name), 0, 1)
        _choice("temporal_flow", self.temporal_flow, TEMPORAL_FLOWS, none=True)
        if self.background_lock is not None:
            _boolean("background_lock", self.background_lock)

    @classmethod
    def from_dict(cls, options: Mapping[str, Any]) -> StreamingConfig:
        """Makes a configuration from names and values, as a JSON or YAML file holds them.

        Raises:
            ConfigError: A key is unknown (the nearest one is named) or a value cannot work.
            TypeError: options is no mapping.
        """
        if not isinstance(options, Mapping):
            raise TypeError(f"a configuration must be a mapping, not {type(options).__name__}")
        names = [item.name for item in fields(cls)]
        for key in options:
            if key not in names:
                raise unknown("configuration key", str(key), names)
        return cls(**options)

    def to_dict(self) -> dict[str, Any]:
        """The options by name, as from_dict takes them."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        values["streams"] = list(self.streams)
        values["encoder_options"] = dict(self.encoder_options)
        if isinstance(self.model, os.PathLike):
            values["model"] = os.fspath(self.model)
        return values


def _listed(choices: tuple[object, ...]) -> str:
    return ", ".join(str(choice) for choice in choices)


def _wrong_type(name: str, wanted: str, value: object) -> ConfigError:
    return ConfigError(f"{name} must be {wanted}, not {value!r}")


def _choice(name: str, value: object, choices: tuple[str, ...], none: bool = False) -> None:
    if none and value is None:
        return
    if not isinstance(value, str):
        raise _wrong_type(name, f"one of {_listed(choices)}{' or None' if none else ''}", value)
    if value not in choices:
        raise unknown(name, value, choices)


def _device(value: object) -> None:
    if not isinstance(value, str):
        raise _wrong_type("device", "a name such as 'cpu'", value)
    if value not in DEVICES and not re.fullmatch(r"cuda:(0|[1-9][0-9]?)", value):
        raise unknown("device", value, (*DEVICES, "cuda:1"))


def _resume(value: object) -> None:
    if isinstance(value, bool):
        return
    if not isinstance(value, str):
        raise _wrong_type("resume", "'auto', True, False or 'frames'", value)
    if value not in ("auto", "frames"):
        raise unknown("resume", value, ("auto", "True", "False", "frames"))


def _boolean(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise _wrong_type(name, "True or False", value)


def _integer(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong_type(name, f"a whole number from {low} to {high}", value)
    if not low <= value <= high:
        raise ConfigError(f"{name} must be from {low} to {high}, not {value}")


def _number(name: str, value: object, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong_type(name, f"a number from {low:g} to {high:g}", value)
    if not math.isfinite(value) or not low <= value <= high:
        raise ConfigError(f"{name} must be from {low:g} to {high:g}, not {value:g}")


def _specifiers(value: object) -> tuple[str, ...]:
    wanted = "a list of FFmpeg's stream specifiers, such as ['a:0', 's']"
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise _wrong_type("streams", wanted, value)
    for specifier in value:
        if not isinstance(specifier, str) or not specifier or "," in specifier:
            raise _wrong_type("streams", wanted, value)
    return tuple(value)


def _options(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise _wrong_type("encoder_options", "a mapping of names to values", value)
    options = {}
    for key, setting in value.items():
        if not isinstance(key, str) or not key:
            raise _wrong_type("a name in encoder_options", "a non-empty str", key)
        if isinstance(setting, bool) or not isinstance(setting, (str, int, float)):
            raise _wrong_type(f"encoder_options[{key!r}]", "a str or a number", setting)
        options[key] = str(setting)
    return options
