"""Soft telecine: pictures that tell a display to show fields again, held against ffprobe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import streamvsr
from helpers import cli, ffprobe, frame_times, listing, make_clip, run

from fidelity.test_shape import make_interlaced

FAST: dict[str, Any] = {"model": "nearest", "scale": 1, "encoder_preset": "veryfast"}
# Top field first, first field again: four pictures over five frames of fields, of a film over
# those of a broadcast.
PULLDOWN = ((1, 1), (0, 0), (0, 1), (1, 0))
_HEADER = b"\0\0\1\xb5"  # of MPEG-2's extensions, whose kind comes first


def marked(data: bytes, marks: Sequence[tuple[int, int]], *, progressive: bool = False) -> bytes:
    """MPEG-2 pictures with top_field_first and repeat_first_field, one after the other.

    progressive: as the whole sequence is; there they stand for pictures shown twice or thrice.
    """
    out = bytearray(data)
    count = 0
    at = out.find(_HEADER)
    while at >= 0:
        kind = out[at + 4] >> 4
        if kind == 1 and not progressive:
            out[at + 5] &= ~0x08
        if kind == 8:
            top_first, repeated = marks[count % len(marks)]
            out[at + 7] = out[at + 7] & ~0x82 | top_first << 7 | repeated << 1
            out[at + 8] |= 0x80  # a progressive picture
            count += 1
        at = out.find(_HEADER, at + 4)
    return bytes(out)


def make_telecined(
    path: Path,
    frames: int = 40,
    *,
    marks: Sequence[tuple[int, int]] = PULLDOWN,
    progressive: bool = False,
    b_frames: int = 2,
    picture: str = "testsrc2=s=96x64:r=30000/1001",
) -> Path:
    """A film whose times are those of the fields that are shown."""
    bare = path.with_suffix(".m2v")
    run(
        ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", picture,
         "-frames:v", str(frames + 3), "-c:v", "mpeg2video", "-bf", str(b_frames),
         "-qscale:v", "3", bare]
    )  # fmt: skip
    bare.write_bytes(marked(bare.read_bytes(), marks, progressive=progressive))
    run(
        ["ffmpeg", "-v", "error", "-y", "-fflags", "+genpts", "-f", "mpegvideo", "-i", bare,
         "-c", "copy", "-frames:v", str(frames), path]
    )  # fmt: skip  # without the last ones, whose times FFmpeg does not know
    bare.unlink()
    return path


def repeats(path: Path) -> list[tuple[int, int]]:
    """What each picture says in the order of show: half pictures more, and with which field first.

    The first field is of no meaning where none is shown again.
    """
    frames = ffprobe(
        path, "-select_streams", "v:0", "-show_entries",
        "frame=repeat_pict,top_field_first,interlaced_frame",
    )["frames"]  # fmt: skip
    assert not any(frame["interlaced_frame"] for frame in frames if frame["repeat_pict"])
    return [
        (frame["repeat_pict"], frame["top_field_first"] if frame["repeat_pict"] else 0)
        for frame in frames
    ]


def telecine_warnings(result: streamvsr.ProcessResult) -> list[str]:
    return [warning for warning in result.warnings if "soft telecine" in warning]


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_repeated_fields_are_kept(container: str, b_frames: int, tmp_path: Path) -> None:
    source = make_telecined(tmp_path / "in.ts", b_frames=b_frames)
    target = tmp_path / f"out.{container}"
    result = streamvsr.upscale(source, target, segment_seconds=0.5, **FAST)
    told = repeats(source)
    assert set(told) == {(0, 0), (1, 0), (1, 1)}
    assert repeats(target) == told
    assert not telecine_warnings(result)
    times, theirs = frame_times(target), frame_times(source)
    step = [a - b for a, b in zip(times, theirs, strict=True)]
    assert max(step) - min(step) <= (0.001 if container == "mkv" else 0)
    # A second time, from H.264.
    again = tmp_path / f"again.{container}"
    assert not telecine_warnings(streamvsr.upscale(target, again, **FAST))
    assert repeats(again) == told
    assert frame_times(again) == times


def test_pictures_shown_twice_or_thrice_are_kept(tmp_path: Path) -> None:
    source = make_telecined(
        tmp_path / "in.ts", marks=((0, 1), (1, 1), (0, 0)), progressive=True, b_frames=0
    )
    streamvsr.upscale(source, tmp_path / "out.mp4", **FAST)
    told = repeats(source)
    assert {repeat for repeat, first in told} == {0, 2, 4}
    # H.264 says of these how often, not which field comes first.
    assert [r for r, first in repeats(tmp_path / "out.mp4")] == [r for r, first in told]


def test_what_was_deinterlaced_repeats_nothing(tmp_path: Path) -> None:
    """A broadcast: a film between pictures of two fields."""
    ends = [
        make_interlaced(tmp_path / f"{n}.m2v", "-c:v", "mpeg2video", "-flags", "+ildct+ilme",
                        "-qscale:v", "3", "-s", "96x64", "-r", "30000/1001", frames=12)
        for n in range(2)
    ]  # fmt: skip
    film = tmp_path / "film.m2v"
    run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=96x64:r=30000/1001",
         "-frames:v", "24", "-c:v", "mpeg2video", "-qscale:v", "3", film]
    )  # fmt: skip
    middle = marked(film.read_bytes(), PULLDOWN)
    both = tmp_path / "both.m2v"
    both.write_bytes(ends[0].read_bytes() + middle + ends[1].read_bytes())
    source = tmp_path / "in.ts"
    run(
        ["ffmpeg", "-v", "error", "-fflags", "+genpts", "-f", "mpegvideo", "-i", both,
         "-c", "copy", source]
    )  # fmt: skip
    target = tmp_path / "out.mp4"
    streamvsr.upscale(source, target, **FAST)
    told = repeats(source)
    assert told[:10] == told[-10:] == [(0, 0)] * 10
    assert set(told[10:-10]) == {(0, 0), (1, 0), (1, 1)}
    assert repeats(target) == told


def test_segments_made_smaller_keep_them(tmp_path: Path) -> None:
    """Noise that nobody could foresee: what was encoded must be encoded again."""
    source = make_telecined(
        tmp_path / "in.ts", frames=80,
        picture="testsrc2=s=256x192:r=30000/1001,noise=alls=90:allf=t:enable=gt(n\\,60)",
    )  # fmt: skip
    result = streamvsr.upscale(source, tmp_path / "out.mp4", disk_ratio=1.6, crf=1, **FAST)
    assert result.performance_report["disk_budget"]["reencoded_segments"] > 0
    assert repeats(tmp_path / "out.mp4") == repeats(source)


@pytest.mark.parametrize(
    ("codec", "options", "words"),
    [
        ("hevc", {}, "h264 keeps them"),
        ("h264", {"x264-params": "pic-struct=0"}, "the options of the encoder"),
        ("h264", {"x264-params": "nal-hrd=vbr:vbv-maxrate=900:vbv-bufsize=900"}, "the options"),
    ],
)
def test_where_they_are_lost_a_warning_says_so(
    codec: str, options: dict[str, str], words: str, tmp_path: Path
) -> None:
    source = make_telecined(tmp_path / "in.ts", frames=12)
    target = tmp_path / "out.mp4"
    result = streamvsr.upscale(
        source, target, codec=codec, encoder_options=options, disk_ratio=None, **FAST
    )
    assert [words in warning for warning in telecine_warnings(result)] == [True]
    assert {repeat for repeat, first in repeats(target)} == {0}
    assert len(frame_times(target)) == 12


@pytest.mark.parametrize("kind", ["mpeg2", "h264"])
def test_other_films_are_encoded_as_ever(kind: str, tmp_path: Path) -> None:
    if kind == "h264":
        source = make_clip(tmp_path / "in.mp4", frames=10)
    else:
        source = make_telecined(tmp_path / "in.ts", frames=10, marks=((1, 0),))
    streamvsr.upscale(source, tmp_path / "out.mp4", **FAST)
    said = run(
        ["ffmpeg", "-nostdin", "-i", tmp_path / "out.mp4", "-c", "copy", "-bsf:v", "trace_headers",
         "-f", "null", "-"]
    ).stderr.decode()  # fmt: skip
    present = [line.split()[-1] for line in said.splitlines() if "pic_struct_present_flag" in line]
    assert set(present) == {"0"}


def test_an_interrupted_job_goes_on_with_the_same_bytes(tmp_path: Path) -> None:
    source = make_telecined(tmp_path / "in.ts", frames=100)
    words = ["--model", "nearest", "--encoder-preset", "ultrafast", "--segment-seconds", "1",
             "--max-disk-fraction", "none"]  # fmt: skip
    whole = tmp_path / "whole.mp4"
    assert cli("upscale", source, whole, *words).returncode == 0
    job = tmp_path / "job"
    job.mkdir()
    room = whole.stat().st_size * 6 // 10
    assert cli("upscale", source, job / "out.mp4", *words, room=room).returncode == 1
    assert listing(job).keys() == {"out.mp4.part", "out.mp4.streamvsr.json"}
    assert cli("upscale", source, job / "out.mp4", *words, "--resume", "yes").returncode == 0
    assert (job / "out.mp4").read_bytes() == whole.read_bytes()
    assert repeats(job / "out.mp4") == repeats(source)
