"""Films whose container does not show all of their pictures, made of films that it shows whole."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

# --- Matroska -------------------------------------------------------------------------------------

_SEGMENT, _SEEK_HEAD, _VOID, _TRACKS = 0x18538067, 0x114D9B74, 0xEC, 0x1654AE6B
_TRACK, _VIDEO = 0xAE, 0xE0
_CROP = {"left": 0x54CC, "top": 0x54BB, "right": 0x54DD, "bottom": 0x54AA}
_DISPLAY = (0x54B0, 0x54BA)  # width and height
_UNIT = 0x54B2


@dataclass(frozen=True)
class _Element:
    id: int
    at: int
    payload: int
    end: int


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number with the bit that marks its length, and that length."""
    length = 9 - data[at].bit_length()
    return int.from_bytes(data[at : at + length], "big"), length


def _elements(data: bytes, begin: int, end: int) -> Iterator[_Element]:
    while begin < end:
        name, of_name = _number(data, begin)
        size, of_size = _number(data, begin + of_name)
        payload = begin + of_name + of_size
        stop = payload + size - (1 << 7 * of_size)
        yield _Element(name, begin, payload, stop)
        begin = stop


def _element(name: int, content: bytes) -> bytes:
    size = (len(content) | 1 << 56).to_bytes(8, "big")
    return name.to_bytes((name.bit_length() + 7) // 8, "big") + size + content


def _unsigned(name: int, value: int) -> bytes:
    return _element(name, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def _first(data: bytes, parent: _Element, name: int) -> _Element:
    return next(e for e in _elements(data, parent.payload, parent.end) if e.id == name)


def crop_matroska(
    source: Path,
    target: Path,
    *,
    display: tuple[int, int] | None = None,
    unit: int | None = None,
    **edges: int,
) -> Path:
    """A copy of a film of FFmpeg's whose first track tells PixelCrop elements.

    FFmpeg leaves room behind the index of the elements at the film's beginning; what the tracks
    grow by is taken from there, so that all behind them stays where it was.
    """
    data = source.read_bytes()
    whole = _Element(0, 0, 0, len(data))
    segment = _first(data, whole, _SEGMENT)
    room, tracks = _first(data, segment, _VOID), _first(data, segment, _TRACKS)
    track = _first(data, tracks, _TRACK)
    video = _first(data, track, _VIDEO)
    replaced = (*_DISPLAY, _UNIT) if display else ()
    kept = [e for e in _elements(data, video.payload, video.end) if e.id not in replaced]
    picture = b"".join(data[e.at : e.end] for e in kept)
    picture += b"".join(_unsigned(_CROP[side], samples) for side, samples in edges.items())
    for name, value in zip(_DISPLAY, display or (), strict=False):
        picture += _unsigned(name, value)
    if unit is not None:
        picture += _unsigned(_UNIT, unit)
    entry = data[track.payload : video.at] + _element(_VIDEO, picture)
    entry += data[video.end : track.end]
    described = data[tracks.payload : track.at] + _element(_TRACK, entry)
    described += data[track.end : tracks.end]
    new = _element(_TRACKS, described)
    left = room.end - room.at - (len(new) - (tracks.end - tracks.at))
    assert left >= 9, "FFmpeg left no room"
    filled = _element(_VOID, bytes(left - 9))
    target.write_bytes(
        data[: room.at] + filled + data[room.end : tracks.at] + new + data[tracks.end :]
    )
    assert target.stat().st_size == len(data)
    return target


# --- MP4 and MOV ----------------------------------------------------------------------------------

_PATH = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"")  # of the first track's entry
_HEADS = {b"stsd": 8, b"": 78}  # bytes before the boxes within


def _edit(data: bytes, path: tuple[bytes, ...], change: Callable[[bytes], bytes]) -> bytes:
    """Boxes side by side, with the content of the first one at the end of a path changed."""
    at = 0
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if path[0] in (name, b""):
            head = _HEADS.get(path[0], 0)
            content = data[at + 8 : at + size]
            inner = content[head:]
            inner = _edit(inner, path[1:], change) if len(path) > 1 else change(inner)
            box = struct.pack(">I4s", 8 + head + len(inner), name) + content[:head] + inner
            return data[:at] + box + data[at + size :]
        at += size
    raise ValueError(f"no box {path[0]!r}")


def crop_mp4(
    source: Path,
    target: Path,
    size: tuple[Fraction | int, Fraction | int],
    offset: tuple[Fraction | int, Fraction | int] = (0, 0),
    *,
    without_shape: bool = False,
) -> Path:
    """A copy of a film whose `moov` lies at its end with a `clap` of its first track.

    without_shape: and without the `pasp` that tells the shape of samples.
    """
    numbers = [
        part
        for value in (*size, *offset)
        for part in (Fraction(value).numerator, Fraction(value).denominator)
    ]
    clap = struct.pack(">I4s8i", 40, b"clap", *numbers)

    def change(boxes: bytes) -> bytes:
        # First: QuickTime's boxes may end with four zeros.
        return clap + (boxes.replace(b"pasp", b"free") if without_shape else boxes)

    data = source.read_bytes()
    assert data.find(b"mdat") < data.find(b"moov")
    target.write_bytes(_edit(data, _PATH, change))
    return target


def show_at(path: Path, width: int, height: int) -> None:
    """Writes the size on the screen into an MP4's first track header."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") - 4
    (size,) = struct.unpack_from(">I", data, at)
    struct.pack_into(">II", data, at + size - 8, width << 16, height << 16)
    path.write_bytes(data)
