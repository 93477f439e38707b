"""Films whose pictures carry more than samples: captions, two views, Dolby Vision and such."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

from helpers import run

from fidelity.sources import source

_PICTURE = "testsrc2=s=96x64:r=25:d=4"
Message = tuple[int, bytes]  # payload type and payload of H.264's and HEVC's messages (SEI)


def cc_data(number: int) -> bytes:
    """Ten triples of CTA-708 that no other picture has, zeros that need an escape among them."""
    pairs = [b"\xfc" + bytes([0x80 | number & 0x7F, 0x80 | number >> 7 & 0x7F])]
    pairs += [b"\xff" + struct.pack(">H", number), b"\xfe\x00\x00", b"\xfe\x00\x01"]
    return b"".join(pairs) + b"\xfa\x00\x00" * (10 - len(pairs))


def captions(number: int) -> bytes:
    """ATSC A/53 part 4: what follows the country and provider of T.35, or starts user data."""
    data = cc_data(number)
    return b"GA94\x03" + bytes([0x40 | len(data) // 3]) + b"\xff" + data + b"\xff"


def _escaped(raw: bytes) -> bytes:
    return re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", raw)


def _unit(messages: list[Message], hevc: bool) -> bytes:
    raw = b"".join(bytes([kind, len(payload)]) + payload for kind, payload in messages)
    head = b"\x4e\x01" if hevc else b"\x06"
    return b"\x00\x00\x00\x01" + head + _escaped(raw + b"\x80")


def with_messages(
    data: bytes, messages: Callable[[int], list[Message]], hevc: bool = False
) -> bytes:
    """An Annex B stream of one slice a picture, with messages before each, by decoding order."""
    out, last, number = bytearray(), 0, 0
    for start in re.finditer(rb"\x00\x00\x01", data):
        head = data[start.end()]
        coded = (head >> 1) < 32 if hevc else head & 31 in (1, 5)
        if not coded:
            continue
        at = start.start() - (data[start.start() - 1] == 0)
        out += data[last:at]
        if given := messages(number):
            out += _unit(given, hevc)
        last, number = at, number + 1
    return bytes(out + data[last:])


def _encoded(path: Path, *options: str, picture: str = _PICTURE) -> bytes:
    bare = path.with_name(path.name + ".bare")
    run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", picture, *options, bare])
    data = bare.read_bytes()
    bare.unlink()
    return data


def _wrapped(path: Path, data: bytes, kind: str) -> None:
    """Wraps a bare stream at 25 pictures a second, with times in the order of display."""
    bare = path.with_name(f"{path.name}.{kind}")
    bare.write_bytes(data)
    film = path if path.suffix == ".mkv" else path.with_name(path.name + ".mkv")
    run(["mkvmerge", "-q", "-o", film, "--default-duration", "0:25fps", bare])
    bare.unlink()
    if film != path:
        run(["ffmpeg", "-v", "error", "-y", "-i", film, "-c", "copy", path])
        film.unlink()


_X264 = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "40", "-f", "h264",
         "-x264-params", "slices=1:sliced-threads=0")  # fmt: skip


def _t35(payload: bytes) -> Message:
    return 4, b"\xb5\x00\x31" + payload


def h264_film(path: Path, messages: Callable[[int], list[Message]]) -> None:
    _wrapped(path, with_messages(_encoded(path, *_X264), messages), "h264")


@source("side_captions.mp4")
def captions_h264(path: Path) -> None:
    """B pictures; every fifth picture of the decoding order has none."""
    h264_film(path, lambda number: [_t35(captions(number))] if number % 5 != 4 else [])


@source("side_captions_hevc.mkv")
def captions_hevc(path: Path) -> None:
    data = _encoded(path, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params",
                    "log-level=none:bframes=3:slices=1", "-f", "hevc")  # fmt: skip
    stream = with_messages(data, lambda number: [_t35(captions(number))], hevc=True)
    _wrapped(path, stream, "hevc")


def _mpeg2(path: Path, *options: str, picture: str = _PICTURE) -> None:
    data = _encoded(path, "-c:v", "mpeg2video", "-q:v", "4", "-bf", "2", *options, "-f",
                    "mpeg2video", picture=picture)  # fmt: skip
    out, last, number, due = bytearray(), 0, 0, False
    for start in re.finditer(rb"\x00\x00\x01(.)", data, re.DOTALL):
        code = start[1][0]
        if code == 0:
            due = True
        elif due and 1 <= code <= 0xAF:  # the picture's first slice: ISO/IEC 13818-2, table 6-1
            out += data[last : start.start()] + b"\x00\x00\x01\xb2" + captions(number)
            last, number, due = start.start(), number + 1, False
    _wrapped(path, bytes(out + data[last:]), "m2v")


@source("side_captions_mpeg2.ts")
def captions_mpeg2(path: Path) -> None:
    _mpeg2(path)


@source("side_captions_interlaced.ts")
def captions_interlaced(path: Path) -> None:
    _mpeg2(path, "-flags", "+ildct+ilme", "-top", "1",
           picture="testsrc2=s=96x64:r=50:d=4,interlace")  # fmt: skip


@source("side_active_format.mkv")
def active_format(path: Path) -> None:
    h264_film(path, lambda number: [_t35(b"DTG1\x41" + bytes([0xF0 | (8 + number // 50)]))])


@source("side_two_views.mkv")
def two_views(path: Path) -> None:
    """Side by side; no tag in the container."""
    data = _encoded(path, *_X264[:-1], _X264[-1] + ":frame-packing=3")
    _wrapped(path, data, "h264")


@source("side_time_code.mkv")
def time_code(path: Path) -> None:
    """HEVC with a time code in each picture (SEI 136)."""
    data = _encoded(path, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params",
                    "log-level=none:bframes=0:slices=1", "-f", "hevc")  # fmt: skip
    # One time stamp, full, 01:02:03:04: ITU-T H.265, D.2.27.
    bits = "01" + "1" + "0" + "00000" + "1" + "0" + "0" + f"{4:09b}{3:06b}{2:06b}{1:05b}" + "00000"
    bits += "1" + "0" * (-(len(bits) + 1) % 8)
    payload = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
    _wrapped(path, with_messages(data, lambda _: [(136, payload)], hevc=True), "hevc")


def dolby_vision(path: Path, profile: int) -> None:
    """HEVC in MP4 with the box that tells a Dolby Vision profile (`dvcC`)."""
    plain = path.with_name("plain.mp4")
    run(
        ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=0.4",
         "-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-preset", "ultrafast", "-x265-params",
         "log-level=none", "-tag:v", "hvc1", plain]
    )  # fmt: skip
    data = bytearray(plain.read_bytes())
    plain.unlink()
    # Profile, level 1, metadata and base layer, no compatible layer; then 16 reserved bytes.
    told = bytes([1, 0]) + struct.pack(">H", profile << 9 | 1 << 3 | 0b101) + bytes(20)
    box = struct.pack(">I", 8 + len(told)) + b"dvcC" + told
    entry = data.index(b"hvc1", data.index(b"stsd"))
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"hvc1"):
        at = data.rindex(name, 0, entry + 4) - 4
        data[at : at + 4] = struct.pack(">I", int.from_bytes(data[at : at + 4], "big") + len(box))
    end = entry - 4 + int.from_bytes(data[entry - 4 : entry], "big") - len(box)
    path.write_bytes(data[:end] + box + data[end:])


@source("side_dolby_vision_5.mp4")
def dolby_vision_5(path: Path) -> None:
    dolby_vision(path, 5)


@source("side_dolby_vision_8.mp4")
def dolby_vision_8(path: Path) -> None:
    dolby_vision(path, 8)
