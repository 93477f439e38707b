"""Sources whose containers say little about how their sound is coded."""

from __future__ import annotations

import subprocess
from pathlib import Path

from fidelity.sources import source

_TS_PACKET = 188  # bytes, ISO/IEC 13818-1
_FIRST_PID = 0x100  # FFmpeg's muxer counts streams from here


def _film(path: Path, *options: str, seconds: int = 3, sound: str = "sine=r=48000") -> None:
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=s=160x90:r=25:d={seconds}",
         "-f", "lavfi", "-i", f"{sound}:d={seconds}", "-c:v", "libx264", "-preset", "ultrafast",
         "-bf", "2", "-g", "25", *options, str(path)],
        check=True,
    )  # fmt: skip


def _copy(path: Path, origin: Path, *options: str) -> None:
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-i", str(origin), "-c", "copy", *options, str(path)],
        check=True,
    )


@source("adts.ts")
def adts(path: Path) -> None:
    """AAC whose header is in every packet (ADTS)."""
    _film(path, "-c:a", "aac")


@source("adts-surround.ts")
def adts_surround(path: Path) -> None:
    _film(path, "-c:a", "aac", "-ac", "6")


@source("adts.nut")
def adts_nut(path: Path) -> None:
    """NUT keeps ADTS packets as they are and has no header for them."""
    whole = path.with_suffix(".origin.ts")
    adts(whole)
    _copy(path, whole)
    whole.unlink()


@source("ac3.ts")
def ac3(path: Path) -> None:
    _film(path, "-c:a", "ac3")


@source("eac3.ts")
def eac3(path: Path) -> None:
    _film(path, "-c:a", "eac3")


@source("dts.ts")
def dts(path: Path) -> None:
    _film(path, "-c:a", "dca", "-strict", "-2", "-ac", "2")


@source("opus.ts")
def opus(path: Path) -> None:
    _film(path, "-c:a", "libopus")


@source("second-hevc.ts")
def second_hevc(path: Path) -> None:
    """A second video stream, which is only copied."""
    _film(path, "-map", "0:v", "-map", "0:v", "-map", "1:a", "-c:a", "aac", "-c:v:1", "libx265",
          "-x265-params", "log-level=error")  # fmt: skip


@source("late-adts.ts")
def late_adts(path: Path) -> None:
    """The programme names AAC whose first packet comes after 6 MB, further than FFmpeg looks."""
    _late(path, "aac")


@source("late-ac3.ts")
def late_ac3(path: Path) -> None:
    _late(path, "ac3")


def _late(path: Path, codec: str) -> None:
    whole = path.with_suffix(".whole.ts")
    _film(whole, "-c:a", codec, "-b:v", "12M", "-minrate", "12M", "-maxrate", "12M",
          "-bufsize", "1M", "-x264-params", "nal-hrd=cbr:force-cfr=1", seconds=6)  # fmt: skip
    data = whole.read_bytes()
    whole.unlink()
    packets = [data[at : at + _TS_PACKET] for at in range(0, len(data), _TS_PACKET)]
    kept, started = [], False
    for number, packet in enumerate(packets):
        if int.from_bytes(packet[1:3], "big") & 0x1FFF == _FIRST_PID + 1:
            begins = bool(packet[1] & 0x40)  # payload_unit_start_indicator
            started = started or (begins and number * _TS_PACKET >= 6_000_000)
            if not started:
                continue
        kept.append(packet)
    assert started
    path.write_bytes(b"".join(kept))


# Sound that fills all bits: noise in floating point, rounded once.
_NOISE = "anoisesrc=r=48000:a=0.9:seed=7"


@source("bluray-24.m2ts")
def bluray_24(path: Path) -> None:
    """Blu-ray's PCM, 24 bits, six channels."""
    _film(path, "-af", "aformat=s32:channel_layouts=5.1", "-c:a", "pcm_bluray",
          "-mpegts_m2ts_mode", "1", sound=_NOISE)  # fmt: skip


@source("bluray-16.m2ts")
def bluray_16(path: Path) -> None:
    _film(path, "-af", "aformat=s16:channel_layouts=stereo", "-c:a", "pcm_bluray",
          "-mpegts_m2ts_mode", "1", sound=_NOISE)  # fmt: skip


@source("dvd-16.vob")
def dvd_16(path: Path) -> None:
    """DVD's PCM in a programme stream."""
    _film(path, "-c:v", "mpeg2video", "-bf", "0", "-af", "aformat=s16:channel_layouts=stereo",
          "-c:a", "pcm_dvd", "-f", "vob", sound=_NOISE)  # fmt: skip


@source("dvd-24.vob")
def dvd_24(path: Path) -> None:
    """Packets that end within a group of samples."""
    _film(path, "-c:v", "mpeg2video", "-bf", "0", "-af", "aformat=s32:channel_layouts=stereo",
          "-c:a", "pcm_dvd", "-f", "vob", sound=_NOISE)  # fmt: skip


@source("s302m-16.ts")
def s302m_16(path: Path) -> None:
    """Studio sound, SMPTE 302M."""
    _film(path, "-af", "aformat=s16:channel_layouts=stereo", "-c:a", "s302m", "-strict", "-2",
          sound=_NOISE)  # fmt: skip


@source("s302m-24.ts")
def s302m_24(path: Path) -> None:
    _film(path, "-af", "aformat=s32:channel_layouts=stereo", "-c:a", "s302m", "-strict", "-2",
          sound=_NOISE)  # fmt: skip


@source("float-be.mov")
def float_be(path: Path) -> None:
    """QuickTime's big-endian floating point, which Matroska has no place for."""
    _film(path, "-c:a", "pcm_f32be", sound=_NOISE)
