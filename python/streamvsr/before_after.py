"""One picture of a film before and after the network: preview() and what it gives."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from streamvsr import _core, files
from streamvsr._names import unknown
from streamvsr.api import job_config
from streamvsr.config import StreamingConfig
from streamvsr.errors import ConfigError
from streamvsr.pictures import RgbPicture, png, rgb_picture
from streamvsr.remains import PathInput

# Those of StreamingConfig that decide what the network makes of a picture.
OPTIONS: tuple[str, ...] = (
    "scale", "model", "precision", "engine", "device", "color_matrix", "interlaced", "rotation",
    "size_change", "max_vram_mb", "decoder_threads", "compute_threads",
)  # fmt: skip
_HDR = {"smpte2084": "PQ", "arib-std-b67": "HLG"}

Crop = tuple[int, int, int, int]


@dataclass(frozen=True)
class Preview:
    """A picture before and after the network, as players show it but for its pixels' aspect.

    Attributes:
        path: The video.
        time: Of the picture, in seconds since the file's start.
        before: The source's picture, interpolated to the size of after by the filter spline36;
            shape (height, width, 3), uint8 RGB.
        after: The enhanced picture; the same shape.
        enhancer: What made it, one line.
        warnings: What a viewer should know, a sentence each.
    """

    path: str
    time: float
    before: RgbPicture
    after: RgbPicture
    enhancer: str
    warnings: list[str] = field(default_factory=list)

    def _repr_html_(self) -> str:
        """What a notebook shows, see docs/notebooks.md."""
        from streamvsr.notebook import preview_html

        return preview_html(self)

    def side_by_side(self, crop: Crop | None = None) -> RgbPicture:
        """Both in one picture, before on the left.

        Args:
            crop: (left, top, width, height) of the part that is shown, in pixels of after; None:
                all.

        Raises:
            ConfigError: The part does not lie within the picture.
        """
        height, width, _ = self.after.shape
        left, top, across, down = (0, 0, width, height) if crop is None else crop
        inside = min(left, top) >= 0 and left + across <= width and top + down <= height
        if not inside or min(across, down) < 1:
            raise ConfigError(
                f"the crop {left},{top},{across},{down} (x,y,width,height) must lie within the "
                f"enhanced picture, which is {width}x{height}"
            )
        part = np.s_[top : top + down, left : left + across]
        return np.concatenate([self.before[part], self.after[part]], axis=1)

    def save(self, path: PathInput, *, crop: Crop | None = None, overwrite: bool = False) -> None:
        """Writes side_by_side() as a PNG file.

        Args:
            path: Where it goes; it must end with .png.
            crop: As of side_by_side().
            overwrite: Replace a file that is there.

        Raises:
            ConfigError: The name ends otherwise, or the crop lies outside.
            OutputExistsError: Something is there.
            OutputError: The system refused.
        """
        target = os.fspath(path)
        check_name(target)
        files.write_file(target, png(self.side_by_side(crop)), overwrite)


def check_name(path: str) -> None:
    """Raises ConfigError for a picture whose name does not end with .png."""
    if not path.lower().endswith(".png"):
        raise ConfigError(f"{path!r} must end with .png", path)


def default_picture_path(input_path: PathInput) -> Path:
    """Beside the input: its name, and "_before_after.png"."""
    path = Path(input_path)
    return path.with_name(f"{path.stem}_before_after.png")


def preview(input_path: PathInput, at: float, *, scale: int = 2, **options: Any) -> Preview:
    """Shows one picture of a video before and after the network, without a run.

    The enhanced picture is what upscale() with the same options computes for that frame, before
    its encoder. Colours are those of the stream's tags or of color_matrix; where there is none,
    of BT.601 up to 1024 x 576 and of BT.709 beyond. HDR is not tone-mapped. A rotation that the
    file asks for is applied, whatever the option rotation says.

    Args:
        input_path: A seekable regular file with video in it.
        at: Seconds since the file's start, 0 or more: the picture shown then.
        scale: Factor in both directions, see StreamingConfig.scale.
        **options: model, precision, engine, device, color_matrix, interlaced, rotation,
            size_change, max_vram_mb, decoder_threads and compute_threads, as of StreamingConfig.

    Raises:
        ConfigError: No picture is shown at that time, or an option cannot work.
        InputNotFoundError: Nothing is there.
        InputError: It cannot be used.
        ModelError: The network cannot be used.
        MemoryLimitError: max_vram_mb is too little.
        KeyboardInterrupt: Ctrl-C.

    Example:
        >>> streamvsr.preview("in.mp4", 12.5).save("before_after.png")  # doctest: +SKIP
    """
    for name in options:
        if name not in OPTIONS:
            raise unknown("option", name, OPTIONS)
    return preview_by(StreamingConfig(scale=scale, **options), os.fspath(input_path), at)


def preview_by(config: StreamingConfig, source: str, at: float) -> Preview:
    """What preview() gives, by the OPTIONS of a configuration; errors as there."""
    if isinstance(at, bool) or not isinstance(at, (int, float)) or not math.isfinite(at) or at < 0:
        raise ConfigError(f"at must be a number of seconds, 0 or more, not {at!r}")
    found = _core.preview_picture(job_config(config, source, ""), float(at))
    warnings = list(found.warnings)
    if found.transfer in _HDR:
        warnings.append(f"the video is HDR ({_HDR[found.transfer]}): shown without tone mapping")
    before, after = (rgb_picture(planes, found.rotation) for planes in (found.before, found.after))
    return Preview(source, found.time, before, after, found.enhancer, warnings)
