"""Sources with tags and display matrices that not every container can hold."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

from fidelity.sources import source

APPLE = {
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.model": "iPhone 14",
    "com.apple.quicktime.location.ISO6709": "+48.2082+016.3738+171.000/",
    "com.apple.quicktime.creationdate": "2024-05-01T12:00:00+0200",
}
PLACE = "+48.2082+016.3738/"


def tagged(path: Path, tags: Mapping[str, str], *options: str) -> None:
    """A short film with these tags."""
    lines = [";FFMETADATA1"]
    for key, value in tags.items():
        lines.append(f"{_escaped(key)}={_escaped(value)}")
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.2",
         "-f", "ffmetadata", "-i", "-", "-map", "0:v", "-map_metadata", "1", "-c:v", "libx264",
         "-preset", "ultrafast", *options, str(path)],
        check=True, input="\n".join(lines).encode() + b"\n",
    )  # fmt: skip


def _escaped(text: str) -> str:
    return "".join("\\" + c if c in "=;#\\\n" else c for c in text)


@source("place.mp4")
def place(path: Path) -> None:
    """Where it was taken, in MP4's own box (loci)."""
    tagged(path, {"location": PLACE, "title": "A film"})


@source("apple.mov")
def apple(path: Path) -> None:
    """What a telephone writes into a film."""
    tagged(path, {"creation_time": "2024-05-01T10:00:00Z", **APPLE}, "-movflags",
           "use_metadata_tags")  # fmt: skip


@source("capitals.mkv")
def capitals(path: Path) -> None:
    tagged(path, {"TITLE": "A film", "ARTIST": "Somebody", "MAKE": "Camera", "BARCODE": "123"})


@source("long-comment.mkv")
def long_comment(path: Path) -> None:
    """More than the 64 kB of a QuickTime text."""
    tagged(path, {"comment": "all of it " * 7000})


@source("stretched.mp4")
def stretched(path: Path) -> None:
    """A display matrix that doubles the picture's width."""
    tagged(path, {})
    data = bytearray(path.read_bytes())
    # ISO/IEC 14496-12, 8.3.2: the matrix begins 40 bytes behind the header of a tkhd of version 0.
    at = data.index(b"tkhd") + 44
    assert struct.unpack_from(">i", data, at) == (0x10000,)
    struct.pack_into(">i", data, at, 0x20000)
    path.write_bytes(data)
