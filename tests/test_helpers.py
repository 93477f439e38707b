"""The helpers are held against FFmpeg before anything is held against them."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import helpers
import pytest
from hypothesis import given
from hypothesis import strategies as st


@given(number=st.integers(0, 65535), width=st.integers(32, 200), height=st.integers(4, 100))
def test_a_number_can_be_read_from_its_picture(number: int, width: int, height: int) -> None:
    assert helpers.read_number(helpers.number_picture(number, width, height)) == number


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("plain.mp4", {}),
        ("odd.mkv", {"width": 63, "height": 47, "codec": "ffv1"}),
        ("ten.mkv", {"codec": "libx265", "pixel_format": "yuv420p10le"}),
    ],
)
def test_a_clip_holds_its_frames(tmp_path: Path, name: str, changes: dict[str, Any]) -> None:
    clip = helpers.make_clip(tmp_path / name, frames=30, **changes)
    assert helpers.numbers(clip) == list(range(30))
    assert helpers.decoded_frames(clip) == 30
    assert helpers.frame_times(clip) == [
        pytest.approx(Fraction(n, 25), abs=0.0005) for n in range(30)
    ]
    assert list(tmp_path.iterdir()) == [clip]


def test_a_clip_with_dropped_frames_keeps_their_times(tmp_path: Path) -> None:
    clip = helpers.make_clip(tmp_path / "vfr.mp4", frames=30, select="mod(n,5)-3")
    kept = [n for n in range(30) if n % 5 != 3]
    assert helpers.numbers(clip) == kept
    assert helpers.frame_times(clip) == [Fraction(n, 25) for n in kept]
    assert [frame.pts for frame in helpers.frame_hashes(clip)] == helpers.frame_times(clip)


def test_a_clip_holds_the_streams_asked_for(tmp_path: Path) -> None:
    clip = helpers.make_clip(
        tmp_path / "full.mkv",
        frames=60,
        audio="aac",
        audio_streams=2,
        subtitles="srt",
        chapters=3,
        metadata={"title": "A title"},
    )
    answer = helpers.ffprobe(clip)
    assert [stream["codec_type"] for stream in answer["streams"]] == [
        "video", "audio", "audio", "subtitle",
    ]  # fmt: skip
    assert len(answer["chapters"]) == 3
    assert answer["format"]["tags"]["title"] == "A title"
    assert len(helpers.packet_hashes(clip, "a:1")) == len(helpers.packet_times(clip, "a:1")) > 50
    assert helpers.decoder_complaints(clip) == ""
