"""Colour tags that cannot be true are ignored with a warning; all others reach the output."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import run, streams
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from streamvsr import StreamingVideoProcessor
from streamvsr.result import ProcessResult

from fidelity.sources import make
from fidelity.sources.color_tags import tagged_stream

CODECS = ("h264", "hevc", "av1", "ffv1")
TAGS = ("color_space", "color_primaries", "color_transfer")
# What ffprobe calls a value that is missing, reserved or unknown to it.
MISSING = {None, "unknown", "reserved", "unspecified"}


def upscale(source: Path, target: Path, codec: str, **options: object) -> ProcessResult:
    preset = {} if codec == "ffv1" else {"encoder_preset": "ultrafast"}
    config = {"codec": codec, "model": "nearest", "disk_ratio": None, **preset, **options}
    result = StreamingVideoProcessor(config).process(source, target, None, None)
    assert result.success, result.error
    return result


def tags(path: Path) -> dict[str, str | None]:
    """What ffprobe says of the first video stream; None for what it does not know."""
    video = streams(path, "video")[0]
    return {tag: None if video.get(tag) in MISSING else video[tag] for tag in TAGS}


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("color_yuv_tagged_gbr.mkv", "h264"),
        ("color_yuv_tagged_gbr.mkv", "av1"),
        ("color_gray_tagged_gbr.mkv", "hevc"),
        ("color_gray_tagged_gbr.mkv", "ffv1"),
        ("color_all_reserved.mp4", "hevc"),
        ("color_all_reserved.mp4", "av1"),
        ("color_hevc_zero.mkv", "h264"),
        ("color_hevc_zero.mkv", "hevc"),
        ("color_ffv1_tagged_gbr.mkv", "h264"),
        ("color_ffv1_tagged_gbr.mkv", "ffv1"),
    ],
)
def test_an_impossible_matrix_is_missing(name: str, codec: str, tmp_path: Path) -> None:
    source = make(name, tmp_path)
    result = upscale(source, tmp_path / "out.mkv", codec)
    assert any("color_matrix" in warning for warning in result.warnings)
    expected = tags(source)
    if expected["color_space"] == "gbr":
        expected["color_space"] = None
    assert tags(tmp_path / "out.mkv") == expected


@pytest.mark.parametrize("name", ["color_yuv_tagged_gbr.mkv", "color_all_reserved.mp4"])
def test_color_matrix_replaces_an_impossible_matrix(name: str, tmp_path: Path) -> None:
    source = make(name, tmp_path)
    result = upscale(source, tmp_path / "out.mkv", "ffv1", color_matrix="bt601")
    assert not any("color_matrix" in warning for warning in result.warnings)
    assert tags(tmp_path / "out.mkv")["color_space"] == "smpte170m"


def test_no_code_changes_with_an_impossible_matrix(tmp_path: Path) -> None:
    source = make("color_yuv_tagged_gbr.mkv", tmp_path)
    upscale(source, tmp_path / "out.mkv", "ffv1", scale=1)
    assert pixels(tmp_path / "out.mkv") == pixels(source)


def pixels(path: Path) -> bytes:
    return run(["ffmpeg", "-v", "error", "-i", path, "-f", "framemd5", "-"]).stdout


@pytest.mark.parametrize(
    ("codec", "container"),
    [("h264", "mkv"), ("h264", "mp4"), ("hevc", "mkv"), ("hevc", "mp4"), ("av1", "mp4"),
     ("ffv1", "mkv")],
)  # fmt: skip
def test_ebu_primaries_reach_stream_and_container(
    codec: str, container: str, tmp_path: Path
) -> None:
    source = make("color_ebu3213.mp4", tmp_path)
    target = tmp_path / f"out.{container}"
    result = upscale(source, target, codec)
    assert not any("primaries" in warning for warning in result.warnings)
    assert tags(target) == tags(source)
    assert tags(source)["color_primaries"] == "ebu3213"
    suffix = {"h264": "h264", "hevc": "hevc", "av1": "obu"}.get(codec)
    if suffix:  # the video itself says so, too
        bare = tmp_path / f"bare.{suffix}"
        run(["ffmpeg", "-v", "error", "-i", target, "-c", "copy", bare])
        assert tags(bare) == tags(source)


def test_rgb_tagged_as_limited_range_is_read_as_full(tmp_path: Path) -> None:
    source = make("color_rgb_limited.mkv", tmp_path)
    result = upscale(source, tmp_path / "out.mkv", "ffv1")
    assert any("limited range" in warning for warning in result.warnings[:1])
    assert streams(tmp_path / "out.mkv", "video")[0]["color_range"] == "tv"


CODE = st.integers(0, 30) | st.integers(31, 255)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    matrix=CODE, primaries=CODE, transfer=CODE, codec=st.sampled_from(CODECS),
    layout=st.sampled_from(["yuv420p", "yuv444p", "gray"]),
)  # fmt: skip
@example(matrix=8, primaries=3, transfer=0, codec="hevc", layout="yuv420p")
@example(matrix=14, primaries=22, transfer=18, codec="h264", layout="yuv444p")
def test_any_tags_are_kept_or_named(
    matrix: int, primaries: int, transfer: int, codec: str, layout: str, tmp_path: Path
) -> None:
    """Each tag that ffprobe knows comes out as it was; each other one is named or was missing."""
    source = tagged_stream(tmp_path / "in.mkv", matrix, primaries, transfer, layout)
    target = tmp_path / "out.mkv"
    target.unlink(missing_ok=True)
    upscale(source, target, codec)
    expected = tags(source)
    if expected["color_space"] == "gbr":
        expected["color_space"] = None
    assert tags(target) == expected
