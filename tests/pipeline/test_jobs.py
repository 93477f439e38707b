"""Whole jobs on clips whose frames show their number: encoders, containers, damage, bounds."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import streamvsr
from helpers import (
    decoder_complaints,
    ffprobe,
    frame_times,
    listing,
    make_clip,
    numbers,
    run,
    streams,
)
from streamvsr import StreamingVideoProcessor, errors

FAST: dict[str, Any] = {"model": "nearest", "encoder_preset": "ultrafast"}


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize(
    ("codec", "container"),
    [
        ("h264", "mp4"), ("h264", "mov"), ("h264", "mkv"),
        ("hevc", "mp4"), ("hevc", "mov"), ("hevc", "mkv"), ("av1", "mp4"), ("av1", "mkv"),
        ("ffv1", "mkv"),
    ],
)  # fmt: skip
def test_every_encoder_in_every_container(
    tmp_path: Path, codec: str, container: str, depth: int
) -> None:
    pixels = "yuv420p" if depth == 8 else "yuv420p10le"
    clip = make_clip(
        tmp_path / "in.mkv", frames=60, codec="ffv1", pixel_format=pixels, select="mod(n,7)-3",
        audio="aac",
    )  # fmt: skip
    target = tmp_path / f"out.{container}"
    options: dict[str, Any] = {"model": "nearest", "codec": codec, "segment_seconds": 1}
    if codec == "ffv1":
        options["disk_ratio"] = None
    else:
        options["encoder_preset"] = "medium"
    result = streamvsr.upscale(clip, target, **options)
    assert result.performance_report["segments"] >= 2
    video = streams(target, "video")[0]
    assert (video["codec_name"], video["pix_fmt"]) == (codec, pixels)
    kept = [n for n in range(60) if n % 7 != 3]
    assert numbers(target) == kept
    times, before = frame_times(target), frame_times(clip)
    limit = Fraction(1, 1000) if container == "mkv" else 0
    shifts = [late - early for early, late in zip(before, times, strict=True)]
    assert max(shifts) - min(shifts) <= limit
    assert len(streams(target, "audio")) == 1
    assert decoder_complaints(target) == ""


@pytest.mark.parametrize("container", ["mp4", "mkv"])
@pytest.mark.parametrize("frames", [1, 2, 25, 26])
def test_short_clips(tmp_path: Path, container: str, frames: int) -> None:
    clip = make_clip(tmp_path / "in.mkv", frames=frames)
    target = tmp_path / f"out.{container}"
    streamvsr.upscale(clip, target, segment_seconds=1, **FAST)
    assert numbers(target) == list(range(frames))


@pytest.mark.parametrize("seconds", [0.5, 0.7, 10])
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_pictures_of_any_length_keep_their_times(
    tmp_path: Path, codec: str, seconds: float
) -> None:
    """Also the first ones of MP4's fragments, and where pictures are reordered."""
    clip = tmp_path / "in.mkv"
    run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=96x64:r=25", "-frames:v", "70",
         "-vf", "settb=1/1000,setpts=40*N+mod(N*N*17\\,30)", "-fps_mode", "passthrough",
         "-enc_time_base", "1:1000", "-c:v", "libx264", "-preset", "ultrafast", clip]
    )  # fmt: skip
    target = tmp_path / "out.mp4"
    streamvsr.upscale(
        clip, target, model="nearest", encoder_preset="veryfast", codec=codec,
        segment_seconds=seconds,
    )  # fmt: skip
    assert len(set(frame_times(clip))) == 70
    assert frame_times(target) == frame_times(clip)


@pytest.mark.parametrize("size", [(32, 4), (33, 5), (66, 48), (48, 33)])
def test_small_and_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    clip = make_clip(tmp_path / "in.mkv", frames=8, width=width, height=height, codec="ffv1")
    target = tmp_path / "out.mkv"
    streamvsr.upscale(clip, target, codec="ffv1", disk_ratio=None)  # the packaged network
    video = streams(target, "video")[0]
    assert (video["width"], video["height"]) == (2 * width, 2 * height)
    assert numbers(target) == list(range(8))


def test_memory_is_bounded(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", frames=60, width=320, height=240)
    result = streamvsr.upscale(
        clip, tmp_path / "out.mp4", 4, model="nearest", encoder_preset="medium", max_memory_mb=192
    )
    assert 1 < result.performance_report["peak_frames_mb"] <= 192
    assert numbers(tmp_path / "out.mp4") == list(range(60))


def test_interlaced_video_is_named(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "in.mkv", frames=20, options=("-flags", "+ilme+ildct", "-x264opts", "tff=1")
    )
    result = streamvsr.upscale(clip, tmp_path / "out.mkv", **FAST)
    assert any("interlaced" in warning for warning in result.warnings)
    assert numbers(tmp_path / "out.mkv") == list(range(20))


def test_rotation_is_kept_or_named(tmp_path: Path) -> None:
    plain = make_clip(tmp_path / "plain.mp4", frames=10)
    clip = tmp_path / "in.mp4"
    run(["ffmpeg", "-v", "error", "-i", plain, "-c", "copy", "-metadata:s:v", "rotate=90", clip])
    streamvsr.upscale(clip, tmp_path / "out.mp4", **FAST)
    assert streamvsr.probe(tmp_path / "out.mp4").streams[0].rotation == (
        streamvsr.probe(clip).streams[0].rotation
    )
    result = streamvsr.upscale(clip, tmp_path / "out.mkv", **FAST)
    lost = streamvsr.probe(tmp_path / "out.mkv").streams[0].rotation == 0
    assert lost == any("rotation" in warning for warning in result.warnings)


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_cover_is_kept_or_named(tmp_path: Path, container: str) -> None:
    plain = make_clip(tmp_path / "plain.mp4", frames=20, audio="aac")
    cover, clip = tmp_path / "cover.png", tmp_path / "in.mp4"
    run(["ffmpeg", "-v", "error", "-i", plain, "-frames:v", "1", cover])
    run(
        ["ffmpeg", "-v", "error", "-i", cover, "-i", plain, "-map", "0", "-map", "1", "-c", "copy",
         "-disposition:v:0", "attached_pic", clip]
    )  # fmt: skip
    target = tmp_path / f"out.{container}"
    result = streamvsr.upscale(clip, target, **FAST)
    info = streamvsr.probe(target)
    video = info.streams[info.video_index]
    assert (video.width, video.attached_picture) == (128, False)
    covers = [
        stream
        for stream in info.streams
        if stream.attached_picture or stream.type == "attachment" or stream.codec == "png"
    ]
    assert covers or any("cover" in warning for warning in result.warnings)
    assert result.frames_processed == 20


def test_a_change_of_size_is_scaled_to_the_first(tmp_path: Path) -> None:
    first = make_clip(tmp_path / "1.ts", frames=25, options=("-g", "5"))
    second = make_clip(tmp_path / "2.ts", frames=25, width=96, height=72, options=("-g", "5"))
    clip = tmp_path / "in.ts"
    run(["ffmpeg", "-v", "error", "-i", f"concat:{first}|{second}", "-c", "copy", clip])
    assert {frame["width"] for frame in _frames(clip)} == {64, 96}
    streamvsr.upscale(clip, tmp_path / "out.mkv", **FAST)
    assert {frame["width"] for frame in _frames(tmp_path / "out.mkv")} == {128}
    assert numbers(tmp_path / "out.mkv") == [*range(25), *range(25)]


def _frames(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ffprobe(
        path, "-select_streams", "v:0", "-show_entries", "frame=width,height"
    )["frames"]
    return found


def test_no_text_is_lost_between_containers(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mkv", frames=100, subtitles="srt", chapters=3)
    streamvsr.upscale(clip, tmp_path / "1.mp4", **FAST)
    streamvsr.upscale(tmp_path / "1.mp4", tmp_path / "2.mkv", **FAST)
    said = [
        run(["ffmpeg", "-v", "error", "-i", path, "-f", "srt", "-"]).stdout
        for path in (clip, tmp_path / "2.mkv")
    ]
    assert said[0] == said[1]
    assert len(ffprobe(tmp_path / "2.mkv")["chapters"]) == 3


# --- damage ---------------------------------------------------------------------------------------


def _break(clip: Path, target: Path) -> Path:
    """Overwrites some bytes in the middle of a clip's pictures."""
    data = bytearray(clip.read_bytes())
    middle = len(data) // 2
    for start in range(middle, middle + 4000, 500):
        data[start : start + 40] = b"\xa5" * 40
    target.write_bytes(data)
    return target


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("broken")
    clip = make_clip(folder / "whole.mp4", frames=200, width=320, height=240, options=("-g", "50"))
    return _break(clip, folder / "broken.mp4")


def test_damage_is_counted_and_repeats(tmp_path: Path, broken: Path) -> None:
    results = [
        streamvsr.upscale(broken, tmp_path / f"{n}.mkv", segment_seconds=1, **FAST)
        for n in range(3)
    ]
    assert results[0].performance_report["damaged_frames"] > 0
    assert results[0].warnings
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    shown = numbers(tmp_path / "0.mkv")
    assert shown[:40] == list(range(40))  # before the damage
    assert shown[-40:] == list(range(160, 200))  # after it


def test_damage_is_an_error_when_strict(tmp_path: Path, broken: Path) -> None:
    result = StreamingVideoProcessor({**FAST, "strict": True}).process(broken, tmp_path / "out.mp4")
    assert isinstance(result.exception, errors.DamagedInputError), repr(result.exception)
    assert "broken.mp4" in str(result.error)
    assert listing(tmp_path) == {}


def test_what_is_left_of_a_cut_file_is_processed(tmp_path: Path, small_clip: Path) -> None:
    whole = make_clip(tmp_path / "whole.mkv", frames=200, width=320, height=240)
    data = whole.read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(data[: len(data) * 6 // 10])
    streamvsr.upscale(cut, tmp_path / "out.mkv", **FAST)
    shown = numbers(tmp_path / "out.mkv")
    assert 80 < len(shown) < 200
    assert shown[:-5] == list(range(len(shown) - 5))


def test_names_that_are_no_text(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe folder"))
    folder.mkdir()
    clip = make_clip(tmp_path / "in.mkv", frames=5).rename(folder / "in.mkv")
    target = folder / os.fsdecode(b"out\xff.mkv")
    result = streamvsr.upscale(clip, target, **FAST)
    assert result.output_path == os.fspath(target)
    assert numbers(target) == list(range(5))
    with pytest.raises(errors.OutputExistsError) as caught:
        streamvsr.upscale(clip, target, **FAST)
    assert caught.value.path == os.fspath(target)
    assert streamvsr.status(target) is None
    assert streamvsr.probe(target).video_index == 0


@pytest.mark.parametrize("suffix", ["mkv", "webm", "avi"])
def test_a_file_that_was_cut_off_is_reported(tmp_path: Path, suffix: str) -> None:
    codec = {"mkv": "libx264", "webm": "libvpx", "avi": "mpeg4"}[suffix]
    clip = make_clip(tmp_path / f"in.{suffix}", frames=60, codec=codec, width=160, height=96)
    os.truncate(clip, clip.stat().st_size * 2 // 3)
    target = tmp_path / "out.mkv"
    with pytest.raises(errors.DamagedInputError):
        streamvsr.upscale(clip, target, strict=True, **FAST)
    result = streamvsr.upscale(clip, target, **FAST)
    assert result.performance_report["damaged_frames"] >= 1
    assert any("damaged" in warning for warning in result.warnings)
    kept = numbers(target)
    assert 20 < len(kept) < 60
    assert kept == list(range(len(kept)))
