"""Files above 2 GiB, sparse: their ends are holes."""

from __future__ import annotations

import os
from pathlib import Path

from helpers import make_clip

from fidelity.sources import source

BYTES = 3 << 30


def _claim_a_huge_packet(path: Path, handler: bytes) -> None:
    """Makes a film of 3 GiB, with one packet that claims nearly 1 GiB."""
    make_clip(path, frames=60, audio="aac")
    data = bytearray(path.read_bytes())
    sizes = data.index(b"stsz", data.index(handler)) + 16  # version, one size, count
    data[sizes + 160 : sizes + 164] = b"\x3f\xff\xff\xf0"
    path.write_bytes(data)
    os.truncate(path, BYTES)


@source("large_plain.mp4")
def plain(path: Path) -> None:
    make_clip(path, frames=60, audio="aac")
    os.truncate(path, BYTES)


@source("large_huge_sound_packet.mp4")
def huge_sound_packet(path: Path) -> None:
    _claim_a_huge_packet(path, b"soun")


@source("large_huge_picture_packet.mp4")
def huge_picture_packet(path: Path) -> None:
    _claim_a_huge_packet(path, b"vide")
