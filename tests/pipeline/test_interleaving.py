"""Streams that lie far apart in the file: a few MB are held of them, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamvsr
from helpers import make_clip, numbers, packet_hashes, packet_times, run, streams
from interleaving import Block, reorder
from memory_of import memory_of

SECONDS = 60
# 8 channels of 24 bits at 48 kHz: 1.15 MB a second, several times what is held of it.
SOUND = ("-f", "lavfi", "-i", f"anoisesrc=r=48000:d={SECONDS}", "-af",
         "pan=7.1|" + "|".join(f"c{n}=c0" for n in range(8)), "-c:a", "pcm_s24le")  # fmt: skip
FAST: dict[str, Any] = {
    "model": "nearest", "encoder_preset": "ultrafast", "encoder_threads": 2, "decoder_threads": 1,
    "max_disk_fraction": None,
}  # fmt: skip
NO_B = ("-bf", "0")  # so that packets can be sorted by their times

ORDERS: dict[str, Callable[[Block], tuple[int, int]]] = {
    "as it should be": lambda block: (block.time, block.track),
    "sound at the end": lambda block: (block.track, block.time),
    "sound first": lambda block: (-block.track, block.time),
    "20 s early": lambda block: (block.time - (20_000 if block.track > 1 else 0), block.track),
}  # fmt: skip


def _film(folder: Path, rate: str, frames: int) -> Path:
    video = make_clip(folder / "video.mkv", rate=rate, frames=frames, options=NO_B)
    film = folder / "film.mkv"
    run(["ffmpeg", "-v", "error", "-i", str(video), *SOUND, "-c:v", "copy", str(film)])
    return film


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute of 64 x 48 at 5 frames a second, 69 MB of sound."""
    return _film(tmp_path_factory.mktemp("sound"), "5", 5 * SECONDS)


def _check(source: Path, target: Path, frames: int) -> None:
    assert numbers(target) == list(range(frames))
    sent, got = packet_hashes(source, "a:0"), packet_hashes(target, "a:0")
    assert b"".join(bytes.fromhex(p.md5) for p in got) == b"".join(
        bytes.fromhex(p.md5) for p in sent
    )
    assert max(abs(a.pts - b.pts) for a, b in zip(sent, got, strict=True)) <= 0.001


@pytest.mark.parametrize("container", ["mkv", "mov"])
@pytest.mark.parametrize("order", ORDERS)
def test_badly_interleaved_sound_is_not_held(
    film: Path, tmp_path: Path, order: str, container: str
) -> None:
    source, target = tmp_path / "in.mkv", tmp_path / f"out.{container}"
    reorder(film, source, ORDERS[order])
    figures = memory_of(source, target, **FAST, max_memory_mb=96)
    assert figures.peak <= figures.report["memory_plan_mb"]["used"]
    _check(film, target, 5 * SECONDS)


@pytest.mark.parametrize("container", ["mkv", "mov"])
def test_a_frame_every_20_seconds_does_not_hold_the_sound_between(
    tmp_path: Path, container: str
) -> None:
    source, target = _film(tmp_path, "1/20", 3), tmp_path / f"out.{container}"
    figures = memory_of(source, target, **FAST, max_memory_mb=96)
    assert figures.peak <= figures.report["memory_plan_mb"]["used"]
    _check(source, target, 3)


def test_tracks_that_lie_apart_in_an_mp4_are_sought_not_held(film: Path, tmp_path: Path) -> None:
    apart, source = tmp_path / "apart.mkv", tmp_path / "in.mov"
    reorder(film, apart, ORDERS["sound at the end"])
    run(["ffmpeg", "-v", "error", "-i", str(apart), "-c", "copy", "-max_interleave_delta", "1",
         str(source)])  # fmt: skip
    target = tmp_path / "out.mov"
    figures = memory_of(source, target, **FAST, max_memory_mb=96)
    assert figures.peak <= figures.report["memory_plan_mb"]["used"]
    _check(film, target, 5 * SECONDS)


@pytest.mark.parametrize("container", ["mkv", "mp4"])
def test_all_texts_at_the_beginning_are_not_held(tmp_path: Path, container: str) -> None:
    video = make_clip(tmp_path / "video.mkv", rate="5", frames=300, options=NO_B)
    texts = tmp_path / "texts.srt"
    line = "All work and no play makes a dull film. " * 100
    texts.write_text(
        "\n".join(
            f"{n + 1}\n00:00:{n // 100:02},{n % 100}00 --> 00:00:{n // 100:02},{n % 100}05\n"
            f"{n} {line}\n"
            for n in range(6000)
            if n % 100 < 10
        )
    )
    mixed, source = tmp_path / "mixed.mkv", tmp_path / "in.mkv"
    run(["ffmpeg", "-v", "error", "-i", str(video), "-i", str(texts), "-c", "copy", str(mixed)])
    reorder(mixed, source, ORDERS["sound first"])
    target = tmp_path / f"out.{container}"
    figures = memory_of(source, target, **FAST, max_memory_mb=96)
    assert figures.peak <= figures.report["memory_plan_mb"]["used"]
    assert numbers(target) == list(range(300))
    assert len(streams(target, "subtitle")) == 1
    sent = packet_times(mixed, "s:0")
    got = packet_times(target, "s:0")
    assert set(sent) <= set(got)


@pytest.mark.parametrize("order", ["sound at the end", "20 s early"])
def test_going_on_gives_the_same_bytes(film: Path, tmp_path: Path, order: str) -> None:
    source = tmp_path / "in.mkv"
    reorder(film, source, ORDERS[order])
    options = {**FAST, "segment_seconds": 5}
    for container in ("mkv", "mov"):
        whole, target = tmp_path / f"whole.{container}", tmp_path / f"out.{container}"
        streamvsr.upscale(source, whole, **options)

        def stop(progress: streamvsr.Progress) -> None:
            if progress.segments_done >= 1:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            streamvsr.upscale(source, target, progress=stop, **options)
        result = streamvsr.upscale(source, target, **options)
        assert result.performance_report["resumed_frames"] > 0
        assert target.read_bytes() == whole.read_bytes()


def test_a_late_sound_that_the_header_needs_does_not_hold_another(
    film: Path, tmp_path: Path
) -> None:
    late, source = tmp_path / "late.ac3", tmp_path / "in.mkv"
    run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=d=10", str(late)])
    run(["ffmpeg", "-v", "error", "-i", str(film), "-itsoffset", "45", "-i", str(late),
         "-map", "0", "-map", "1", "-c", "copy", str(source)])  # fmt: skip
    target = tmp_path / "out.mov"
    figures = memory_of(source, target, **FAST, max_memory_mb=96)
    assert figures.peak <= figures.report["memory_plan_mb"]["used"]
    _check(film, target, 5 * SECONDS)
    assert [p.md5 for p in packet_hashes(target, "a:1")] == [
        p.md5 for p in packet_hashes(source, "a:1")
    ]
