"""Fields, rotation, size: held against FFmpeg's own filters, frame by frame."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers import decoded_frames, frame_hashes, frame_times, make_clip, run, streams
from hypothesis import given, settings
from hypothesis import strategies as st
from streamvsr import StreamingVideoProcessor

LOSSLESS = {"codec": "ffv1", "disk_ratio": None, "model": "nearest", "scale": 1}


def upscale(source: Path, target: Path, **options: object) -> Path:
    result = StreamingVideoProcessor({**LOSSLESS, **options}).process(source, target, None, None)
    assert result.success, result.error
    return target


def hashes(path: Path, filters: str = "null", rotate: bool = False) -> list[str]:
    text = run(
        ["ffmpeg", "-v", "error", "-nostdin", "-autorotate", str(int(rotate)), "-i", path,
         "-map", "0:v:0", "-vf", filters, "-fps_mode", "passthrough", "-f", "framemd5", "-"]
    ).stdout.decode()  # fmt: skip
    return [line.split(",")[-1].strip() for line in text.splitlines() if line[0] != "#"]


# --- interlaced -----------------------------------------------------------------------------------


def make_interlaced(path: Path, *options: str, frames: int = 14, top_first: bool = True) -> Path:
    """Two pictures a frame, from moving ones of twice the rate."""
    mode = "interleave_top" if top_first else "interleave_bottom"
    fields = "tff" if top_first else "bff"
    run(
        ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=96x80:r=50",
         "-vf", f"tinterlace={mode},setfield={fields},fps=25", "-frames:v", str(frames), *options,
         path]
    )  # fmt: skip
    return path


MPEG2 = ("-c:v", "mpeg2video", "-flags", "+ildct+ilme", "-qscale:v", "3")


@pytest.mark.parametrize("top_first", [True, False])
def test_interlaced_frames_become_the_pictures_of_bwdif(top_first: bool, tmp_path: Path) -> None:
    source = make_interlaced(tmp_path / "in.mkv", *MPEG2, top_first=top_first)
    target = upscale(source, tmp_path / "out.mkv")
    assert hashes(target) == hashes(source, "bwdif=mode=send_frame:deint=interlaced")
    assert frame_times(target) == frame_times(source)
    assert streams(target, "video")[0].get("field_order", "progressive") == "progressive"
    kept = upscale(source, tmp_path / "kept.mkv", interlaced="keep")
    assert hashes(kept) == hashes(source)


def test_uncompressed_video_is_deinterlaced_by_the_containers_word(tmp_path: Path) -> None:
    source = make_interlaced(
        tmp_path / "in.mov", "-c:v", "rawvideo", "-pix_fmt", "uyvy422", "-field_order", "tt"
    )
    assert streams(source, "video")[0]["field_order"] in ("tt", "tb")
    target = upscale(source, tmp_path / "out.mkv")
    assert hashes(target) == hashes(source, "format=yuv422p,bwdif=deint=interlaced:mode=send_frame")
    assert hashes(target) != hashes(source, "format=yuv422p")


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_interlaced_films_lose_no_frame(frames: int, tmp_path: Path) -> None:
    source = make_interlaced(tmp_path / "in.mkv", *MPEG2, frames=frames)
    target = upscale(source, tmp_path / "out.mkv")
    assert hashes(target) == hashes(source, "bwdif=mode=send_frame:deint=interlaced")
    assert len(hashes(target)) == frames


def test_a_film_that_turns_interlaced_is_deinterlaced_from_there(tmp_path: Path) -> None:
    first = tmp_path / "first.mpg"
    run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=96x80:r=25", "-frames:v", "9",
         "-c:v", "mpeg2video", "-qscale:v", "3", first]
    )  # fmt: skip
    second = make_interlaced(tmp_path / "second.mpg", *MPEG2, frames=9)
    both = tmp_path / "both.mpg"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    target = upscale(both, tmp_path / "out.mkv")
    got = hashes(target)
    assert len(got) == len(frame_times(both))
    assert got == hashes(both, "bwdif=mode=send_frame:deint=interlaced")


def test_interlaced_video_can_be_refused(tmp_path: Path) -> None:
    source = make_interlaced(tmp_path / "in.mkv", *MPEG2)
    processor = StreamingVideoProcessor({**LOSSLESS, "interlaced": "refuse"})
    result = processor.process(source, tmp_path / "out.mkv", None, None)
    assert not result.success
    assert "is interlaced" in str(result.error)
    assert sorted(tmp_path.iterdir()) == [source]


# --- rotation -------------------------------------------------------------------------------------


def mark_turned(path: Path, target: Path, angle: int) -> Path:
    """A copy that is to be shown turned, counter-clockwise."""
    if b"-display_rotation" in run(["ffmpeg", "-v", "error", "-h", "full"]).stdout:
        before, after = ["-display_rotation", str(angle)], []  # FFmpeg 6 and later
    else:
        before, after = [], ["-metadata:s:v", f"rotate={360 - angle}"]
    run(["ffmpeg", "-v", "error", *before, "-i", path, "-c", "copy", *after, target])
    return target


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_rotation_is_applied_as_ffmpeg_applies_it(angle: int, tmp_path: Path) -> None:
    """Chroma at full size: where it is halved its siting moves too."""
    upright = make_clip(
        tmp_path / "upright.mp4", frames=3, width=96, height=64, pixel_format="yuv444p"
    )
    source = mark_turned(upright, tmp_path / "in.mp4", angle)
    target = upscale(source, tmp_path / "out.mkv", rotation="apply")
    assert hashes(target) == hashes(source, rotate=True) != hashes(source)
    assert not streams(target, "video")[0].get("side_data_list")
    mp4 = StreamingVideoProcessor({"model": "nearest", "scale": 1, "rotation": "keep"}).process(
        source, tmp_path / "kept.mp4", None, None
    )
    assert mp4.success
    kept = streams(tmp_path / "kept.mp4", "video")[0]["side_data_list"]
    assert kept == streams(source, "video")[0]["side_data_list"]


def test_a_turned_picture_has_a_turned_aspect_and_centred_chroma(tmp_path: Path) -> None:
    upright = make_clip(
        tmp_path / "upright.mp4", frames=2, width=96, height=64,
        options=("-vf", "setsar=4/3"),
    )  # fmt: skip
    source = mark_turned(upright, tmp_path / "in.mp4", 270)
    result = StreamingVideoProcessor({"model": "nearest", "scale": 1, "rotation": "apply"}).process(
        source, tmp_path / "out.mp4", None, None
    )
    assert result.success, result.error
    told = streams(tmp_path / "out.mp4", "video")[0]
    assert (told["width"], told["height"]) == (64, 96)
    assert told["sample_aspect_ratio"] == "3:4"
    assert told["chroma_location"] == "center"


# --- size -----------------------------------------------------------------------------------------


def test_the_network_enlarges_and_zimg_does_the_rest(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=2, width=96, height=64, pixel_format="yuv444p")
    target = upscale(source, tmp_path / "out.mkv", scale=2, width=150)
    told = streams(target, "video")[0]
    assert (told["width"], told["height"]) == (150, 100)
    expected = raw(
        source, "scale=2*iw:2*ih:flags=neighbor,zscale=150:100:filter=spline36:dither=none"
    )
    got = raw(target)
    assert np.abs(got - expected).max() <= 1


def raw(path: Path, filters: str = "null") -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    data = run(
        ["ffmpeg", "-v", "error", "-nostdin", "-i", path, "-vf", filters, "-f", "rawvideo", "-"]
    ).stdout
    return np.frombuffer(data, np.uint8).astype(np.int64)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    return make_clip(
        folder / "in.mp4", frames=1, width=70, height=38, options=("-vf", "setsar=9/8")
    )


_EVEN = st.integers(8, 100).map(lambda half: 2 * half)


@settings(max_examples=25)
@given(width=st.none() | _EVEN, height=st.none() | _EVEN)
def test_any_size_keeps_the_shape_that_is_seen(
    small: Path, width: int | None, height: int | None
) -> None:
    """The picture's shape on the screen is the source's: exactly with both sides given."""
    target = small.with_name("out.mkv")
    upscale(small, target, scale=2, width=width, height=height, overwrite=True, resume=False)
    told = streams(target, "video")[0]
    assert told["width"] == (width or told["width"])
    assert told["height"] == (height or told["height"])
    aspect = Fraction(*map(int, told["sample_aspect_ratio"].split(":")))
    shape = Fraction(told["width"], told["height"]) * aspect
    seen = Fraction(70, 38) * Fraction(9, 8)
    if (width is None) == (height is None):
        assert shape == seen
    else:
        assert told["width"] % 2 == 0
        assert told["height"] % 2 == 0
        exact = float(seen / aspect) * float(told["height"])
        assert abs(told["width"] - exact) <= 2 * max(1.0, float(seen / aspect))


def test_sizes_that_no_encoder_takes_are_refused_before_work(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=1, width=64, height=48)
    for options, words in (
        ({"width": 131}, "wants a multiple of 2"),
        ({"width": 32768, "height": 2}, ""),
        ({"height": 32768}, "choose 1 to 32768"),
    ):
        result = StreamingVideoProcessor({"model": "nearest", **options}).process(
            source, tmp_path / "out.mp4", None, None
        )
        assert not result.success, options
        assert words in str(result.error), options
        assert sorted(tmp_path.iterdir()) == [source]


def test_a_size_that_changes_can_be_refused(tmp_path: Path) -> None:
    parts = []
    for number, size in enumerate(("64x48", "96x64")):
        part = tmp_path / f"part{number}.ts"
        run(
            ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=s={size}:r=25",
             "-frames:v", "5", "-c:v", "mpeg2video", part]
        )  # fmt: skip
        parts.append(part.read_bytes())
    both = tmp_path / "both.ts"
    both.write_bytes(b"".join(parts))
    target = upscale(both, tmp_path / "out.mkv")
    assert len(frame_hashes(target)) == decoded_frames(both) >= 9
    assert (streams(target, "video")[0]["width"], streams(target, "video")[0]["height"]) == (64, 48)
    result = StreamingVideoProcessor({**LOSSLESS, "size_change": "refuse"}).process(
        both, tmp_path / "no.mkv", None, None
    )
    assert not result.success
    assert "change from 64x48 to 96x64" in str(result.error)


# --- streams --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    plain = make_clip(
        folder / "plain.mkv", frames=10, audio="aac", audio_streams=2, subtitles="srt"
    )
    source = folder / "in.mkv"
    run(
        ["ffmpeg", "-v", "error", "-i", plain, "-map", "0", "-c", "copy",
         "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu", source]
    )  # fmt: skip
    return source


@pytest.mark.parametrize(
    ("chosen", "kept"),
    [
        ((), ["video", "audio", "audio", "subtitle"]),
        (("a:1",), ["video", "audio"]),
        (("s", "m:language:eng"), ["video", "audio", "subtitle"]),
        (("v",), ["video"]),
    ],
)
def test_streams_are_chosen_by_ffmpegs_words(
    many: Path, tmp_path: Path, chosen: tuple[str, ...], kept: list[str]
) -> None:
    target = upscale(many, tmp_path / "out.mkv", streams=chosen)
    assert [stream["codec_type"] for stream in streams(target)] == kept
    if chosen == ("a:1",):
        assert streams(target, "audio")[0]["tags"]["language"] in ("deu", "ger")


@pytest.mark.parametrize("chosen", ["a:7", "nonsense"])
def test_a_choice_of_nothing_is_an_error_that_lists_what_there_is(
    many: Path, tmp_path: Path, chosen: str
) -> None:
    result = StreamingVideoProcessor({**LOSSLESS, "streams": [chosen]}).process(
        many, tmp_path / "out.mkv", None, None
    )
    assert not result.success
    assert repr(chosen) in str(result.error)
    assert list(tmp_path.iterdir()) == []
