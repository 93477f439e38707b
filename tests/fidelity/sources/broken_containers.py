"""Files as recorders, crashes, joins and old tools leave them: the codecs are usual ones."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from helpers import run

from fidelity.sources import source
from fidelity.sources._tools import X264, ffmpeg, pictures, tone


def _beside(path: Path, name: str) -> Path:
    return path.with_name(f"{path.name}.{name}")


@source("live.webm")
def live_webm(path: Path) -> None:
    """A live stream saved as it came: clusters of unknown size, no index, no duration."""
    done = run(
        ["ffmpeg", "-v", "error", *pictures(), *tone(), "-c:v", "libvpx", "-deadline", "realtime",
         "-c:a", "libvorbis", "-f", "webm", "-live", "1", "-"]
    )  # fmt: skip
    path.write_bytes(done.stdout)


@source("recording.mp4")
def fragmented(path: Path) -> None:
    """A recorder's fragments, the last of them cut off where the recorder died."""
    ffmpeg(*pictures(4), *tone(4), *X264, "-c:a", "aac",
           "-movflags", "frag_keyframe+empty_moov+default_base_moof", path)  # fmt: skip
    data = path.read_bytes()
    last = data.rindex(b"moof") - 4
    path.write_bytes(data[:last])


@source("dash.mp4")
def dash(path: Path) -> None:
    """DASH's init segment and its media segments joined, one track, with sidx and styp boxes."""
    folder = _beside(path, "dash")
    folder.mkdir()
    ffmpeg(*pictures(4), *X264, "-f", "dash", "-seg_duration", "1", folder / "all.mpd")
    parts = [folder / "init-stream0.m4s", *sorted(folder.glob("chunk-stream0-*.m4s"))]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    for part in folder.iterdir():
        part.unlink()
    folder.rmdir()


@source("negative_offsets.mp4")
def negative_offsets(path: Path) -> None:
    """Composition offsets below zero (ctts version 1) instead of an edit list."""
    ffmpeg(*pictures(), *tone(), *X264, "-c:a", "aac", "-movflags", "negative_cts_offsets", path)


@source("wrap.ts")
def wrap(path: Path) -> None:
    """A broadcast whose 33-bit clock wraps one second after its start."""
    ffmpeg(*pictures(4), *tone(4), *X264, "-c:a", "mp2",
           "-output_ts_offset", str((1 << 33) / 90000 - 1), path)  # fmt: skip


@source("programs.ts")
def programs(path: Path) -> None:
    """Two programs, the second's picture of another size."""
    ffmpeg(*pictures(), *tone(), *pictures(size="64x48"), *tone(frequency=900),
           "-map", "0", "-map", "1", "-map", "2", "-map", "3", *X264, "-c:a", "mp2",
           "-program", "title=One:st=0:st=1", "-program", "title=Two:st=2:st=3", path)  # fmt: skip


@source("mid_picture.ts")
def mid_picture(path: Path) -> None:
    """A recording that begins in the middle of a GOP, inside a packet."""
    ffmpeg(*pictures(4), *tone(4), *X264, "-c:a", "mp2", path)
    path.write_bytes(path.read_bytes()[100 * 188 + 77 :])


@source("joined.ts")
def joined(path: Path) -> None:
    """Two recordings joined, the second of which began at an earlier time of the day."""
    parts = []
    for name, start in (("a", "500"), ("b", "0")):
        parts.append(_beside(path, name))
        ffmpeg(*pictures(), *tone(), *X264, "-c:a", "mp2", "-output_ts_offset", start,
               "-f", "mpegts", parts[-1])  # fmt: skip
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    for part in parts:
        part.unlink()


@source("tail.mp4")
def tail(path: Path) -> None:
    """A film with something else behind its last box, as some downloads have."""
    ffmpeg(*pictures(), *tone(), *X264, "-c:a", "aac", path)
    path.write_bytes(path.read_bytes() + b"\xff\x00garbage" * 1000)


@source("head.ts")
def head(path: Path) -> None:
    """A broadcast with an ID3 tag and noise before its first packet."""
    ffmpeg(*pictures(), *tone(), *X264, "-c:a", "mp2", path)
    noise = b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10) + b"\x47no" * 99
    path.write_bytes(noise + path.read_bytes())


@source("dropped.avi")
def dropped(path: Path) -> None:
    """A capture in which every fourth picture was dropped: its chunk has no bytes."""
    full = _beside(path, "full.avi")
    ffmpeg(*pictures(), "-c:v", "mjpeg", full)
    data = full.read_bytes()
    full.unlink()
    chunks: list[bytes] = []
    at = data.index(b"movi") + 4
    while data[at : at + 4] == b"00dc":
        size = struct.unpack_from("<I", data, at + 4)[0]
        chunks.append(b"" if len(chunks) % 4 == 3 else data[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    path.write_bytes(_avi(data, chunks))


@source("no_index.avi")
def no_index(path: Path) -> None:
    """A capture that was killed: no index, and a header that knows no length."""
    ffmpeg(*pictures(), *tone(), "-c:v", "mpeg4", "-bf", "2", "-c:a", "mp3", path)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"idx1")])


@source("packed.avi")
def packed(path: Path) -> None:
    """DivX 5 with packed B-frames: a chunk holds P and B, the next one says "not coded"."""
    raw = _beside(path, "raw.m4v")
    plain = _beside(path, "plain.avi")
    ffmpeg(*pictures(), "-c:v", "mpeg4", "-bf", "1", "-b_strategy", "0", "-g", "50",
           "-sc_threshold", "1000000000", "-f", "m4v", raw)  # fmt: skip
    ffmpeg("-i", raw, "-c", "copy", "-vtag", "DX50", plain)
    stream = raw.read_bytes()
    head_of_avi = plain.read_bytes()
    raw.unlink()
    plain.unlink()
    marks = [m.start() for m in re.finditer(b"\x00\x00\x01\xb6", stream)]
    header = stream[: marks[0]]
    vops = [stream[a:b] for a, b in zip(marks, [*marks[1:], len(stream)], strict=True)]
    kinds = [vop[4] >> 6 for vop in vops]  # 0: I, 1: P, 2: B
    user = b"\x00\x00\x01\xb2DivX503b1393p\x00"
    # A picture that is not coded: P, no whole second, marker, 5 bits of time, marker, 0.
    bits = "01" + "0" + "1" + "00000" + "1" + "0"
    bits += "0" + "1" * (-(len(bits) + 1) % 8)
    empty = b"\x00\x00\x01\xb6" + int(bits, 2).to_bytes(len(bits) // 8, "big") + b"\x7f"
    chunks: list[bytes] = []
    i = 0
    while i < len(vops):
        if kinds[i] != 2 and i + 1 < len(vops) and kinds[i + 1] == 2:
            chunks += [vops[i] + vops[i + 1], empty]
            i += 2
        else:
            chunks.append(vops[i])
            i += 1
    chunks[0] = header + user + chunks[0]
    path.write_bytes(_avi(head_of_avi, chunks))


def _avi(like: bytes, chunks: list[bytes]) -> bytes:
    """An AVI file of one video stream: the headers of another, and these chunks."""
    movi = like.index(b"movi") - 8
    kept: list[bytes] = []
    index: list[bytes] = []
    place = 4
    for chunk in chunks:
        piece = b"00dc" + struct.pack("<I", len(chunk)) + chunk + bytes(len(chunk) % 2)
        index.append(b"00dc" + struct.pack("<III", 16 if not index else 0, place, len(chunk)))
        place += len(piece)
        kept.append(piece)
    body = b"movi" + b"".join(kept)
    idx1 = b"".join(index)
    riff = (
        like[12:movi] + b"LIST" + struct.pack("<I", len(body)) + body
        + b"idx1" + struct.pack("<I", len(idx1)) + idx1
    )  # fmt: skip
    return b"RIFF" + struct.pack("<I", len(riff) + 4) + b"AVI " + riff
