"""Chapters, tags, pictures and marks in unusual numbers, orders or sizes."""

from __future__ import annotations

from pathlib import Path

from helpers import run

from fidelity.sources import source
from fidelity.sources._tools import X264, ffmpeg, pictures, tone

_ATOM = (
    "<ChapterAtom><ChapterUID>{uid}</ChapterUID><ChapterTimeStart>{start}</ChapterTimeStart>"
    "<ChapterTimeEnd>{end}</ChapterTimeEnd>{more}<ChapterDisplay><ChapterString>{name}"
    "</ChapterString></ChapterDisplay></ChapterAtom>"
)


def _with_chapters(path: Path, xml: str) -> None:
    base, side = path.with_name(path.name + ".base.mkv"), path.with_name(path.name + ".xml")
    ffmpeg(*pictures(4), *tone(4), *X264, "-c:a", "aac", base)
    side.write_text(f'<?xml version="1.0"?><Chapters>{xml}</Chapters>')
    run(["mkvmerge", "-q", "-o", path, "--chapters", side, base])
    base.unlink()
    side.unlink()


@source("ordered.mkv")
def ordered(path: Path) -> None:
    """Ordered chapters that play the film's second half before its first, and leave a part out."""
    atoms = _ATOM.format(uid=1, start="00:00:02.000", end="00:00:04.000", name="second", more="")
    atoms += _ATOM.format(uid=2, start="00:00:00.000", end="00:00:01.000", name="first", more="")
    _with_chapters(
        path, f"<EditionEntry><EditionFlagOrdered>1</EditionFlagOrdered>{atoms}</EditionEntry>"
    )


@source("linked.mkv")
def linked(path: Path) -> None:
    """Ordered chapters, the first of which lies in another file."""
    other = '<ChapterSegmentUID format="hex">00112233445566778899aabbccddeeff</ChapterSegmentUID>'
    atoms = _ATOM.format(
        uid=1, start="00:00:00.000", end="00:00:30.000", name="opening", more=other
    )
    atoms += _ATOM.format(uid=2, start="00:00:00.000", end="00:00:04.000", name="film", more="")
    _with_chapters(
        path, f"<EditionEntry><EditionFlagOrdered>1</EditionFlagOrdered>{atoms}</EditionEntry>"
    )


@source("editions.mkv")
def editions(path: Path) -> None:
    """Two editions, the second the default, with a hidden chapter and one inside another."""
    atoms = _ATOM.format(uid=1, start="00:00:00.000", end="00:00:02.000", name="one", more="")
    inner = _ATOM.format(uid=3, start="00:00:02.500", end="00:00:03.000", name="inner", more="")
    others = _ATOM.format(uid=2, start="00:00:01.000", end="00:00:04.000", name="two", more=inner)
    _with_chapters(
        path,
        f"<EditionEntry>{atoms}</EditionEntry><EditionEntry><EditionFlagDefault>1</EditionFlagDefault>{others}</EditionEntry>",
    )


def _chapters(count: int, seconds: float) -> str:
    lines = [";FFMETADATA1"]
    for n in range(count):
        a, b = int(1000 * seconds * n / count), int(1000 * seconds * (n + 1) / count)
        lines += [
            "[CHAPTER]",
            "TIMEBASE=1/1000",
            f"START={a}",
            f"END={b}",
            f"title=Nr. {n} \U0001f600",
        ]
    return "\n".join(lines) + "\n"


@source("many_chapters.mkv")
def many_chapters(path: Path) -> None:
    """Three hundred chapters, more than Nero's list in MP4 can count."""
    side = path.with_name(path.name + ".txt")
    side.write_text(_chapters(300, 6))
    ffmpeg(*pictures(6), "-i", side, *X264, "-map_chapters", "1", path)
    side.unlink()


@source("long_tags.mkv")
def long_tags(path: Path) -> None:
    """A tag of a megabyte, one of several lines, one with an odd name, an empty one."""
    side = path.with_name(path.name + ".txt")
    long = "0123456789abcdef" * 65536
    side.write_text(
        f";FFMETADATA1\ntitle=two\\\nlines \U0001f600\ncomment={long}\nÜBER\\=X=value\nempty=\n"
    )
    ffmpeg(*pictures(1), "-i", side, *X264, "-map_metadata", "1", path)
    side.unlink()


@source("covers.mkv")
def covers(path: Path) -> None:
    """Front and back cover, a JPEG and a PNG file, and a text file."""
    base, front, back, note = (
        path.with_name(f"{path.name}.{n}") for n in ("base.mkv", "f.jpg", "b.png", "n.txt")
    )
    ffmpeg(*pictures(), *tone(), *X264, "-c:a", "aac", base)
    ffmpeg(*pictures(1, size="64x64"), "-frames:v", "1", front)
    ffmpeg(*pictures(1, size="32x48"), "-frames:v", "1", back)
    note.write_text("a note")
    run(
        [
            "mkvmerge",
            "-q",
            "-o",
            path,
            base,
            "--attachment-name",
            "cover.jpg",
            "--attach-file",
            front,
            "--attachment-name",
            "back.png",
            "--attach-file",
            back,
            "--attach-file",
            note,
        ]
    )
    for part in (base, front, back, note):
        part.unlink()


@source("covers.mp4")
def covers_mp4(path: Path) -> None:
    """Two covers in MP4, before the film's own track."""
    front, back = (path.with_name(f"{path.name}.{n}") for n in ("f.jpg", "b.png"))
    ffmpeg(*pictures(1, size="64x64"), "-frames:v", "1", front)
    ffmpeg(*pictures(1, size="32x48"), "-frames:v", "1", back)
    ffmpeg(
        "-i",
        front,
        "-i",
        back,
        *pictures(),
        *tone(),
        "-map",
        "0",
        "-map",
        "1",
        "-map",
        "2",
        "-map",
        "3",
        "-c:v:0",
        "copy",
        "-c:v:1",
        "copy",
        "-c:v:2",
        "libx264",
        "-preset",
        "ultrafast",
        "-pix_fmt:v:2",
        "yuv420p",
        "-c:a",
        "aac",
        "-disposition:v:0",
        "attached_pic",
        "-disposition:v:1",
        "attached_pic",
        path,
    )
    front.unlink()
    back.unlink()


@source("stereo.mkv")
def stereo(path: Path) -> None:
    """Two eyes side by side, as Matroska tells it."""
    ffmpeg(*pictures(), *X264, "-metadata:s:v", "stereo_mode=left_right", path)


@source("sphere.mp4")
def sphere(path: Path) -> None:
    """A 360-degree film (sv3d, equirectangular) for two eyes, one over the other (st3d)."""
    ffmpeg(*pictures(), *X264, path)
    data = bytearray(path.read_bytes())

    def box(kind: bytes, body: bytes) -> bytes:
        return (8 + len(body)).to_bytes(4, "big") + kind + body

    full = bytes(4)
    extra = box(b"st3d", full + b"\x01") + box(
        b"sv3d",
        box(b"svhd", full + b"test\0")
        + box(b"proj", box(b"prhd", full + bytes(12)) + box(b"equi", full + bytes(16))),
    )
    at = data.index(b"avc1", data.index(b"stsd")) - 4
    size = int.from_bytes(data[at : at + 4], "big")
    data[at + size : at + size] = extra
    for kind in (b"avc1", b"stsd", b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        place = data.index(kind, data.index(b"moov")) - 4
        data[place : place + 4] = (
            int.from_bytes(data[place : place + 4], "big") + len(extra)
        ).to_bytes(4, "big")
    path.write_bytes(data)
