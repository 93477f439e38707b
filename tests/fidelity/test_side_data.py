"""Side data of pictures: what a stream can carry is there, picture by picture; the rest is named.

Captions are read by FFmpeg's lavfi device, which makes a stream of those that its decoders find.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from helpers import ffprobe, run, streams
from streamvsr import StreamingVideoProcessor
from streamvsr.result import ProcessResult
from unfinished import interrupt

from fidelity.sources import make


def upscale(source: Path, target: Path, codec: str, **options: object) -> ProcessResult:
    preset = {} if codec == "ffv1" else {"encoder_preset": "ultrafast"}
    config = {"codec": codec, "model": "nearest", "disk_ratio": None, **preset, **options}
    result = StreamingVideoProcessor(config).process(source, target, None, None)
    assert result.success, result.error
    return result


def captions(path: Path) -> list[tuple[float, str]]:
    """Time in s and hash of what each picture carries, in order; times from the first picture."""
    answer = ffprobe(
        "movie=" + str(path) + "[out0+subcc]", "-f", "lavfi", "-show_packets", "-show_data_hash",
        "md5", "-show_entries", "packet=codec_type,pts_time,data_hash",
    )  # fmt: skip
    packets: list[dict[str, Any]] = answer["packets"]
    start = min(float(p["pts_time"]) for p in packets)
    return [
        (round(float(p["pts_time"]) - start, 2), p["data_hash"])
        for p in packets
        if p["codec_type"] == "subtitle"
    ]


def frames(path: Path) -> list[dict[str, Any]]:
    answer = ffprobe(path, "-select_streams", "v", "-show_frames")
    found: list[dict[str, Any]] = answer["frames"]
    return found


def packing(path: Path) -> str:
    """How the first picture holds two views, in the words of FFmpeg's showinfo."""
    words = run(
        ["ffmpeg", "-v", "info", "-i", path, "-frames:v", "1", "-vf", "showinfo", "-f", "null", "-"]
    ).stderr.decode()
    found = re.search(r"stereoscopic information: type - (.*)", words)
    return found[1].strip() if found else ""


def side_data(path: Path, kind: str) -> list[dict[str, Any] | None]:
    """Of each picture, the side data whose type has these words."""
    return [
        next((d for d in frame.get("side_data_list", []) if kind in d["side_data_type"]), None)
        for frame in frames(path)
    ]


@pytest.mark.parametrize(
    ("name", "codec", "container"),
    [
        ("side_captions.mp4", "h264", "mkv"),
        ("side_captions.mp4", "hevc", "mp4"),
        ("side_captions_hevc.mkv", "h264", "mp4"),
        ("side_captions_mpeg2.ts", "hevc", "mkv"),
        ("side_captions_interlaced.ts", "h264", "mkv"),
    ],
)
def test_each_picture_keeps_its_captions(
    name: str, codec: str, container: str, tmp_path: Path
) -> None:
    """Over several segments, each with an encoder of its own."""
    source = make(name, tmp_path)
    target = tmp_path / f"out.{container}"
    result = upscale(source, target, codec, segment_seconds=1.5)
    assert not any("captions" in warning for warning in result.warnings)
    before = captions(source)
    assert len(before) >= 80
    assert len({hashed for _, hashed in before}) == len(before)
    assert captions(target) == before


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_captions_survive_a_second_encoding(codec: str, tmp_path: Path) -> None:
    """A disk budget so small that pictures are encoded again."""
    source = make("side_captions.mp4", tmp_path)
    target = tmp_path / "out.mkv"
    result = upscale(source, target, codec, scale=4, crf=1, segment_seconds=2, disk_ratio=1.9)
    assert result.performance_report["disk_budget"]["reencoded_segments"] > 0
    assert captions(target) == captions(source)


@pytest.mark.parametrize(("codec", "container"), [("h264", "mp4"), ("hevc", "mkv")])
def test_a_resumed_job_keeps_captions(codec: str, container: str, tmp_path: Path) -> None:
    source = make("side_captions.mp4", tmp_path)
    whole, target = tmp_path / f"whole.{container}", tmp_path / f"out.{container}"
    options: dict[str, Any] = {"codec": codec, "segment_seconds": 1.5}
    upscale(source, whole, **options)
    interrupt(source, target, model="nearest", encoder_preset="ultrafast", **options)
    resumed = upscale(source, target, resume=True, **options)
    assert resumed.performance_report["resumed_frames"] > 0
    assert target.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("codec", ["av1", "ffv1"])
def test_captions_that_a_codec_cannot_hold_are_named(codec: str, tmp_path: Path) -> None:
    source = make("side_captions.mp4", tmp_path)
    result = upscale(source, tmp_path / "out.mkv", codec)
    assert any("captions" in warning for warning in result.warnings)
    assert captions(tmp_path / "out.mkv") == []


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_the_active_format_is_kept(codec: str, tmp_path: Path) -> None:
    source = make("side_active_format.mkv", tmp_path)
    target = tmp_path / "out.mkv"
    upscale(source, target, codec)
    before = side_data(source, "Active format")
    assert before[0] is not None
    if codec == "h264":
        assert side_data(target, "Active format") == before
    else:  # FFmpeg 5.1 reads none of HEVC
        bare = tmp_path / "bare.hevc"
        run(["ffmpeg", "-v", "error", "-i", target, "-c", "copy", bare])
        assert bare.read_bytes().count(b"\x4e\x01\x04\x09\xb5\x00\x31DTG1\x41") == len(before)


@pytest.mark.parametrize(("codec", "container"), [("h264", "mp4"), ("hevc", "mkv"), ("av1", "mkv")])
def test_two_views_in_a_frame_are_told(codec: str, container: str, tmp_path: Path) -> None:
    source = make("side_two_views.mkv", tmp_path)
    target = tmp_path / f"out.{container}"
    result = upscale(source, target, codec, segment_seconds=1.5)
    assert not any("views" in warning for warning in result.warnings)
    before = side_data(source, "Stereo")
    assert before[0] is not None
    assert packing(source) == "side by side"
    if codec != "av1":
        assert packing(target) == packing(source)
        # At every key frame, so that a seek finds it.
        after = side_data(target, "Stereo")
        keys = [i for i, frame in enumerate(frames(target)) if frame["key_frame"]]
        assert len(keys) >= 3
        assert all(after[key] == before[0] for key in keys)
    if container == "mkv":  # the container says so, too
        told = streams(target, "video")[0]["side_data_list"]
        assert any(entry.get("type") == "side by side" for entry in told)


def test_two_views_that_the_output_cannot_tell_are_named(tmp_path: Path) -> None:
    source = make("side_two_views.mkv", tmp_path)
    result = upscale(source, tmp_path / "out.mp4", "av1")
    assert any("views" in warning for warning in result.warnings)


def test_a_time_code_of_the_pictures_is_named(tmp_path: Path) -> None:
    source = make("side_time_code.mkv", tmp_path)
    assert side_data(source, "timecode")[0] is not None
    result = upscale(source, tmp_path / "out.mkv", "hevc")
    assert any("timecode" in warning for warning in result.warnings)


@pytest.mark.parametrize("profile", [5, 8])
def test_dolby_vision_without_other_layers_is_named(profile: int, tmp_path: Path) -> None:
    source = make(f"side_dolby_vision_{profile}.mp4", tmp_path)
    told = streams(source, "video")[0]["side_data_list"]
    assert any(entry.get("dv_profile") == profile for entry in told)
    result = upscale(source, tmp_path / "out.mkv", "hevc")
    wrong = [warning for warning in result.warnings if "colours will be wrong" in warning]
    assert len(wrong) == (profile == 5)
