"""What notebooks show: right pictures and figures, escaped, whole, and nothing from outside."""

from __future__ import annotations

import base64
import io
import os
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
import streamvsr
from helpers import make_clip, read_number, run
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from streamvsr.notebook import MOST_PICTURE_BYTES, preview_html, result_html

WORKS: dict[str, Any] = {"model": "nearest", "encoder_preset": "ultrafast"}
_VOID = {"img", "input"}
_EVIL = "<script>alert('1')</script>&\"x"


class _Page(HTMLParser):
    """The elements of some HTML; fails where they are not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(html)
        self.close()
        assert self.open == []
        # Nothing is fetched, and no text became an element.
        for tag, attributes in self.elements:
            assert tag not in ("script", "link", "iframe", "object", "style")
            assert "href" not in attributes
            assert (attributes.get("src") or "data:").startswith("data:")
            assert "url(" not in (attributes.get("style") or "")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data + "\n"

    def every(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def pictures(self) -> dict[str, NDArray[np.uint8]]:
        """The pictures by what they are called, as matplotlib decodes them."""
        found = {}
        for image in self.every("img"):
            data = base64.b64decode((image["src"] or "").split(",", 1)[1], validate=True)
            samples = matplotlib.image.imread(io.BytesIO(data), format="png")
            found[image["alt"] or ""] = np.round(255 * samples).astype(np.uint8)
        return found


def _preview(
    before: NDArray[np.uint8], after: NDArray[np.uint8], **texts: Any
) -> streamvsr.Preview:
    words = {"path": "in.mp4", "time": 0.0, "enhancer": "a network", **texts}
    return streamvsr.Preview(before=before, after=after, **words)


def _noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)


# Containers round times, and sound may begin the file before its first picture.
@pytest.mark.parametrize(
    ("origin", "suffix", "rate", "audio"),
    [
        ("mp4", "mp4", "25", ""),
        ("mp4", "mkv", "24000/1001", "aac"),
        ("mkv", "mp4", "50", "libopus"),
    ],
)
def test_a_result_shows_its_job(
    tmp_path: Path, origin: str, suffix: str, rate: str, audio: str
) -> None:
    source = make_clip(tmp_path / f"in.{origin}", frames=61, rate=rate, audio=audio)
    result = streamvsr.upscale(source, tmp_path / f"out.{suffix}", **WORKS)
    page = _Page(result._repr_html_())
    pictures = page.pictures()
    assert pictures["source"].shape == (48, 64, 3)
    assert pictures["output"].shape == (96, 128, 3)
    # The same frame, one from the middle.
    shown = {name: read_number(picture[..., 1]) for name, picture in pictures.items()}
    assert shown["source"] == shown["output"]
    assert 25 < shown["source"] < 35
    for words in ("61", "64x48 to 128x96", f"out.{suffix}", "h264"):
        assert words in page.words
    assert len(page.every("input")) == 1


def test_a_turned_film_is_shown_as_players_turn_it(tmp_path: Path) -> None:
    turned = tmp_path / "in.mp4"
    source = make_clip(tmp_path / "plain.mp4", frames=20)
    run(["ffmpeg", "-v", "error", "-i", source, "-c", "copy", "-metadata:s:v", "rotate=90", turned])
    for rotation in ("keep", "apply"):
        target = tmp_path / f"{rotation}.mp4"
        result = streamvsr.upscale(turned, target, rotation=rotation, **WORKS)
        pictures = _Page(result._repr_html_()).pictures()
        assert pictures["source"].shape == (64, 48, 3)
        assert pictures["output"].shape == (128, 96, 3)


def _red(folder: Path, size: str, matrix: str) -> Path:
    """Pure red as a matrix makes it, of which the file says nothing."""
    path = folder / "red.mkv"
    run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"color=red:s={size}:r=25,format=gbrp",
         "-vf", f"scale=out_color_matrix={matrix},format=yuv420p,setparams=colorspace=unknown",
         "-frames:v", "6", "-c:v", "libx264", "-qp", "1", path]
    )  # fmt: skip
    return path


@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
def test_colours_are_shown_as_the_job_took_them(tmp_path: Path, matrix: str) -> None:
    source = _red(tmp_path, "64x48", matrix)
    result = streamvsr.upscale(source, tmp_path / "out.mkv", color_matrix=matrix, **WORKS)
    for picture in _Page(result._repr_html_()).pictures().values():
        assert np.abs(picture.astype(int) - [255, 0, 0]).max() <= 6


def test_an_output_that_names_no_colours_is_shown_by_those_of_its_source(tmp_path: Path) -> None:
    # By its size the output alone would be taken for BT.709.
    source = _red(tmp_path, "640x360", "bt601")
    result = streamvsr.upscale(source, tmp_path / "out.mkv", **WORKS)
    for picture in _Page(result._repr_html_()).pictures().values():
        assert np.abs(picture.astype(int) - [255, 0, 0]).max() <= 6


def test_fields_are_shown_as_the_job_read_them(tmp_path: Path) -> None:
    woven = ("-vf", "tinterlace=interleave_top,setfield=tff", "-flags", "+ildct+ilme")
    source = make_clip(tmp_path / "in.mkv", frames=60, codec="mpeg2video", options=woven)
    shown = {}
    for way in ("keep", "deinterlace"):
        result = streamvsr.upscale(source, tmp_path / f"{way}.mkv", interlaced=way, **WORKS)
        shown[way] = _Page(result._repr_html_()).pictures()["source"].astype(int)
    rows = {way: np.abs(np.diff(picture, axis=0)).mean() for way, picture in shown.items()}
    assert rows["keep"] > 1.2 * rows["deinterlace"]


def test_files_that_are_gone_or_changed_are_not_shown(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=10)
    target = tmp_path / "out.mp4"
    result = streamvsr.upscale(source, target, **WORKS)
    assert result_html(result).count("<img") == 2
    with target.open("ab") as file:
        file.write(b"more")
    assert "<img" not in result_html(result)
    os.truncate(target, target.stat().st_size - 4)
    assert result_html(result).count("<img") == 2
    source.unlink()
    page = _Page(result_html(result))
    assert page.pictures() == {}
    assert "10" in page.words
    target.unlink()
    assert _Page(result_html(result)).pictures() == {}


def test_a_failure_says_what_went_wrong(tmp_path: Path) -> None:
    result = streamvsr.StreamingVideoProcessor().process(tmp_path / f"{_EVIL[:8]}.mp4")
    assert not result.success
    page = _Page(result_html(result))
    assert result.error is not None
    assert result.error in page.words
    result.checkpoint_path = "kept.json"
    assert "kept.json" in _Page(result_html(result)).words


def test_texts_stay_texts(tmp_path: Path) -> None:
    folder = tmp_path / "a & <b>"
    folder.mkdir()
    source = make_clip(folder / "<img src=x onerror='y'>.mp4", frames=10)
    target = folder / '"><i>.mp4'
    result = streamvsr.upscale(source, target, **WORKS)
    result.warnings.append(_EVIL)
    page = _Page(result_html(result))
    assert _EVIL in page.words
    assert str(target) in page.words
    assert len(page.every("img")) == 2
    picture = _noise(8, 8)
    page = _Page(preview_html(_preview(picture, picture, path=_EVIL, warnings=[_EVIL])))
    assert page.words.count(_EVIL) == 2
    found = streamvsr.compare(source, source, metrics=["psnr"])
    page = _Page(found._repr_html_())
    assert str(source) in page.words
    assert "PSNR" in page.words
    assert "inf" in page.words


def test_a_preview_shows_both_pictures_as_they_are() -> None:
    before, after = _noise(40, 60), _noise(40, 60)[::-1].copy()
    page = _Page(_preview(before, after)._repr_html_())
    pictures = page.pictures()
    assert np.array_equal(pictures["interpolated"], before)
    assert np.array_equal(pictures["enhanced"], after)
    assert "the middle" not in page.words


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_large_pictures_are_cut_to_the_same_middle(factor: int) -> None:
    before = _noise(901, 1203)
    after = before.repeat(factor, 0).repeat(factor, 1)
    html = preview_html(_preview(before, after))
    assert len(html) < MOST_PICTURE_BYTES + 5000
    page = _Page(html)
    pictures = page.pictures()
    first, second = pictures["interpolated"], pictures["enhanced"]
    assert np.array_equal(first.repeat(factor, 0).repeat(factor, 1), second)
    height, width, _ = second.shape
    assert height * width > 100_000
    assert f"the middle, {width}x{height} of {1203 * factor}x{901 * factor}" in page.words
    top, left = (901 - first.shape[0]) // 2, (1203 - first.shape[1]) // 2
    assert np.array_equal(first, before[top : top + len(first), left : left + first.shape[1]])


_figures = st.lists(st.floats(0, 1e6), min_size=3, max_size=3)


@given(st.lists(_figures, max_size=40), st.floats(0.01, 1e5))
def test_the_course_over_time_lies_in_its_frame(rows: list[list[float]], step: float) -> None:
    result = _finished()
    names = ("frames_per_second", "memory_mb", "frames_mb")
    columns = dict(zip(names, zip(*rows, strict=True), strict=False)) if rows else {}
    result.performance_report["samples"] = {
        "seconds": [step * n for n in range(len(rows))], **columns
    }  # fmt: skip
    page = _Page(result_html(result))
    lines = page.every("polyline")
    shown = [
        name
        for chart in (names[:1], names[1:])
        for name in chart
        if len(rows) > 1 and any(any(columns[other]) for other in chart)
    ]
    for line, name in zip(lines, shown, strict=True):
        points = [tuple(map(float, at.split(","))) for at in (line["points"] or "").split()]
        assert len(points) == len(rows)
        assert all(0 <= x <= 420 and 0 <= y <= 130 for x, y in points)
        assert [x for x, _ in points] == sorted(x for x, _ in points)
        # Higher values lie higher, and y grows downwards.
        ys = [y for _, (_, y) in sorted(zip(columns[name], points, strict=True))]
        assert ys == sorted(ys, reverse=True)


def _finished() -> streamvsr.ProcessResult:
    report = {
        "frames": 10, "resumed_frames": 4, "damaged_frames": 2, "seconds": 1.0,
        "frames_per_second": 6.0, "peak_memory_mb": 100.0, "peak_frames_mb": 10.0,
        "peak_vram_mb": 0.0, "width": 2, "height": 2, "output_width": 4, "output_height": 4,
        "output_bytes": 1000, "enhancer": "nearest", "encoder": "libx264",
    }  # fmt: skip
    return streamvsr.ProcessResult(success=True, performance_report=report)


def test_figures_that_do_not_always_matter_are_told_when_they_do() -> None:
    result = _finished()
    words = _Page(result_html(result)).words
    assert "4 of them by an earlier run" in words
    assert "damage\n2 frames of the source" in words
    assert "on the device" not in words
    result.performance_report["peak_vram_mb"] = 77.0
    assert "77 MB on the device" in _Page(result_html(result)).words
