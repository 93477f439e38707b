"""Sound and picture at the end of a long film of 24000/1001 frames a second:

    python tests/fidelity/drift.py [--hours 3]

Prints, for MP4 and MKV, how far the last sound packet moved from the last picture.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import streamvsr
from helpers import ffprobe, run

RATE = 48000  # Hz


def make_film(path: Path, seconds: float) -> Path:
    """A small picture and a tone; the sound starts 11 samples late, which no video tick meets."""
    run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=s=32x32:r=24000/1001",
         "-itsoffset", str(11 / RATE), "-f", "lavfi", "-i", f"sine=sample_rate={RATE}",
         "-t", str(seconds), "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
         "-c:a", "aac", "-b:a", "24k", path],
        timeout=7200,
    )  # fmt: skip
    return path


def last_times(path: Path) -> dict[str, tuple[int, Fraction]]:
    """Number and time of the last packet of each kind."""
    found = {}
    for kind in ("v:0", "a:0"):
        answer = ffprobe(
            path, "-select_streams", kind, "-show_entries", "stream=time_base:packet=pts"
        )
        base = Fraction(answer["streams"][0]["time_base"])
        times = [int(packet["pts"]) for packet in answer["packets"]]
        found[kind] = (len(times), max(times) * base)
    return found


def movement(source: Path, output: Path) -> Fraction:
    """By how much the last sound packet moved against the last picture, s."""
    before, after = last_times(source), last_times(output)
    if {k: n for k, (n, _) in before.items()} != {k: n for k, (n, _) in after.items()}:
        raise AssertionError(f"packets were {before}, are {after}")
    distance = [side["a:0"][1] - side["v:0"][1] for side in (before, after)]
    return distance[1] - distance[0]


def measure(folder: Path, seconds: float) -> dict[str, Fraction]:
    """The movement in each container, s."""
    source = make_film(folder / "in.mp4", seconds)
    moved = {}
    for container in ("mp4", "mkv"):
        output = folder / f"out.{container}"
        streamvsr.upscale(
            source, output, scale=2, model="nearest", encoder_preset="ultrafast", disk_ratio=None
        )
        moved[container] = movement(source, output)
    return moved


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=3)
    seconds = parser.parse_args().hours * 3600
    with tempfile.TemporaryDirectory() as folder:
        for container, moved in measure(Path(folder), seconds).items():
            print(f"{container}: {float(moved * RATE):+.3f} samples, {float(moved * 1000):+.4f} ms")


if __name__ == "__main__":
    main()
