"""Sources whose times are unlike those of FFmpeg's own clips: fields, coarse clocks, gaps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from helpers import run

from fidelity.sources import source

FFMPEG = ("ffmpeg", "-v", "error", "-y")


def encode(path: Path, rate: str, seconds: float, *options: str, size: str = "96x64") -> None:
    """A test picture by x264, or by what the options name."""
    run([*FFMPEG, "-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={seconds}", *options, path])


# --- the last picture -----------------------------------------------------------------------------


@source("ten_a_second.gif")
def ten_a_second(path: Path) -> None:
    """4.00 s in hundredths of a second."""
    encode(path, "10", 4)


@source("long_last.gif")
def long_last(path: Path) -> None:
    """10 pictures over 1 s; the last one stays for 2 s more."""
    encode(path, "10", 1, "-final_delay", "200")


@source("uneven.gif")
def uneven(path: Path) -> None:
    """Pictures dropped at random; ends with a gap before the last picture, which lasts 0.5 s."""
    encode(path, "20", 2, "-vf", "select='gt(mod(n*7,5),1)*(lt(n,34)+eq(n,39))'",
           "-fps_mode", "vfr", "-final_delay", "50")  # fmt: skip


def _coarse(path: Path, scale: int) -> None:
    encode(path, "25" if scale < 600 else "30", 1, "-c:v", "libx264", "-bf", "2",
           "-video_track_timescale", str(scale))  # fmt: skip


@source("scale_25.mp4")
def scale_25(path: Path) -> None:
    """A time scale of 25: a tick is a picture."""
    _coarse(path, 25)


@source("scale_100.mp4")
def scale_100(path: Path) -> None:
    """A time scale of 100: FFmpeg's demuxer gives each packet a duration of one tick."""
    _coarse(path, 100)


@source("scale_600.mov")
def scale_600(path: Path) -> None:
    """QuickTime's usual time scale, with sound."""
    run(
        [*FFMPEG, "-f", "lavfi", "-i", "testsrc2=s=96x64:r=30:d=1", "-f", "lavfi", "-i",
         "sine=d=0.9", "-c:v", "libx264", "-c:a", "aac", "-video_track_timescale", "600", path]
    )  # fmt: skip


def _timed(path: Path, stamps: Sequence[int]) -> None:
    """Matroska by mkvmerge with a picture at each of the stamps, ms; the end is the last one."""
    bare = path.with_suffix(".h264")
    encode(bare, "25", (len(stamps) - 1) / 25, "-c:v", "libx264", "-bf", "0")
    times = path.with_suffix(".times")
    times.write_text("# timestamp format v2\n" + "\n".join(map(str, stamps)) + "\n")
    run(["mkvmerge", "-q", "-o", path, "--timestamps", f"0:{times}", bare])
    bare.unlink()
    times.unlink()


@source("long_last.mkv")
def long_last_mkv(path: Path) -> None:
    """Variable rate by mkvmerge, whose last block says that it lasts 1 s."""
    _timed(path, [0, 40, 80, 200, 240, 280, 320, 500, 540, 700, 1700])


@source("still.mp4")
def still(path: Path) -> None:
    """One picture of 3 s."""
    encode(path, "1/3", 3, "-c:v", "libx264")


# --- fields ---------------------------------------------------------------------------------------


class _Bits:
    """Bits of a NAL unit, ITU-T H.264 clause 7.2."""

    def __init__(self) -> None:
        self.text: list[str] = []

    def u(self, value: int, bits: int) -> _Bits:
        self.text.append(format(value, f"0{bits}b"))
        return self

    def ue(self, *values: int) -> _Bits:
        """Exp-Golomb codes, 9.1."""
        for value in values:
            code = format(value + 1, "b")
            self.text.append("0" * (len(code) - 1) + code)
        return self

    def bytes(self, stop: bool = True) -> bytes:
        """With rbsp_trailing_bits, 7.3.2.11; else filled with zeros (pcm_alignment_zero_bit)."""
        bits = "".join(self.text) + ("1" if stop else "")
        bits += "0" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8, "big")


def _nal(ref_idc: int, kind: int, payload: bytes) -> bytes:
    """A NAL unit with its start code (Annex B) and emulation prevention (7.4.1.1)."""
    out = bytearray()
    zeros = 0
    for byte in payload:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return b"\0\0\0\1" + bytes([ref_idc << 5 | kind]) + bytes(out)


WIDTH, HEIGHT = 48, 64
GROUP = 10  # pictures from one IDR picture to the next


def _parameter_sets(rate: int, mbs: tuple[int, int]) -> bytes:
    # 7.3.2.1.1: Main profile, level 3; POC type 0; one reference frame.
    sps = _Bits().u(77, 8).u(0, 8).u(30, 8).ue(0, 4, 0, 4, 1).u(0, 1)
    sps.ue(mbs[0] - 1, mbs[1] // 2 - 1)  # the height in map units of two macroblocks
    sps.u(0, 1)  # frame_mbs_only_flag: fields are allowed
    sps.u(0, 1).u(1, 1).u(0, 1)  # no MBAFF, direct_8x8_inference, no cropping
    # E.1.1: timing (two ticks a picture) and no reordering.
    sps.u(1, 1).u(0, 4).u(1, 1).u(1, 32).u(2 * rate, 32).u(1, 1)
    sps.u(0, 4).u(1, 1).u(1, 1).ue(0, 0, 16, 16, 0, 1)
    # 7.3.2.2: CAVLC, no weights, deblocking controlled by the slice.
    pps = _Bits().ue(0, 0).u(0, 2).ue(0, 0, 0).u(0, 3).ue(0, 0, 0).u(0b100, 3)
    return _nal(3, 7, sps.bytes()) + _nal(3, 8, pps.bytes())


def _luma(picture: int, time: float, row: int, column: int) -> int:
    return 40 + (row * 3 + column * 2 + round(time * 8) + picture) % 160


def _slice(number: int, rows: Sequence[int], width: int, field: str, time: float) -> bytes:
    """One slice (7.3.3) of I_PCM macroblocks (7.3.5): a frame, or its "top" or "bottom" field."""
    place = number % GROUP
    idr = place == 0 and field != "bottom"
    head = _Bits().ue(0, 7, 0).u(place, 8)  # first macroblock, I slices, PPS, frame_num
    head.u(int(field != "frame"), 1)
    if field != "frame":
        head.u(int(field == "bottom"), 1)
    if idr:
        head.ue(number // GROUP % 2)  # idr_pic_id
    head.u(2 * place + (field == "bottom"), 8)  # pic_order_cnt_lsb
    head.u(0, 2 if idr else 1)  # dec_ref_pic_marking
    head.ue(0, 1)  # slice_qp_delta, no deblocking
    out = bytearray()
    for top in range(0, len(rows), 16):
        for left in range(0, width, 16):
            head.ue(25)  # I_PCM
            out += head.bytes(stop=False)
            out += bytes(
                _luma(number, time, rows[top + y], left + x) for y in range(16) for x in range(16)
            )
            out += bytes([110 + number % 20]) * 64 + bytes([140 - number % 20]) * 64
            head = _Bits()
    return _nal(3, 5 if idr else 1, bytes(out) + b"\x80")


def paff(pictures: int, *, rate: int = 25, frames: Sequence[int] = ()) -> bytes:
    """H.264 of field pairs, top field first; the pictures named in `frames` are coded as frames.

    No encoder at hand writes fields in slices of their own (field_pic_flag). All macroblocks are
    I_PCM, so that the decoded samples are those written.
    """
    mbs = (WIDTH // 16, HEIGHT // 16)
    out = bytearray()
    for number in range(pictures):
        out += _nal(0, 9, _Bits().u(0, 3).bytes())  # access unit delimiter: I slices
        if number % GROUP == 0:
            out += _parameter_sets(rate, mbs)
        if number in frames:
            out += _slice(number, range(HEIGHT), WIDTH, "frame", number)
            continue
        out += _slice(number, range(0, HEIGHT, 2), WIDTH, "top", number)
        out += _nal(0, 9, _Bits().u(0, 3).bytes())
        out += _slice(number, range(1, HEIGHT, 2), WIDTH, "bottom", number + 0.5)
    return bytes(out)


PAFF_PICTURES = 50


@source("paff.h264")
def paff_bare(path: Path) -> None:
    """A bare stream, 2 s at 25 pictures per second."""
    path.write_bytes(paff(PAFF_PICTURES))


@source("paff_mixed.h264")
def paff_mixed_bare(path: Path) -> None:
    """The same, each third picture coded as a frame."""
    path.write_bytes(paff(PAFF_PICTURES, frames=range(0, PAFF_PICTURES, 3)))


def in_container(path: Path, bare: Path) -> None:
    """A bare stream, packet by packet, each with the time of its first field."""
    times = r"setts=ts=if(N\,PREV_OUTPTS+PREV_INDURATION\,0)"
    run([*FFMPEG, "-i", bare, "-c", "copy", "-bsf:v", times, path])


def _contained(path: Path, frames: Sequence[int]) -> None:
    bare = path.with_name(path.name + ".h264")
    bare.write_bytes(paff(PAFF_PICTURES, frames=frames))
    in_container(path, bare)
    bare.unlink()


@source("paff.ts")
def paff_ts(path: Path) -> None:
    """A broadcast of fields."""
    _contained(path, ())


@source("paff.mkv")
def paff_mkv(path: Path) -> None:
    """A block per field."""
    _contained(path, ())


@source("paff_mixed.mp4")
def paff_mixed_mp4(path: Path) -> None:
    """A sample per field or frame; the track's header calls the stream progressive."""
    _contained(path, range(0, PAFF_PICTURES, 3))


@source("mbaff.mp4")
def mbaff(path: Path) -> None:
    """Interlaced frames in one packet each."""
    encode(path, "25", 2, "-c:v", "libx264", "-flags", "+ildct+ilme", "-bf", "2")


# --- rates ----------------------------------------------------------------------------------------


@source("dropped.mp4")
def dropped(path: Path) -> None:
    """25 pictures per second of which one in seven and a longer stretch are missing."""
    encode(path, "25", 4, "-vf", "select='mod(n,7)*lt(mod(n,50),40)'", "-fps_mode", "vfr",
           "-c:v", "libx264")  # fmt: skip


@source("video_5994.mkv")
def video_5994(path: Path) -> None:
    """60000/1001 in whole milliseconds; the mean over so few pictures is 59.946 or so."""
    encode(path, "60000/1001", 1.5, "-c:v", "libx264", "-bf", "2")


@source("joined_late.ts")
def joined_late(path: Path) -> None:
    """A broadcast that was switched on in the middle of a group of pictures."""
    whole = path.with_name("whole_" + path.name)
    encode(whole, "30000/1001", 4, "-c:v", "libx264", "-g", "30", "-bf", "2")
    packet = 188
    data = whole.read_bytes()
    path.write_bytes(data[len(data) // packet // 3 * packet :])
    whole.unlink()


@source("uneven.mkv")
def uneven_mkv(path: Path) -> None:
    """Times of no grid."""
    _timed(path, [40 * n + 11 * (n * n % 3) for n in range(31)])


@source("fast.mp4")
def fast(path: Path) -> None:
    """2400 pictures per second."""
    encode(path, "2400", 0.05, "-c:v", "libx264", "-preset", "ultrafast",
           "-video_track_timescale", "24000")  # fmt: skip
