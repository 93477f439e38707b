"""A source that opens other files is refused before work, with the command that joins them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from helpers import decoded_frames, listing, run
from streamvsr import StreamingVideoProcessor, errors

from fidelity.sources import make
from fidelity.sources.playlists import magic_lantern

CONFIG = {"model": "nearest", "codec": "ffv1", "disk_ratio": None}


def refusal(source: Path) -> str:
    before = listing(source.parent)
    result = StreamingVideoProcessor(CONFIG).process(source, source.with_name("out.mkv"))
    assert isinstance(result.exception, errors.InputError), result
    assert result.exception.path == str(source)
    assert listing(source.parent) == before
    return str(result.error)


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("playlist_hls.m3u8", 75),
        ("playlist_dash.mpd", 75),
        ("playlist_concat.ffconcat", 150),
    ],
)
def test_the_command_in_the_refusal_joins_them(name: str, frames: int, tmp_path: Path) -> None:
    words = refusal(make(name, tmp_path))
    command = re.search(r"ffmpeg .*joined\.mkv", words)
    assert command is not None, words
    *ffmpeg, target = shlex.split(command[0])
    joined = tmp_path / target
    run([*ffmpeg, joined])
    result = StreamingVideoProcessor(CONFIG).process(joined, tmp_path / "out.mkv", None, None)
    assert result.success, result.error
    assert decoded_frames(tmp_path / "out.mkv") == frames


def test_the_content_counts_and_not_the_name(tmp_path: Path) -> None:
    refusal(make("playlist_named_as_film.mp4", tmp_path))


def test_a_name_that_is_a_pattern(tmp_path: Path) -> None:
    source = make("playlist_numbered%d.jpg", tmp_path)
    refusal(source)
    plain = source.rename(tmp_path / "picture.jpg")
    result = StreamingVideoProcessor(CONFIG).process(plain, tmp_path / "out.mkv", None, None)
    assert result.success, result.error
    assert decoded_frames(tmp_path / "out.mkv") == 1


def test_numbered_pictures_that_are_asked_for_by_their_pattern(tmp_path: Path) -> None:
    make("playlist_numbered%d.jpg", tmp_path).unlink()
    pattern = tmp_path / "playlist_numbered%d.jpg"
    result = StreamingVideoProcessor(CONFIG).process(pattern, tmp_path / "out.mkv")
    assert isinstance(result.exception, errors.InputNotFoundError)
    command = re.search(r"ffmpeg .*joined\.mkv", str(result.error))
    assert command is not None, result.error
    *ffmpeg, target = shlex.split(command[0])
    run([*ffmpeg, tmp_path / target])
    assert decoded_frames(tmp_path / target) == 2


def test_a_recording_in_pieces(tmp_path: Path) -> None:
    """Of a format that is no playlist: its demuxer looks for files named alike."""
    source = make("playlist_pieces.MLV", tmp_path)
    assert decoded_frames(source) == 4  # FFmpeg reads both
    refusal(source)
    alone = tmp_path / "alone.MLV"
    magic_lantern(alone, range(2))
    result = StreamingVideoProcessor(CONFIG).process(alone, tmp_path / "out.mkv", None, None)
    assert result.success, result.error
    assert decoded_frames(tmp_path / "out.mkv") == 2
