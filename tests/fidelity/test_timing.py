"""Counts, times and durations of pictures, judged by ffprobe, mkvmerge and mkvinfo."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import streamvsr
from helpers import ffprobe, frame_times, run

from fidelity.sources import make
from fidelity.sources.timing import PAFF_PICTURES

FAST: dict[str, Any] = {
    "model": "nearest", "scale": 1, "encoder_preset": "veryfast", "disk_ratio": None,
}  # fmt: skip
CONTAINERS = ("mp4", "mov", "mkv")
MS = Fraction(1, 1000)

# Seconds that a source's last picture is shown.
LAST = {
    "ten_a_second.gif": Fraction(1, 10),
    "long_last.gif": Fraction(2),
    "uneven.gif": Fraction(1, 2),
    "scale_25.mp4": Fraction(1, 25),
    "scale_100.mp4": Fraction(1, 25),
    "scale_600.mov": Fraction(1, 30),
    "long_last.mkv": Fraction(1),
    "still.mp4": Fraction(3),
}


def upscale(source: Path, container: str, **options: Any) -> tuple[Path, streamvsr.ProcessResult]:
    target = source.with_name(f"{source.name}.out.{container}")
    return target, streamvsr.upscale(source, target, **FAST, **options)


def video_length(path: Path) -> Fraction:
    """Seconds from zero to the end of the video, as the container says; one stream alone."""
    answer = ffprobe(path)
    of_track = [s["duration"] for s in answer["streams"] if s["codec_type"] == "video"
                and "duration" in s]  # fmt: skip
    return Fraction(of_track[0] if of_track else answer["format"]["duration"])


def default_duration(path: Path) -> int | None:
    """Nanoseconds, as mkvmerge reads it; None where there is none."""
    tracks = json.loads(run(["mkvmerge", "-J", path]).stdout)["tracks"]
    found: int | None = tracks[0]["properties"].get("default_duration")
    return found


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", LAST)
def test_the_last_picture_keeps_its_duration(name: str, container: str, tmp_path: Path) -> None:
    source = make(name, tmp_path)
    # With B-frames the sample table of a variable rate adds up to another length, and ffprobe
    # takes the shorter one.
    options = {"encoder_options": {"bf": "0"}} if name == "long_last.mkv" else {}
    target, _ = upscale(source, container, **options)
    times = frame_times(target)
    assert len(times) == len(frame_times(source))
    assert abs(video_length(target) - (times[-1] + LAST[name])) <= MS
    if container == "mkv":
        blocks = run(["mkvinfo", "-v", "-v", "-v", target]).stdout.decode()
        told = [line for line in blocks.splitlines() if "Block duration" in line]
        assert len(told) == 1, told
        packets = ffprobe(target, "-show_entries", "packet=pts,duration")["packets"]
        last = max(packets, key=lambda packet: int(packet["pts"]))
        assert abs(int(last["duration"]) * MS - LAST[name]) <= MS


def test_sound_keeps_its_end(tmp_path: Path) -> None:
    source = make("scale_600.mov", tmp_path)
    target, _ = upscale(source, "mov")
    ends = [
        {s["codec_type"]: Fraction(s["duration"]) for s in ffprobe(path)["streams"]}
        for path in (source, target)
    ]
    assert ends[0] == ends[1]


PAFF = ("paff.h264", "paff_mixed.h264", "paff.ts", "paff.mkv", "paff_mixed.mp4")


@pytest.mark.parametrize("container", ["mp4", "mkv"])
@pytest.mark.parametrize("name", PAFF)
def test_fields_in_two_packets_are_one_picture(name: str, container: str, tmp_path: Path) -> None:
    source = make(name, tmp_path)
    packets = ffprobe(source, "-show_entries", "packet=size")["packets"]
    assert len(packets) > PAFF_PICTURES
    counted: list[int] = []
    target, result = upscale(
        source, container, segment_seconds=0.5,
        progress=lambda now: counted.append(now.frames_total),
    )  # fmt: skip
    assert set(counted) == {PAFF_PICTURES}
    assert result.frames_processed == PAFF_PICTURES
    assert not any(str(PAFF_PICTURES) in warning for warning in result.warnings), result.warnings
    times = frame_times(target)
    assert [time - times[0] for time in times] == [Fraction(n, 25) for n in range(PAFF_PICTURES)]
    assert abs(video_length(target) - times[0] - 2) <= MS
    # A segment begins with an encoder of its own, hence with a key frame.
    flags = ffprobe(target, "-show_entries", "packet=pts_time,flags")["packets"]
    keys = [round(float(p["pts_time"]) - float(times[0]), 2) for p in flags if "K" in p["flags"]]
    assert len(keys) == 4
    if container == "mkv":
        assert default_duration(target) == 40_000_000


@pytest.mark.parametrize("name", ["mbaff.mp4", "scale_100.mp4"])
def test_frames_in_one_packet_are_one_picture(name: str, tmp_path: Path) -> None:
    source = make(name, tmp_path)
    counted: list[int] = []
    target, result = upscale(source, "mkv", progress=lambda now: counted.append(now.frames_total))
    pictures = len(frame_times(source))
    assert set(counted) == {pictures}
    assert result.frames_processed == len(frame_times(target)) == pictures


@pytest.mark.parametrize(
    ("name", "nanoseconds"),
    [("dropped.mp4", 40_000_000), ("video_5994.mkv", 16_683_333), ("joined_late.ts", 33_366_666),
     ("uneven.mkv", None), ("uneven.gif", None), ("long_last.mkv", None)],
)  # fmt: skip
def test_matroska_states_the_nominal_rate_or_none(
    name: str, nanoseconds: int | None, tmp_path: Path
) -> None:
    target, _ = upscale(make(name, tmp_path), "mkv")
    found = default_duration(target)
    assert (found is None) == (nanoseconds is None)
    assert found is None or nanoseconds is None or abs(found - nanoseconds) <= 1


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_times_that_matroska_merges_are_named(container: str, tmp_path: Path) -> None:
    source = make("fast.mp4", tmp_path)
    target, result = upscale(source, container)
    merged = len(frame_times(target)) - len(set(frame_times(target)))
    assert (merged > 0) == (container == "mkv")
    named = [warning for warning in result.warnings if str(merged) in warning and "mp4" in warning]
    assert bool(named) == (container == "mkv")
