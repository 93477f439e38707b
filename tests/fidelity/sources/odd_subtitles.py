"""Texts and pictures over the picture, as discs, broadcasts and tools leave them."""

from __future__ import annotations

from pathlib import Path

from helpers import run

from fidelity.sources import source
from fidelity.sources._tools import X264, ffmpeg, pictures, tone


def _srt(texts: list[tuple[float, float, str]]) -> str:
    def clock(t: float) -> str:
        ms = round(t * 1000)
        return f"{ms // 3600000:02}:{ms // 60000 % 60:02}:{ms // 1000 % 60:02},{ms % 1000:03}"

    return "\n".join(
        f"{n + 1}\n{clock(a)} --> {clock(b)}\n{words}\n" for n, (a, b, words) in enumerate(texts)
    )


def _with_texts(
    path: Path, texts: str | bytes, codec: str, suffix: str = "srt", *more: str
) -> None:
    side = path.with_name(f"{path.name}.{suffix}")
    side.write_bytes(texts if isinstance(texts, bytes) else texts.encode())
    ffmpeg(*pictures(4), *tone(4), "-i", side, *X264, "-c:a", "aac", "-c:s", codec, *more, path)
    side.unlink()


@source("not_utf8.mkv")
def not_utf8(path: Path) -> None:
    """A track that calls itself UTF-8, in which one text is Latin-1."""
    _with_texts(path, _srt([(0.5, 1, "first"), (1.5, 2, "Caf%% bar"), (2.5, 3, "last")]), "srt")
    data = path.read_bytes()
    assert data.count(b"Caf%%") == 1
    path.write_bytes(data.replace(b"Caf%%", b"Caf\xe9,"))


@source("overlapping.mkv")
def overlapping(path: Path) -> None:
    """Texts over one another, one without a length, one behind the film's end, one of 100 kB."""
    _with_texts(path, _srt([
        (0.5, 2.5, "long"), (1, 1.5, "inside"), (1, 1.2, "same start"), (2, 2, "no length"),
        (2.6, 3, "x" * 100000), (30, 31, "behind the end"),
    ]), "srt")  # fmt: skip


@source("disc_texts.mkv")
def disc_texts(path: Path) -> None:
    """A DVD's subtitles: pictures with a palette in the header."""
    base = path.with_name(path.name + ".base.mkv")
    ffmpeg(*pictures(), *X264, base)
    # FFmpeg turns no text into pictures, so two are written by hand.
    idx, sub = path.with_name("d.idx"), path.with_name("d.sub")
    _vobsub(idx, sub)
    run(["mkvmerge", "-q", "-o", path, base, idx])
    for part in (base, idx, sub):
        part.unlink()


def _vobsub(idx: Path, sub: Path) -> None:
    """Two pictures of 8x2 pixels, in MPEG program stream packs, and their index."""
    lines = ["# VobSub index file, v7 (do not modify this line!)", "size: 720x576",
             "palette: 000000, ff0000, 00ff00, 0000ff, ffffff, 808080, 101010, 202020, 303030, "
             "404040, 505050, 606060, 707070, 909090, a0a0a0, b0b0b0", "langidx: 0",
             "id: de, index: 0"]  # fmt: skip
    packs = b""
    for n, start in enumerate((0.5, 1.5)):
        # Lines of 8 pixels of colour n + 1: one code of the rest of the line, byte aligned.
        pixels = bytes([0x00, 0x01 + n, 0x00, 0x01 + n])
        control_at = 4 + len(pixels)
        first = control_at + 4 + 7 + 6 + 3 + 3 + 1 + 1
        control = (
            bytes([0, 0]) + first.to_bytes(2, "big")
            + bytes([5, 0x00, 0x00, 0x07, 0x00, 0x00, 0x01])  # columns 0..7, lines 0..1
            + bytes([6, 0, 4, 0, 6]) + bytes([3, 0x32, 0x10]) + bytes([4, 0xFF, 0xF0]) + b"\x01\xff"
        )  # fmt: skip
        second_at = control_at + len(control)
        control = control[:2] + second_at.to_bytes(2, "big") + control[4:]
        stop = (50).to_bytes(2, "big") + second_at.to_bytes(2, "big") + b"\x02\xff"
        body = pixels + control + stop
        unit = (4 + len(body)).to_bytes(2, "big") + control_at.to_bytes(2, "big") + body
        ticks = int(start * 90000)
        pts = bytes([
            0x21 | (ticks >> 29 & 0x0E), ticks >> 22 & 0xFF, 0x01 | (ticks >> 14 & 0xFE),
            ticks >> 7 & 0xFF, 0x01 | (ticks << 1 & 0xFE),
        ])  # fmt: skip
        pes = bytes([0x81, 0x80, 5]) + pts + b"\x20" + unit
        pack = (
            b"\x00\x00\x01\xba\x44\x00\x04\x00\x04\x01\x01\x89\xc3\xf8"
            + b"\x00\x00\x01\xbd" + len(pes).to_bytes(2, "big") + pes
        )  # fmt: skip
        padding = 2048 - len(pack) - 6
        clock = f"00:00:{int(start):02}:{int(start % 1 * 1000):03}"
        lines.append(f"timestamp: {clock}, filepos: {len(packs):09x}")
        packs += pack + b"\x00\x00\x01\xbe" + padding.to_bytes(2, "big") + b"\xff" * padding
    idx.write_text("\n".join(lines) + "\n")
    sub.write_bytes(packs)


@source("broadcast_texts.ts")
def broadcast_texts(path: Path) -> None:
    """A broadcast's subtitles: DVB's pictures, of two languages."""
    base = path.with_name(path.name + ".mkv")
    disc_texts(base)
    ffmpeg(
        "-i",
        base,
        *tone(),
        "-map",
        "0:v",
        "-map",
        "1:a",
        "-map",
        "0:s",
        "-map",
        "0:s",
        "-c:v",
        "copy",
        "-c:a",
        "mp2",
        "-c:s",
        "dvbsub",
        "-metadata:s:s:0",
        "language=deu",
        "-metadata:s:s:1",
        "language=fra",
        path,
    )
    base.unlink()


@source("fonts.mkv")
def fonts(path: Path) -> None:
    """ASS with fonts: two of one name, one of no bytes, one without a type FFmpeg knows."""
    side = path.with_name(path.name + ".srt")
    side.write_text(_srt([(0.5, 1, "first")]))
    base = path.with_name(path.name + ".base.mkv")
    ffmpeg(*pictures(), "-i", side, *X264, "-c:s", "ass", base)
    font, odd = path.with_name("font.ttf"), path.with_name("odd.bin")
    font.write_bytes(b"\x00\x01\x00\x00" + bytes(range(256)) * 40)
    odd.write_bytes(b"anything")
    run(["mkvmerge", "-q", "-o", path, base,
         "--attachment-mime-type", "application/x-truetype-font", "--attach-file", font,
         "--attachment-mime-type", "font/ttf", "--attach-file", font,
         "--attachment-mime-type", "application/x-what", "--attachment-name", "odd \U0001f600.bin",
         "--attach-file", odd])  # fmt: skip
    for part in (side, base, font, odd):
        part.unlink()
