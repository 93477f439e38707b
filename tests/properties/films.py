"""Films and configurations drawn by Hypothesis; how many, STREAMVSR_PROPERTIES says (default 1)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers import ClipRecipe, make_clip
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# Times the usual number of examples.
SAMPLES = int(os.environ.get("STREAMVSR_PROPERTIES", "1"))


def examples(number: int) -> settings:
    """Settings for a test that runs whole jobs."""
    return settings(
        max_examples=number * SAMPLES,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


@dataclass(frozen=True)
class Case:
    """A film and what to make of it."""

    recipe: ClipRecipe
    suffix: str  # of the source
    target: str  # of the output
    options: dict[str, Any]

    def source(self, folder: Path) -> Path:
        """Makes the film, once a folder."""
        path = folder / f"in{self.suffix}"
        return path if path.exists() else make_clip(path, self.recipe)


@st.composite
def cases(draw: st.DrawFn, most_frames: int = 60) -> Case:
    """Any film of up to so many frames, any way to enhance it."""
    suffix = draw(st.sampled_from([".mkv", ".mp4"]))
    codecs = ["libx264", "mpeg4", "mpeg2video", "libx265"] + (["ffv1"] if suffix == ".mkv" else [])
    codec = draw(st.sampled_from(codecs))
    least = 64 if codec == "libx265" else 32
    rate = draw(st.sampled_from(["25", "24000/1001", "50"]))
    select = ""
    if suffix == ".mkv" and draw(st.booleans()):
        select = draw(st.sampled_from(["mod(n,5)-3", "mod(n,3)", "lt(mod(n,10),4)"]))
    recipe = ClipRecipe(
        frames=draw(st.integers(1, most_frames)),
        width=2 * draw(st.integers(least // 2, 70)),
        height=2 * draw(st.integers(least // 2, 50)),
        rate=rate,
        codec=codec,
        audio=draw(st.sampled_from(["", "aac", "ac3"])),
        select=select,
        options=("-x265-params", "log-level=none") if codec == "libx265" else (),
    )
    target = draw(st.sampled_from([".mkv", ".mp4"]))
    options: dict[str, Any] = {
        "model": "nearest",
        "scale": draw(st.sampled_from([1, 2, 3])),
        "segment_seconds": draw(st.sampled_from([0.5, 1.0, 10.0])),
        "max_memory_mb": draw(st.sampled_from([96, 160, 1024])),
        "decoder_threads": draw(st.integers(0, 3)),
        "encoder_threads": draw(st.integers(0, 3)),
        "max_disk_fraction": None,
    }
    codec = draw(st.sampled_from(["h264", "h264", "hevc"] + (["ffv1"] if target == ".mkv" else [])))
    options["codec"] = codec
    if codec == "ffv1":
        options["disk_ratio"] = None
    else:
        options["encoder_preset"] = draw(st.sampled_from(["ultrafast", "veryfast"]))
    return Case(recipe, suffix, target, options)
