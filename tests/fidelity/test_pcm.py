"""Packed PCM of discs and studios becomes plain PCM without the loss of a bit."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from helpers import packet_times, run, streams
from streamvsr import StreamingVideoProcessor
from unfinished import interrupt

from fidelity.sources import make

CONFIG: dict[str, Any] = {
    "model": "nearest", "scale": 1, "encoder_preset": "ultrafast", "disk_ratio": None
}  # fmt: skip
# Source: codec in the output.
PACKED = {
    "bluray-16.m2ts": "pcm_s16le", "bluray-24.m2ts": "pcm_s24le",
    "dvd-16.vob": "pcm_s16le", "dvd-24.vob": "pcm_s24le",
    "s302m-16.ts": "pcm_s16le", "s302m-24.ts": "pcm_s24le",
}  # fmt: skip


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes each source once."""
    folder = tmp_path_factory.mktemp("films")
    return lambda name: folder / name if (folder / name).exists() else make(name, folder)


def upscale(source: Path, target: Path, **options: Any) -> list[str]:
    result = StreamingVideoProcessor({**CONFIG, **options}).process(source, target, None, None)
    assert result.success, result.error
    return result.warnings


def samples(path: Path) -> bytes:
    """All samples as FFmpeg's program decodes them, 32 bits each."""
    return run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-i",
            path,
            "-map",
            "a:0",
            "-c:a",
            "pcm_s32le",
            "-f",
            "s32le",
            "-",
        ]
    ).stdout


@pytest.mark.parametrize("container", ["mkv", "mov"])
@pytest.mark.parametrize("name", PACKED)
def test_every_sample_is_kept(
    films: Callable[[str], Path], name: str, container: str, tmp_path: Path
) -> None:
    source, target = films(name), tmp_path / f"out.{container}"
    assert upscale(source, target) == []
    (sound,) = streams(target, "audio")
    (original,) = streams(source, "audio")
    assert sound["codec_name"] == PACKED[name]
    for key in ("sample_rate", "channels"):
        assert sound[key] == original[key]
    assert samples(target) == samples(source)
    before, after = _distances(source), _distances(target)
    assert abs(after[0] - before[0]) <= Fraction(2, 1000)  # Matroska's rounding
    assert abs(after[-1] - before[-1]) <= Fraction(30, 1000)  # FFmpeg joins packets of MOV


def _distances(path: Path) -> list[Fraction]:
    """From the first picture to each packet of sound, seconds."""
    start = min(packet_times(path, "v:0"))
    return [time - start for time in packet_times(path, "a:0")]


@pytest.mark.parametrize("name", ["bluray-24.m2ts", "dvd-16.vob"])
def test_outsiders_read_it(films: Callable[[str], Path], name: str, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    upscale(films(name), target)
    run(["mkvmerge", "-q", "-o", tmp_path / "merged.mkv", target])
    assert samples(tmp_path / "merged.mkv") == samples(target)
    read = run(["mediainfo", "--Inform=Audio;%Format% %BitDepth% %Channel(s)%", target]).stdout
    bits, channels = PACKED[name][5:7], streams(target, "audio")[0]["channels"]
    assert read.decode().split() == ["PCM", bits, str(channels)]


def test_what_mp4_cannot_hold_is_named(films: Callable[[str], Path], tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    (warning,) = upscale(films("bluray-16.m2ts"), target)
    assert "pcm_bluray" in warning
    assert "mkv" in warning
    assert streams(target, "audio") == []


def test_big_endian_floating_point_comes_to_matroska(
    films: Callable[[str], Path], tmp_path: Path
) -> None:
    source, target = films("float-be.mov"), tmp_path / "out.mkv"
    assert upscale(source, target) == []
    assert [s["codec_name"] for s in streams(target, "audio")] == ["pcm_f32le"]
    assert samples(target) == samples(source)


@pytest.mark.parametrize("container", ["mkv", "mov"])
@pytest.mark.parametrize("name", ["dvd-24.vob", "s302m-24.ts"])
def test_a_resumed_job_writes_the_same_bytes(
    films: Callable[[str], Path], name: str, container: str, tmp_path: Path
) -> None:
    source, options = films(name), {"segment_seconds": 0.5}
    upscale(source, tmp_path / f"whole.{container}", **options)
    target = tmp_path / f"out.{container}"
    interrupt(source, target, **{**CONFIG, "codec": "h264", **options})
    upscale(source, target, resume=True, **options)
    assert target.read_bytes() == (tmp_path / f"whole.{container}").read_bytes()
