"""Sources that open other files: playlists, numbered pictures, recordings in pieces."""

from __future__ import annotations

import struct
from pathlib import Path

from helpers import run

from fidelity.sources import source


def _film(path: Path, *output: str | Path) -> None:
    run(
        ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=3",
         "-c:v", "libx264", "-preset", "ultrafast", "-g", "25", *output, path]
    )  # fmt: skip


@source("playlist_hls.m3u8")
def hls(path: Path) -> None:
    _film(path, "-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod")


@source("playlist_dash.mpd")
def dash(path: Path) -> None:
    _film(path, "-f", "dash", "-seg_duration", "1")


@source("playlist_concat.ffconcat")
def concat(path: Path) -> None:
    for number in (1, 2):
        _film(path.with_name(f"concat_part{number}.mkv"))
    path.write_text("ffconcat version 1.0\nfile concat_part1.mkv\nfile concat_part2.mkv\n")


@source("playlist_named_as_film.mp4")
def named_as_film(path: Path) -> None:
    hls(path.with_suffix(".m3u8"))
    path.with_suffix(".m3u8").rename(path)


@source("playlist_numbered%d.jpg")
def numbered(path: Path) -> None:
    """A picture whose name FFmpeg takes for a pattern that fits two others."""
    for name in ("playlist_numbered1.jpg", "playlist_numbered2.jpg", "one.jpg"):
        run(
            ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=96x64",
             "-frames:v", "1", "-update", "1", path.with_name(name)]
        )  # fmt: skip
    path.with_name("one.jpg").rename(path)


def magic_lantern(path: Path, frames: range) -> None:
    """One piece of a raw recording of Canon cameras: 32x32 samples of 16 bits, 25 per second."""
    block = struct.Struct("<4sIQ")
    piece = struct.pack("<4sI8sQHHIHHIIII", b"MLVI", 52, b"v2.0\0\0\0\0", 77, 0, 2, 0, 1, 0,
                        4, 0, 25, 1)  # fmt: skip
    about = struct.pack("<HHI20sI48sI80s", 32, 32, 1, bytes(20), 16, bytes(48), 0x2010100,
                        bytes(80))  # fmt: skip
    piece += block.pack(b"RAWI", 16 + len(about), 0) + about
    for frame in frames:
        data = struct.pack("<H", 1000 * frame) * (32 * 32)
        piece += block.pack(b"VIDF", 32 + len(data), 0)
        piece += struct.pack("<IIII", frame, 0, 0, 0) + data
    path.write_bytes(piece)


@source("playlist_pieces.MLV")
def pieces(path: Path) -> None:
    magic_lantern(path, range(2))
    magic_lantern(path.with_suffix(".M00"), range(2, 4))
