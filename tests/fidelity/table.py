"""What is kept of every clip and every generated film, as a table:

    python tests/fidelity/table.py [--clips FOLDER] [NAME...]

A row is a source and a container; "=" stands for all equal, "*" for an exception that
docs/limits.md names, "#" for a difference. The exit code is 1 where there is one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import streamvsr
from clips import test_every_clip as checks
from helpers import ffprobe

from fidelity.films import NAMES, make_film

Check = Callable[[checks.Job], None]

PROPERTIES: dict[str, Check] = {
    "frames": checks.test_every_frame_is_there,
    "times": checks.test_every_frame_keeps_its_time,
    "A/V offset": checks.test_sound_keeps_its_distance_from_the_picture,
    "streams": checks.test_every_sound_and_text_is_there,
    "payload": checks.test_copied_packets_are_untouched,
    "videos": checks.test_further_videos_are_copied,
    "dispositions": checks.test_dispositions_are_kept,
    "chapters": checks.test_chapters_are_kept,
    "tags": checks.test_tags_are_kept,
    "colour, SAR, rotation": checks.test_colour_and_shape_are_kept,
    "plays": checks.test_ffmpeg_plays_it_without_a_word,
}

# (film, container, property) -> why, as docs/limits.md has it; "*" stands for every one.
EXCEPTIONS: dict[tuple[str, str, str], str] = {
    ("vp8.webm", "*", "colour, SAR, rotation"): "VP8 means BT.601, and its pictures alone say so",
    ("broadcast.ts", "mp4", "streams"): "layer 2 of MPEG audio reads as mp3",
    ("mpeg4.avi", "mp4", "tags"): "a tag that MP4 has no place for",
    ("mjpeg_full.avi", "mp4", "tags"): "a tag that MP4 has no place for",
    ("tagged.mkv", "mp4", "tags"): "a tag that MP4 has no place for",
    ("tagged.mkv", "mp4", "streams"): "an MP4 track has no title",
    ("ass.mkv", "mp4", "streams"): "texts become mov_text",
    **{
        (name, "mp4", what): "PCM is left out of MP4"
        for name in ("pcm.mov", "prores.mov", "mjpeg_full.avi")
        for what in ("A/V offset", "streams", "payload", "dispositions")
    },
    **{
        (name, "mkv", "plays"): "ffmpeg says that it guesses a layout, which Matroska does not tell"
        for name in ("pcm.mov", "prores.mov", "mjpeg_full.avi")
    },
}


def excepted(name: str, container: str, what: str) -> bool:
    """Whether a difference is a documented choice."""
    return any((name, c, what) in EXCEPTIONS for c in (container, "*"))


def finish(source: Path, folder: Path, container: str) -> checks.Job:
    """A job, run."""
    output = folder / f"{source.name}.{container}"
    result = streamvsr.upscale(source, output, **checks.OPTIONS, disk_ratio=None)
    return checks.Job(source, output, container, result, ffprobe(source), ffprobe(output))


def row(source: Path, folder: Path, container: str) -> dict[str, str]:
    """Each property's sign; a difference's reason is printed."""
    job = finish(source, folder, container)
    signs = {}
    for what, check in PROPERTIES.items():
        try:
            check(job)
            signs[what] = "="
        except (AssertionError, LookupError) as error:  # a stream that is not there
            known = excepted(source.name, container, what)
            signs[what] = "*" if known else "#"
            if not known:
                reason = (str(error).splitlines() or ["?"])[0]
                print(f"{source.name} to {container}, {what}: {reason}", file=sys.stderr)
    return signs


def main() -> int:
    """Runs them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="of films or clips; default: all")
    parser.add_argument("--clips", type=Path, help="a folder of real clips")
    options = parser.parse_args()
    worst = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        real = sorted(p for p in options.clips.iterdir() if p.is_file()) if options.clips else []
        wanted = set(options.names)
        print("| source | to | " + " | ".join(PROPERTIES) + " |")
        print("| --- | --- |" + " --- |" * len(PROPERTIES))
        sources = [p for p in real if not wanted or p.name in wanted]
        films = [n for n in NAMES if not wanted or n in wanted]
        for source in [*sources, *films]:
            path = source if isinstance(source, Path) else make_film(source, folder)
            for container in checks.CONTAINERS:
                signs = row(path, folder, container)
                worst = max(worst, int("#" in signs.values()))
                print(f"| {path.name} | {container} | {' | '.join(signs.values())} |", flush=True)
    return worst


if __name__ == "__main__":
    sys.exit(main())
