"""Decoded outputs of fixed inputs, by FFmpeg's framemd5, as they were: golden.json.

Only what every processor computes alike: zimg's and our own arithmetic on whole numbers, no
network, no error diffusion. Where a change is meant, `STREAMVSR_FIDELITY=golden` writes the file
anew, and the diff shows what changed.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from helpers import frame_hashes, run
from streamvsr import StreamingVideoProcessor

GOLDEN = Path(__file__).with_name("golden.json")
FRAMES = 3
# Source's pixel format and what is asked for.
CASES: dict[str, tuple[str, dict[str, object]]] = {
    "x2_420": ("yuv420p", {"scale": 2}),
    "x3_422_10": ("yuv422p10le", {"scale": 3}),
    "gray_12": ("gray12le", {"scale": 2}),
    "exact_size": ("yuv420p", {"scale": 2, "width": 100, "height": 90}),
    "smaller": ("yuv444p", {"scale": 1, "width": 38}),
    "to_444": ("yuv420p", {"scale": 1, "pixel_format": "yuv444p"}),
}


def make_source(path: Path, pixel_format: str) -> Path:
    """Codes from plain arithmetic, so that no version of a program draws them otherwise."""
    deep = "le" in pixel_format
    depth = int("".join(filter(str.isdigit, pixel_format.split("p")[-1])) or 8) if deep else 8
    depth = 12 if pixel_format == "gray12le" else depth
    planes = {"yuv420p": 1.5, "yuv422p": 2, "yuv444p": 3, "gray": 1}
    size = next(v for k, v in planes.items() if pixel_format.startswith(k))
    count = int(64 * 48 * size) * FRAMES
    n = np.arange(count, dtype=np.int64)
    codes = (n * n // 97 + 31 * (n // 64) + n) % (1 << depth)
    data = codes.astype(np.uint16 if depth > 8 else np.uint8).tobytes()
    run(
        ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", pixel_format, "-s", "64x48",
         "-r", "25", "-i", "-", "-c:v", "ffv1", path],
        stdin=data,
    )  # fmt: skip
    return path


def digest(name: str, folder: Path) -> str:
    """Of all decoded frames of a case's output."""
    pixel_format, options = CASES[name]
    source = make_source(folder / "in.mkv", pixel_format)
    target = folder / "out.mkv"
    config = {"codec": "ffv1", "disk_ratio": None, "model": "nearest", **options}
    result = StreamingVideoProcessor(config).process(source, target, None, None)
    assert result.success, result.error
    frames = frame_hashes(target)
    assert len(frames) == FRAMES
    return hashlib.sha256("".join(frame.md5 for frame in frames).encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", CASES)
def test_decoded_frames_are_those_of_before(name: str, tmp_path: Path) -> None:
    known: dict[str, str] = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    found = digest(name, tmp_path)
    if os.environ.get("STREAMVSR_FIDELITY") == "golden":
        GOLDEN.write_text(json.dumps({**known, name: found}, indent=2, sort_keys=True) + "\n")
    else:
        assert found == known[name]
