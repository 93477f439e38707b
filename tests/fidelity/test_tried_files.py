"""Kinds of files that bite users of other video tools; docs/tried-files.md lists where it was told.

The sources are made by fidelity/sources/.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import streamvsr
from clips import test_every_clip as checks
from helpers import ffprobe, frame_times, packet_hashes, packet_times, run, streams
from unfinished import stop_after

from fidelity import sources, table

OPTIONS: dict[str, Any] = {**checks.OPTIONS, "disk_ratio": None}


def _job(name: str, container: str, folder: Path) -> tuple[Path, Path, list[str]]:
    """Source, output and warnings of a job."""
    source, output = sources.make(name, folder), folder / f"out.{container}"
    result = streamvsr.upscale(source, output, **OPTIONS)
    assert {p.name for p in folder.iterdir()} == {source.name, output.name}
    return source, output, result.warnings


# --- files whose clock jumps ----------------------------------------------------------------------


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_joined_recordings_go_on_without_a_gap(container: str, tmp_path: Path) -> None:
    """FFmpeg takes the second one's times for ones behind the wrap, 26.5 hours later."""
    _, output, _ = _job("joined.ts", container, tmp_path)
    picture, sound = frame_times(output), packet_times(output, "a:0")
    assert len(picture) == 100
    assert len(sound) == 168
    for times in (picture, sound):
        steps = [late - early for early, late in pairwise(times)]
        assert min(steps) > Fraction(1, 100)
        assert max(steps) < Fraction(1, 10)


def test_a_resumed_job_over_joined_recordings_gives_the_same_bytes(tmp_path: Path) -> None:
    source = sources.make("joined.ts", tmp_path)
    # Slow enough for progress to be seen between two segments.
    options = {**OPTIONS, "segment_seconds": 1, "scale": 4, "encoder_preset": "veryslow"}
    streamvsr.upscale(source, tmp_path / "whole.mkv", **options)

    target = tmp_path / "out.mkv"
    stop_after(source, target, 3, **options)
    result = streamvsr.upscale(source, target, **options)
    assert result.performance_report["resumed_frames"] > 50  # behind the jump
    assert target.read_bytes() == (tmp_path / "whole.mkv").read_bytes()


def test_a_picture_too_long_for_mp4_is_refused_there(tmp_path: Path) -> None:
    source = sources.make("nanoseconds.nut", tmp_path)
    with pytest.raises(streamvsr.ConfigError, match="mkv"):
        streamvsr.upscale(source, tmp_path / "out.mp4", **OPTIONS)
    assert {p.name for p in tmp_path.iterdir()} == {source.name}
    streamvsr.upscale(source, tmp_path / "out.mkv", **OPTIONS)
    assert frame_times(tmp_path / "out.mkv") == frame_times(source)


# --- what is lost is named, and what is not lost is not -------------------------------------------


@pytest.mark.parametrize(
    ("name", "lost"),
    [("alpha.webm", True), ("palette.avi", False), ("smc.mov", False), ("moving.apng", True)],
)
def test_alpha_is_named_where_there_is_one(name: str, lost: bool, tmp_path: Path) -> None:
    _, _, warnings = _job(name, "mkv", tmp_path)
    assert any("alpha" in warning for warning in warnings) == lost


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ordered.mkv", ["ordered", "1 of the source's 2 chapters"]),
        ("linked.mkv", ["ordered", "play other files"]),
        ("editions.mkv", ["1 of the source's 3 chapters"]),
    ],
)
def test_chapters_that_are_no_plain_list_are_named(
    name: str, words: list[str], tmp_path: Path
) -> None:
    _, _, warnings = _job(name, "mkv", tmp_path)
    for word in words:
        assert any(word in warning for warning in warnings), warnings
    assert len(warnings) == len(words)


def test_a_plain_list_of_chapters_is_not_named(tmp_path: Path) -> None:
    _, output, warnings = _job("many_chapters.mkv", "mkv", tmp_path)
    assert warnings == []
    assert len(ffprobe(output)["chapters"]) == 300


def test_sound_that_no_reader_would_know_is_named(tmp_path: Path) -> None:
    _, output, warnings = _job("flash.flv", "mkv", tmp_path)
    assert any("adpcm_swf" in warning for warning in warnings)
    assert streams(output, "audio") == []


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_text_that_is_not_utf8_is_not_lost(container: str, tmp_path: Path) -> None:
    _, output, _ = _job("not_utf8.mkv", container, tmp_path)
    if container == "mkv":  # copied as it is
        assert b"Caf\xe9, bar" in output.read_bytes()
        return
    said = run(["ffmpeg", "-v", "error", "-i", output, "-map", "0:s", "-f", "srt", "-"])
    texts = said.stdout.decode()
    assert [word for word in ("first", "Café, bar", "last") if word in texts] == [
        "first", "Café, bar", "last",
    ]  # fmt: skip


# --- kinds that held ------------------------------------------------------------------------------

_HELD = [
    ("live.webm", "mkv"), ("recording.mp4", "mp4"), ("dash.mp4", "mp4"),
    ("negative_offsets.mp4", "mp4"), ("wrap.ts", "mkv"), ("programs.ts", "mp4"),
    ("head.ts", "mkv"), ("dropped.avi", "mp4"), ("packed.avi", "mp4"), ("sound_first.mkv", "mp4"),
    ("sound_late.mp4", "mp4"), ("opus_trimmed.mkv", "mp4"), ("laced.mkv", "mkv"),
    ("eight_mono.mxf", "mkv"), ("windows.wmv", "mkv"), ("disc.vob", "mkv"),
    ("disc_texts.mkv", "mp4"), ("broadcast_texts.ts", "mkv"), ("microseconds.mp4", "mp4"),
    ("slides.mkv", "mp4"), ("covers.mp4", "mp4"),
]  # fmt: skip
_PROPERTIES = ("frames", "times", "A/V offset", "payload")


@pytest.mark.parametrize(("name", "container"), _HELD)
def test_pictures_and_sound_keep_number_time_and_bytes(
    name: str, container: str, tmp_path: Path
) -> None:
    source, output = sources.make(name, tmp_path), tmp_path / f"out.{container}"
    result = streamvsr.upscale(source, output, **OPTIONS)
    job = checks.Job(source, output, container, result, ffprobe(source), ffprobe(output))
    for what in _PROPERTIES:
        table.PROPERTIES[what](job)


@pytest.mark.parametrize("container", ["mp4", "mkv"])
@pytest.mark.parametrize(("name", "kinds"), [("sphere.mp4", 2), ("stereo.mkv", 1)])
def test_sphere_and_stereo_are_kept(name: str, kinds: int, container: str, tmp_path: Path) -> None:
    source, output, _ = _job(name, container, tmp_path)
    before, after = (
        [d for d in streams(path, "video")[0].get("side_data_list", [])]
        for path in (source, output)
    )
    assert len(before) == kinds
    assert after == before


def test_sixty_three_sounds_are_kept(tmp_path: Path) -> None:
    source, output, _ = _job("tracks.mkv", "mp4", tmp_path)
    assert len(streams(output, "audio")) == 63
    assert [p.md5 for p in packet_hashes(output, "a:62")] == [
        p.md5 for p in packet_hashes(source, "a:62")
    ]


@pytest.mark.parametrize(
    "name",
    ["-x", "a%03d", "a:b", "[x]*?", "file:x", "concat:a|b", "smile\U0001f600 é", "two\nlines",
     "subfile,,start,0,end,9,,:x", "a#b?c=d"],
)  # fmt: skip
def test_a_name_is_nothing_but_a_name(name: str, tmp_path: Path) -> None:
    source = sources.make("tail.mp4", tmp_path).rename(tmp_path / f"{name}.mp4")
    output = tmp_path / f"{name}.mkv"
    assert streamvsr.upscale(source, output, scale=1, **OPTIONS).success
    assert {p.name for p in tmp_path.iterdir()} == {source.name, output.name}
