"""The command line and the configuration it stands for, in both directions."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

from streamvsr.config import (
    COLOR_MATRICES,
    DEVICES,
    ENGINES,
    INTERLACED,
    PRECISIONS,
    ROTATIONS,
    SCALES,
    SIZE_CHANGES,
    TEMPORAL_FLOWS,
    StreamingConfig,
)

# StreamingConfig.resume by its name on the command line.
RESUME: dict[str, bool | str] = {"auto": "auto", "yes": True, "no": False, "frames": "frames"}


def upscale_command(source: str, target: str, config: StreamingConfig) -> list[str]:
    """The words of `streamvsr upscale` that make this configuration; defaults are left out."""
    words = ["streamvsr", "upscale", _path(source), _path(target)]
    defaults = StreamingConfig().to_dict()
    for name, value in config.to_dict().items():
        option = "--" + name.replace("_", "-")
        if name == "encoder_options":
            for key, setting in value.items():
                words += _option("--encoder-option", f"{key}={setting}")
        elif name == "model_id" or value == defaults[name]:
            continue
        elif name == "streams":
            words += _option(option, ",".join(value))
        elif name == "resume":
            words += _option(option, next(key for key in RESUME if RESUME[key] == value))
        elif name == "background_lock":
            words += _option(option, "on" if value else "off")
        elif isinstance(value, bool):
            words.append(option)
        else:
            words += _option(option, _text(value))
    return words


def _text(value: object) -> str:
    if value is None:
        return "none"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _path(path: str) -> str:
    return f"./{path}" if path.startswith("-") else path


def _option(option: str, value: str) -> list[str]:
    return [f"{option}={value}"] if value.startswith("-") else [option, value]


def number_or_none(text: str) -> float | None:
    """A number, or None for "none", as an argument of the command line."""
    try:
        return None if text.lower() == "none" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor none") from None


def whole_or_none(text: str) -> int | None:
    """A whole number, or None for "none", as an argument of the command line."""
    try:
        return None if text.lower() == "none" else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a whole number nor none") from None


def listed(text: str) -> list[str]:
    """Words between commas, as an argument of the command line."""
    return [word for word in text.split(",") if word]


def on_off(text: str) -> bool:
    """on or off, as an argument of the command line."""
    if text not in ("on", "off"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither on nor off")
    return text == "on"


def add_steadying(parser: argparse.ArgumentParser) -> None:
    """Adds preset, quality, and the options of mask and temporal window."""
    from streamvsr.presets import PRESETS, QUALITIES

    add = parser.add_argument_group("steady pictures", "(docs/temporal.md)").add_argument
    add(
        "--preset", metavar="|".join(PRESETS),
        help="what is not said below, by the kind of film (default: nothing is done; with "
        "--quality alone theater_medium)",
    )  # fmt: skip
    add("--quality", metavar="|".join(QUALITIES), help="(default: with --preset balanced)")
    add("--temporal-window", type=int, metavar="1-8", help="pictures that one is made of")
    add("--temporal-strength", type=float, metavar="0-1", help="of a picture on the one after it")
    add("--temporal-flow", metavar="|".join(TEMPORAL_FLOWS), help="how motion is followed")
    add("--background-lock", type=on_off, metavar="on|off", help="the mean where nothing moves")
    add("--mask-strength", type=float, metavar="0-1", help="the network's share at most")
    add("--mask-highlights", type=float, metavar="0-1", help="less network in brighter places")
    add("--mask-shadows", type=float, metavar="0-1", help="less network in darker places")
    add("--mask-edges", type=float, metavar="0-1", help="less network where less is to be seen")
    add("--mask-motion", type=float, metavar="0-1", help="less network in what moves faster")


def pair(text: str) -> tuple[str, str]:
    """NAME=VALUE, as an argument of the command line."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def add_enhancement(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say which network runs, and where."""
    add = parser.add_argument_group("enhancement").add_argument
    add(
        "-s", "--scale", type=int, default=2, metavar="|".join(map(str, SCALES)),
        help="factor in both directions, as far as the model reaches (default: 2)",
    )  # fmt: skip
    add(
        "-m", "--model", metavar="MODEL", default=None,
        help='a name listed by "streamvsr models", a .safetensors file, a TorchScript archive (.pt '
        'or .ts), or "nearest"',
    )  # fmt: skip
    add("--precision", default="auto", metavar="|".join(PRECISIONS), help="(default: auto)")
    add(
        "--engine", default="auto", metavar="|".join(ENGINES),
        help="what runs a .safetensors network (default: auto, torch on an accelerator, else rows)",
    )  # fmt: skip
    add(
        "--device", default="auto", metavar="|".join(DEVICES),
        help="where the network runs; cuda:1 is the second one (default: auto, an "
        "accelerator where there is one, else the CPU)",
    )  # fmt: skip


def add_reading(add: Callable[..., object]) -> None:
    """Adds the options that say how the source's pictures are read; add: an add_argument."""
    add(
        "--color-matrix", metavar="|".join(COLOR_MATRICES),
        help="of a source that tells none or a wrong one",
    )  # fmt: skip
    add(
        "--interlaced", default="deinterlace", metavar="|".join(INTERLACED),
        help="what becomes of interlaced video (default: deinterlace)",
    )  # fmt: skip
    add(
        "--rotation", default="keep", metavar="|".join(ROTATIONS),
        help="keep the mark that a picture is turned, or turn it (default: keep)",
    )  # fmt: skip
    add(
        "--size-change", default="scale", metavar="|".join(SIZE_CHANGES),
        help="what becomes of pictures in another size than the first (default: scale)",
    )  # fmt: skip


def add_max_vram(add: Callable[..., object]) -> None:
    """Adds --max-vram-mb; add: a parser's or group's add_argument."""
    add(
        "--max-vram-mb", type=int, default=6144, metavar="MB",
        help="most memory held on the network's device; pictures are cut to fit (default: 6144)",
    )  # fmt: skip


def add_threads(add: Callable[..., object], *stages: str) -> None:
    """Adds each stage's number of threads; add: a parser's or group's add_argument."""
    for stage in stages:
        add(
            f"--{stage}-threads", type=int, default=0, metavar="N",
            help="(default: 0, from the cores)",
        )  # fmt: skip


def seconds(text: str) -> float:
    """A time, in seconds or as M:SS or H:MM:SS, as an argument of the command line."""
    try:
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        parts = []
    if not 1 <= len(parts) <= 3 or not all(0 <= part < math.inf for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of seconds nor H:MM:SS")
    return sum(part * 60.0**power for power, part in enumerate(reversed(parts)))


def crop(text: str) -> tuple[int, int, int, int]:
    """X,Y,W,H in whole pixels, as an argument of the command line."""
    try:
        left, top, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not X,Y,W,H in whole pixels") from None
    return left, top, width, height
