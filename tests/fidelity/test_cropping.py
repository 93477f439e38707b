"""What a container does not show of its pictures, held against FFmpeg's crop filter."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamvsr
from cropped import crop_matroska, crop_mp4, show_at
from helpers import cli, frame_times, listing, luma, make_clip, streams
from streamvsr import StreamingVideoProcessor

from fidelity.test_shape import LOSSLESS, MPEG2, hashes, make_interlaced, mark_turned, upscale

WIDTH, HEIGHT = 96, 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole")


def whole(folder: Path, container: str, pixel_format: str = "yuv420p") -> Path:
    """A film whose pictures are shown from edge to edge."""
    path = folder / f"{pixel_format}.{container}"
    return (
        path
        if path.exists()
        else make_clip(path, frames=4, width=WIDTH, height=HEIGHT, pixel_format=pixel_format)
    )


def cropped(
    source: Path, target: Path, left: int = 0, top: int = 0, right: int = 0, bottom: int = 0
) -> Path:
    """The same with edges that its container does not show."""
    if source.suffix == ".mkv":
        return crop_matroska(source, target, left=left, top=top, right=right, bottom=bottom)
    size = (WIDTH - left - right, HEIGHT - top - bottom)
    return crop_mp4(source, target, size, (Fraction(left - right, 2), Fraction(top - bottom, 2)))


def filters(left: int, top: int, right: int, bottom: int) -> str:
    """FFmpeg's own way to such pictures; it takes what it is given with exact=1."""
    size = (WIDTH - left - right, HEIGHT - top - bottom)
    return f"crop={size[0]}:{size[1]}:{left}:{top}:exact=1"


@pytest.mark.parametrize("container", ["mkv", "mp4", "mov"])
@pytest.mark.parametrize(
    "edges", [(8, 4, 16, 2), (0, 0, 0, 10), (2, 0, 0, 0), (0, 6, 0, 0), (0, 0, 5, 3)]
)
def test_only_what_is_shown_comes_out(
    folder: Path, tmp_path: Path, container: str, edges: tuple[int, int, int, int]
) -> None:
    plain = whole(folder, container)
    source = cropped(plain, tmp_path / f"in.{container}", *edges)
    target = upscale(source, tmp_path / "out.mkv")
    assert hashes(target) == hashes(plain, filters(*edges))
    assert frame_times(target) == frame_times(plain)
    told = streams(target, "video")[0]
    assert told["width"] == WIDTH - edges[0] - edges[2]
    assert told["height"] == HEIGHT - edges[1] - edges[3]


@pytest.mark.parametrize("container", ["mkv", "mp4"])
@pytest.mark.parametrize(
    ("pixel_format", "shown"),
    [("yuv420p", (2, 4)), ("yuv422p", (2, 5)), ("yuv444p", (3, 5))],
)
def test_no_cell_of_chroma_is_cut(
    folder: Path, tmp_path: Path, container: str, pixel_format: str, shown: tuple[int, int]
) -> None:
    """Three columns and five rows are taken off as far as whole samples of chroma allow it."""
    plain = whole(folder, container, pixel_format)
    source = cropped(plain, tmp_path / f"in.{container}", 3, 5, 0, 0)
    target = upscale(source, tmp_path / "out.mkv")
    assert hashes(target) == hashes(plain, filters(*shown, 0, 0))


def test_a_part_of_a_sample_is_shown_whole(folder: Path, tmp_path: Path) -> None:
    plain = whole(folder, "mp4", "yuv444p")
    # 5.25 columns off the left and 6.25 off the right, 1.5 rows off the top and half a one below.
    size = (Fraction(WIDTH) - Fraction(23, 2), Fraction(HEIGHT) - 2)
    source = crop_mp4(plain, tmp_path / "in.mp4", size, (Fraction(-1, 2), Fraction(1, 2)))
    target = upscale(source, tmp_path / "out.mkv")
    assert hashes(target) == hashes(plain, filters(5, 1, 6, 0))


def test_samples_that_lie_interleaved_are_cropped(tmp_path: Path) -> None:
    plain = make_clip(tmp_path / "plain.mov", frames=2, width=WIDTH, height=HEIGHT,
                      codec="rawvideo", pixel_format="uyvy422")  # fmt: skip
    source = cropped(plain, tmp_path / "in.mov", 6, 4, 2, 2)
    target = upscale(source, tmp_path / "out.mkv")
    assert hashes(target) == hashes(plain, f"format=yuv422p,{filters(6, 4, 2, 2)}")


def test_what_is_deinterlaced_is_cropped_behind_that(tmp_path: Path) -> None:
    plain = make_interlaced(tmp_path / "plain.mkv", *MPEG2)
    source = crop_matroska(plain, tmp_path / "in.mkv", left=8, top=2, right=8, bottom=10)
    target = upscale(source, tmp_path / "out.mkv")
    shown = "crop=80:68:8:2:exact=1"
    assert hashes(target) == hashes(plain, f"bwdif=mode=send_frame:deint=interlaced,{shown}")


def test_what_is_turned_was_cropped_before(folder: Path, tmp_path: Path) -> None:
    turned = mark_turned(whole(folder, "mp4", "yuv444p"), tmp_path / "turned.mp4", 90)
    source = cropped(turned, tmp_path / "in.mp4", 10, 0, 3, 7)
    target = upscale(source, tmp_path / "out.mkv", rotation="apply")
    assert hashes(target) == hashes(turned, f"{filters(10, 0, 3, 7)},transpose=clock")


# --- shape ----------------------------------------------------------------------------------------


def aspect(path: Path) -> Fraction:
    told = streams(path, "video")[0].get("sample_aspect_ratio", "1:1")
    return Fraction(*map(int, told.split(":")))


@pytest.mark.parametrize(
    ("display", "unit", "expected"),
    [
        (None, None, Fraction(1)),
        ((160, 50), None, Fraction(160, 80) / Fraction(50, 50)),  # of the 80x50 that are shown
        ((16, 9), 3, Fraction(16, 9) / Fraction(80, 50)),
    ],
)
def test_matroskas_size_on_the_screen_is_that_of_what_is_shown(
    folder: Path,
    tmp_path: Path,
    display: tuple[int, int] | None,
    unit: int | None,
    expected: Fraction,
) -> None:
    plain = whole(folder, "mkv")
    source = crop_matroska(
        plain, tmp_path / "in.mkv", display=display, unit=unit, left=8, right=8, bottom=14
    )
    result = streamvsr.upscale(source, tmp_path / "out.mp4", model="nearest", scale=1)
    assert result.success
    assert aspect(tmp_path / "out.mp4") == expected


@pytest.mark.parametrize("without_shape", [False, True])
def test_mp4s_size_on_the_screen_is_that_of_what_is_shown(
    folder: Path, tmp_path: Path, without_shape: bool
) -> None:
    """Without a word on the shape of samples FFmpeg has it of that size and the whole picture's."""
    plain = make_clip(folder / "shaped.mp4", frames=2, width=WIDTH, height=HEIGHT,
                      options=("-vf", "setsar=4/3"))  # fmt: skip
    source = crop_mp4(plain, tmp_path / "in.mp4", (80, 48), without_shape=without_shape)
    show_at(source, 120, 48)
    result = streamvsr.upscale(source, tmp_path / "out.mp4", model="nearest", scale=1)
    assert result.success
    assert aspect(tmp_path / "out.mp4") == (Fraction(3, 2) if without_shape else Fraction(4, 3))


def test_sizes_asked_for_are_those_of_what_is_shown(folder: Path, tmp_path: Path) -> None:
    source = cropped(whole(folder, "mkv"), tmp_path / "in.mkv", 8, 0, 8, 14)
    target = upscale(source, tmp_path / "out.mkv", scale=2, width=240)
    told = streams(target, "video")[0]
    assert (told["width"], told["height"]) == (240, 150)
    target = upscale(source, tmp_path / "both.mkv", scale=2, width=160, height=200)
    assert aspect(target) == 2


# --- what else must agree -------------------------------------------------------------------------


def test_a_preview_shows_what_a_run_makes(tmp_path: Path) -> None:
    plain = make_clip(
        tmp_path / "plain.mkv", frames=250, width=WIDTH, height=HEIGHT, options=("-g", "25")
    )
    source = cropped(plain, tmp_path / "in.mkv", 8, 6, 4, 2)
    options: dict[str, Any] = {"model": "nearest", "scale": 1}
    made = luma(upscale(source, tmp_path / "out.mkv"))
    for number in (0, 200):  # near the beginning, and behind a seek
        shown = streamvsr.preview(source, number / 25, **options)
        assert shown.after.shape == (56, 84, 3)
        whole_picture = streamvsr.preview(plain, number / 25, **options).after
        # Chroma's samples at the edges are not interpolated with those beyond them.
        inner = np.abs(
            shown.after[8:-8, 8:-8].astype(int) - whole_picture[6 + 8 : 62 - 8, 8 + 8 : 92 - 8]
        )
        assert inner.max() <= 1
        assert made[number].shape == (56, 84)


def test_an_interrupted_job_goes_on_with_the_same_bytes(tmp_path: Path) -> None:
    plain = make_clip(tmp_path / "plain.mkv", frames=100, width=WIDTH, height=HEIGHT)
    source = cropped(plain, tmp_path / "in.mkv", 8, 6, 4, 2)
    words = ["--model", "nearest", "--encoder-preset", "ultrafast", "--segment-seconds", "1",
             "--max-disk-fraction", "none"]  # fmt: skip
    whole_run = tmp_path / "whole.mkv"
    assert cli("upscale", source, whole_run, *words).returncode == 0
    job = tmp_path / "job"
    job.mkdir()
    size = whole_run.stat().st_size
    assert cli("upscale", source, job / "out.mkv", *words, room=size * 6 // 10).returncode == 1
    assert listing(job).keys() == {"out.mkv.part", "out.mkv.streamvsr.json"}
    assert cli("upscale", source, job / "out.mkv", *words, "--resume", "yes").returncode == 0
    assert (job / "out.mkv").read_bytes() == whole_run.read_bytes()


# --- nonsense -------------------------------------------------------------------------------------


def warned(source: Path, target: Path) -> list[str]:
    """What a run says of cropping."""
    result = StreamingVideoProcessor(LOSSLESS).process(source, target, None, None)
    assert result.success, result.error
    return [warning for warning in result.warnings if "cropping" in warning]


@pytest.mark.parametrize(
    "edges", [(90, 0, 6, 0), (0, 64, 0, 0), (0, 0, 1 << 31, 0), ((1 << 64) - 1, 0, 2, 0)]
)
def test_a_part_that_is_empty_is_told_and_not_taken(
    folder: Path, tmp_path: Path, edges: tuple[int, int, int, int]
) -> None:
    plain = whole(folder, "mkv")
    source = cropped(plain, tmp_path / "in.mkv", *edges)
    assert warned(source, tmp_path / "out.mkv")
    assert hashes(tmp_path / "out.mkv") == hashes(plain)


@pytest.mark.parametrize(
    ("size", "offset"),
    [
        ((WIDTH + 2, HEIGHT), (0, 0)),
        ((WIDTH - 4, HEIGHT), (3, 0)),
        ((0, HEIGHT), (0, 0)),
        ((WIDTH, -HEIGHT), (0, 0)),
    ],
)
def test_an_aperture_beyond_the_picture_is_told_and_not_taken(
    folder: Path, tmp_path: Path, size: tuple[int, int], offset: tuple[int, int]
) -> None:
    plain = whole(folder, "mp4")
    source = crop_mp4(plain, tmp_path / "in.mp4", size, offset)
    assert warned(source, tmp_path / "out.mkv")
    assert hashes(tmp_path / "out.mkv") == hashes(plain)


@pytest.mark.parametrize("container", ["mkv", "mp4"])
def test_whole_pictures_are_shown_without_a_word(
    folder: Path, tmp_path: Path, container: str
) -> None:
    plain = whole(folder, container)
    source = cropped(plain, tmp_path / f"in.{container}")
    assert not warned(source, tmp_path / "out.mkv")
    assert hashes(tmp_path / "out.mkv") == hashes(plain)
