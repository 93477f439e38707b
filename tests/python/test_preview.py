"""preview(): the run's picture at the right time, in the right colours, in a PNG file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamvsr
from helpers import cli, frame_times, listing, luma, make_clip, read_number, run
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from streamvsr import _core, errors
from streamvsr.api import job_config
from streamvsr.pictures import png

NEAREST: dict[str, Any] = {"model": "nearest"}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds with a key frame each, B frames, and a strength that changes."""
    return make_clip(
        tmp_path_factory.mktemp("preview") / "film.mp4", frames=250, audio="aac",
        options=("-crf", "30", "-g", "25", "-bf", "3"),
    )  # fmt: skip


def _core_picture(path: Path, at: float, **options: object) -> _core.PreviewPicture:
    config = streamvsr.StreamingConfig.from_dict(options)
    return _core.preview_picture(job_config(config, str(path), ""), at)


def _rgb(path: Path, *options: str) -> NDArray[np.uint8]:
    """A picture file's pixels, or a video's first frame's, as ffmpeg decodes them."""
    size = run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries",
                "stream=width,height", "-of", "csv=p=0", path]).stdout.split(b",")  # fmt: skip
    data = run(
        ["ffmpeg", "-v", "error", "-noautorotate", "-i", path, "-frames:v", "1", *options,
         "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    ).stdout  # fmt: skip
    return np.frombuffer(data, np.uint8).reshape(int(size[1]), int(size[0]), 3)


# --- the picture ----------------------------------------------------------------------------------


def test_the_picture_is_the_runs(tmp_path: Path, film: Path) -> None:
    target = tmp_path / "out.mkv"
    streamvsr.upscale(film, target, codec="ffv1", disk_ratio=None)
    enhanced = luma(target)
    # Behind a seek and near the beginning; at the first frame, the last, and around key frames.
    for number in (0, 1, 60, 124, 125, 126, 173, 249):
        picture = _core_picture(film, number / 25)
        assert picture.time == pytest.approx(number / 25)
        assert np.array_equal(picture.enhanced[0], enhanced[number])
    chroma = run(
        ["ffmpeg", "-v", "error", "-i", target, "-vf", "select=eq(n\\,173),extractplanes=u",
         "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    ).stdout  # fmt: skip
    assert _core_picture(film, 173 / 25).enhanced[1].tobytes() == chroma


def test_the_time_is_the_frames_interval(tmp_path: Path, film: Path) -> None:
    vfr = make_clip(tmp_path / "vfr.mkv", frames=200, select="mod(n*n,7)-2", options=("-g", "20"))
    late = tmp_path / "late.ts"  # starts at 1.4 s and more
    run(["ffmpeg", "-v", "error", "-i", film, "-c", "copy", late])
    for path in (film, vfr, late):
        times = frame_times(path)
        begin = float(streamvsr.probe(path).start_time)
        for index in (0, 3, 40, 100, len(times) - 2):
            first, following = (float(time) - begin for time in times[index : index + 2])
            for at in (first, (first + following) / 2, following - 0.002):
                picture = _core_picture(path, max(0.0, at), **NEAREST)
                assert picture.time == pytest.approx(first, abs=1e-3)
                expected = index if path != vfr else _numbers_of(vfr)[index]
                assert read_number(np.asarray(picture.source[0])) == expected


def _numbers_of(path: Path) -> list[int]:
    return [read_number(picture) for picture in luma(path)]


def test_before_the_video_the_first_picture_is_shown(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "plain.mkv", frames=20, audio="aac")
    late = tmp_path / "late.mkv"
    run(["ffmpeg", "-v", "error", "-i", clip, "-itsoffset", "1", "-i", clip, "-map", "0:a",
         "-map", "1:v", "-c", "copy", late])  # fmt: skip
    picture = _core_picture(late, 0.2, **NEAREST)
    assert picture.time == pytest.approx(1, abs=0.05)
    assert read_number(np.asarray(picture.source[0])) == 0


def test_behind_the_end_is_an_error(film: Path) -> None:
    assert streamvsr.preview(film, 9.999, **NEAREST).time == pytest.approx(9.96)
    for at in (10, 10.5, 5000.0):
        with pytest.raises(errors.ConfigError, match=r"at \d+\.\d+ s: its video ends at 10.000 s"):
            streamvsr.preview(film, at, **NEAREST)
    for at in (-1.0, float("nan"), float("inf"), True):
        with pytest.raises(errors.ConfigError, match="seconds, 0 or more"):
            streamvsr.preview(film, at, **NEAREST)


# --- what is shown --------------------------------------------------------------------------------


def test_before_and_after_have_the_outputs_size(film: Path) -> None:
    found = streamvsr.preview(film, 2.0, scale=3, model="nearest")
    assert found.before.shape == found.after.shape == (144, 192, 3)
    assert found.before.dtype == found.after.dtype == np.uint8
    assert "nearest" in found.enhancer
    # Without colour in the picture's middle, nearest repeats each pixel.
    core = _core_picture(film, 2.0, scale=3, **NEAREST)
    assert np.array_equal(core.enhanced[0], np.kron(core.source[0], np.ones((3, 3), np.uint8)))
    side = found.side_by_side()
    assert np.array_equal(side[:, :192], found.before)
    assert np.array_equal(side[:, 192:], found.after)
    part = found.side_by_side((10, 20, 30, 40))
    assert np.array_equal(part[:, 30:], found.after[20:60, 10:40])


@pytest.mark.parametrize(
    ("tags", "size", "matrix"),
    [
        (("-colorspace", "bt709"), (64, 48), "bt709"),
        (("-colorspace", "smpte170m"), (64, 48), "bt601"),
        (("-colorspace", "bt2020nc"), (64, 48), "bt2020"),
        ((), (64, 48), "bt601"),
        ((), (1040, 48), "bt709"),
        (("-pix_fmt", "yuvj420p"), (64, 48), "bt601"),
        (("-pix_fmt", "yuv422p10le", "-colorspace", "bt709"), (64, 48), "bt709"),
    ],
)
def test_colours_are_those_of_the_tags(
    tmp_path: Path, tags: tuple[str, ...], size: tuple[int, int], matrix: str
) -> None:
    width, height = size
    path = tmp_path / "in.mkv"
    # One colour, so that no interpolation shows; bright on dark, so that luma does.
    run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i",
         f"color=0x3060c0:s={width}x{height}:r=10:d=1", "-vf",
         "drawgrid=w=16:h=16:t=4:c=0x3060c0,format=yuv420p", "-c:v", "libx264", "-qp", "0", *tags,
         path]
    )  # fmt: skip
    span = "full" if "yuvj420p" in tags else "limited"
    expected = _rgb(
        path, "-vf", f"scale=in_color_matrix={matrix}:in_range={span}:out_range=full:"
        "flags=accurate_rnd+full_chroma_int"
    )  # fmt: skip
    found = streamvsr.preview(path, 0.5, scale=1, model="nearest")
    for picture in (found.before, found.after):
        assert np.abs(picture.astype(int) - expected).max() <= 2
    assert np.abs(found.after.astype(int) - [0x30, 0x60, 0xC0]).max() < 60


def test_a_matrix_that_is_not_known_is_named(tmp_path: Path, film: Path) -> None:
    path = tmp_path / "in.mp4"
    run(["ffmpeg", "-v", "error", "-i", film, "-frames:v", "5", "-an", "-c:v", "libx264",
         "-colorspace", "ictcp", path])  # fmt: skip
    found = streamvsr.preview(path, 0, **NEAREST)
    assert found.warnings == ["the video's colour matrix is not known here: shown as BT.601"]
    assert np.array_equal(
        streamvsr.preview(path, 0, color_matrix="bt601", **NEAREST).after, found.after
    )


def test_gray_video_is_shown_gray(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mkv", frames=5, codec="ffv1", pixel_format="gray")
    found = streamvsr.preview(path, 0, **NEAREST).after
    assert np.array_equal(found[..., 0], found[..., 1])
    assert np.array_equal(found[..., 0], found[..., 2])
    assert streamvsr.probe(path).streams[0].color_range == "pc"
    assert np.array_equal(found[..., 0], _core_picture(path, 0, **NEAREST).enhanced[0])


def test_a_turned_video_is_shown_turned(tmp_path: Path) -> None:
    plain = make_clip(tmp_path / "plain.mp4", frames=10)
    turned = tmp_path / "turned.mp4"
    run(["ffmpeg", "-v", "error", "-i", plain, "-c", "copy", "-metadata:s:v", "rotate=90", turned])
    upright = streamvsr.preview(plain, 0, **NEAREST).after
    shown = streamvsr.preview(turned, 0, **NEAREST).after
    assert streamvsr.probe(turned).streams[0].rotation == 90
    assert np.array_equal(shown, np.rot90(upright))
    theirs = run(["ffmpeg", "-v", "error", "-i", turned, "-frames:v", "1", "-vf", "scale=96:128",
                  "-f", "rawvideo", "-pix_fmt", "gray", "-"]).stdout  # fmt: skip
    as_players = np.frombuffer(theirs, np.uint8).reshape(128, 96).astype(float)
    assert np.corrcoef(shown.mean(axis=2).ravel(), as_players.ravel())[0, 1] > 0.9
    # Turned before the network, not after it.
    applied = _core_picture(turned, 0, rotation="apply", **NEAREST)
    assert (applied.rotation, applied.enhanced[0].shape) == (0, (128, 96))
    assert streamvsr.preview(turned, 0, rotation="apply", **NEAREST).after.shape == shown.shape


@pytest.mark.parametrize("way", ["deinterlace", "keep"])
def test_fields_are_treated_as_in_a_run(tmp_path: Path, way: str) -> None:
    clip = make_clip(
        tmp_path / "in.mkv", frames=150,
        options=("-flags", "+ilme+ildct", "-x264opts", "tff=1", "-g", "25"),
    )  # fmt: skip
    options: dict[str, Any] = {"interlaced": way, **NEAREST}
    target = tmp_path / "out.mkv"
    streamvsr.upscale(clip, target, codec="ffv1", disk_ratio=None, **options)
    enhanced = luma(target)
    for number in (0, 30, 130, 149):
        assert np.array_equal(
            _core_picture(clip, number / 25, **options).enhanced[0], enhanced[number]
        )
    assert "interlaced" in streamvsr.preview(clip, 1, **options).warnings[0]


def test_hdr_is_named(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "in.mkv", frames=5, codec="libx265", pixel_format="yuv420p10le",
        options=("-x265-params", "log-level=none:transfer=smpte2084:colormatrix=bt2020nc"),
    )  # fmt: skip
    found = streamvsr.preview(clip, 0, **NEAREST)
    assert found.warnings == ["the video is HDR (PQ): shown without tone mapping"]


# --- files and the command ------------------------------------------------------------------------


@settings(max_examples=25)
@given(picture=arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_a_png_file_holds_the_picture(
    tmp_path_factory: pytest.TempPathFactory, picture: NDArray[np.uint8]
) -> None:
    data = png(picture)
    done = run(["ffmpeg", "-v", "error", "-f", "png_pipe", "-i", "-", "-f", "rawvideo",
                "-pix_fmt", "rgb24", "-"], stdin=data)  # fmt: skip
    assert done.stdout == picture.tobytes()


def test_the_command_writes_the_picture(tmp_path: Path, film: Path) -> None:
    source = tmp_path / "film.mp4"
    source.write_bytes(film.read_bytes())
    done = cli("preview", source, "--at", "0:05.02", "--model", "nearest")
    target = tmp_path / "film_before_after.png"
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(rf"{target}: the picture at 5\.000 s, 128x96; nearest.*\n", done.stdout)
    found = streamvsr.preview(film, 5.02, **NEAREST)
    assert np.array_equal(_rgb(target), found.side_by_side())

    kept = target.read_bytes()
    again = cli("preview", source, "--at", "1", "--model", "nearest")
    assert (again.returncode, again.stdout) == (2, "")
    assert "exists already" in again.stderr
    assert target.read_bytes() == kept
    more = cli("preview", source, "--at", "1", "--model", "nearest", "-y", "-q",
               "--crop", "10,20,30,40")  # fmt: skip
    assert (more.returncode, more.stdout, more.stderr) == (0, "", "")
    part = streamvsr.preview(film, 1, **NEAREST).side_by_side((10, 20, 30, 40))
    assert np.array_equal(_rgb(target), part)
    assert listing(tmp_path).keys() == {"film.mp4", "film_before_after.png"}


def test_the_command_takes_options_from_everywhere(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, settings_file = tmp_path / "out.png", tmp_path / "settings.json"
    settings_file.write_text('{"scale": 3, "model": "default_x2", "codec": "hevc"}')
    monkeypatch.setenv("STREAMVSR_MODEL", "nearest")
    done = cli("preview", film, "--at", "1", "-o", target, "--config", settings_file)
    assert (done.returncode, done.stderr) == (0, "")
    assert "192x144; nearest" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--at", "11"], "its video ends at 10.000 s"),
        (["--at", "soon"], "H:MM:SS"),
        (["--at", "1:2:3:4"], "H:MM:SS"),
        (["--at", "1", "--crop", "0,0,500,10"], "which is 128x96"),
        (["--at", "1", "--crop", "0,0,10,0"], "which is 128x96"),
        (["--at", "1", "--crop", "1,2,3"], "X,Y,W,H"),
        (["--at", "1", "-o", "out.jpg"], "must end with .png"),
        (["--at", "1", "-o", "nowhere/out.png"], "does not exist"),
        (["--at", "1", "--model", "x3"], "unknown model"),
        (["--at", "1", "--scale", "5"], "scale"),
        ([], "--at"),
    ],
)
def test_the_command_refuses(tmp_path: Path, film: Path, arguments: list[str], words: str) -> None:
    if "-o" not in arguments:
        arguments = [*arguments, "-o", "out.png"]
    if "--model" not in arguments:
        arguments = [*arguments, "--model", "nearest"]
    done = cli("preview", film, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert listing(tmp_path) == {}


def test_other_options_and_inputs_are_refused(tmp_path: Path, film: Path) -> None:
    with pytest.raises(errors.ConfigError, match="unknown option 'codec'"):
        streamvsr.preview(film, 1, codec="hevc")
    with pytest.raises(errors.InputNotFoundError, match="does not exist"):
        streamvsr.preview(tmp_path / "missing.mp4", 1)
    sound = tmp_path / "sound.m4a"
    run(["ffmpeg", "-v", "error", "-i", film, "-vn", "-c", "copy", sound])
    with pytest.raises(errors.InputError, match="no video stream"):
        streamvsr.preview(sound, 1)
