"""Pictures for the eye, and the PNG files that hold them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RgbPicture = NDArray[np.uint8]


def rgb_picture(planes: Sequence[NDArray[np.uint8]], rotation: float) -> RgbPicture:
    """Planes as one picture.

    Args:
        planes: Green, blue and red, shape (height, width), as the core has them.
        rotation: Degrees counter-clockwise by which it is turned, to the nearest right angle.

    Returns:
        Shape (height, width, 3), contiguous.
    """
    green, blue, red = planes
    picture = np.stack([red, green, blue], axis=-1)
    return np.ascontiguousarray(np.rot90(picture, round(rotation / 90)))


def png(picture: RgbPicture) -> bytes:
    """A picture, shape (height, width, 3), as a PNG file (ISO/IEC 15948), without loss."""
    height, width, _ = picture.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)
    samples = picture.reshape(height, 3 * width)
    rows[0, 1:] = samples[0]
    # Each row as its difference from the one above (filter 2), which packs far better.
    rows[1:, 0] = 2
    rows[1:, 1:] = samples[1:] - samples[:-1]
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in (
            (b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""),
        )
    )  # fmt: skip
