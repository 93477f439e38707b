"""Bad input, bad output, bad options: one clear error before any work, and nothing left behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import cli, listing, make_clip, run
from streamvsr import StreamingVideoProcessor, errors

FAST = {"model": "nearest", "encoder_preset": "ultrafast"}
ProcessError = errors.StreamvsrError


def _missing(path: Path, clip: Path) -> None:
    pass


def _directory(path: Path, clip: Path) -> None:
    path.mkdir()


def _pipe(path: Path, clip: Path) -> None:
    os.mkfifo(path)


def _empty(path: Path, clip: Path) -> None:
    path.touch()


def _header_only(path: Path, clip: Path) -> None:
    path.write_bytes(clip.read_bytes()[:48])


def _index_cut_off(path: Path, clip: Path) -> None:
    data = clip.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _text(path: Path, clip: Path) -> None:
    path.write_text("This is no video.\n" * 100)


def _audio_only(path: Path, clip: Path) -> None:
    run(["ffmpeg", "-v", "error", "-i", clip, "-vn", "-c", "copy", path])


def _unknown_codec(path: Path, clip: Path) -> None:
    data = clip.read_bytes()
    assert b"avc1" in data[len(data) // 2 :]
    path.write_bytes(data.replace(b"avc1", b"zzzz"))


def _encrypted(path: Path, clip: Path) -> None:
    run(
        ["ffmpeg", "-v", "error", "-i", clip, "-c", "copy",
         "-encryption_scheme", "cenc-aes-ctr",
         "-encryption_key", "76a6c65c5ea762046bd749a2e632ccbb",
         "-encryption_kid", "a7e61c373e219033c21091fa607bf3b8", path]
    )  # fmt: skip


INPUTS: list[tuple[Callable[[Path, Path], None], type[ProcessError], str]] = [
    (_missing, errors.InputNotFoundError, ""),
    (_directory, errors.InputError, "director|folder"),
    (_pipe, errors.InputError, "pipe|regular file"),
    (_empty, errors.InputError, "empty"),
    (_header_only, errors.InputError, ""),
    (_index_cut_off, errors.InputError, ""),
    (_text, errors.InputError, ""),
    (_audio_only, errors.InputError, "video"),
    (_unknown_codec, errors.InputError, "codec|decoder"),
    (_encrypted, errors.InputError, "encrypt"),
]


@pytest.mark.parametrize(("make", "kind", "words"), INPUTS, ids=[i[0].__name__ for i in INPUTS])
def test_a_bad_input(
    tmp_path: Path,
    small_clip: Path,
    make: Callable[[Path, Path], None],
    kind: type[ProcessError],
    words: str,
) -> None:
    source = tmp_path / "input.mp4"
    make(source, small_clip)
    before = sorted(tmp_path.iterdir())
    result = StreamingVideoProcessor(FAST).process(source, tmp_path / "output.mp4")
    assert not result.success
    assert isinstance(result.exception, kind), repr(result.exception)
    assert result.error == result.error_message == str(result.exception)
    assert "input.mp4" in str(result.error)
    assert "\n" not in str(result.error)
    with pytest.raises(kind, match=f"(?i){words}"):
        result.raise_for_error()
    assert sorted(tmp_path.iterdir()) == before
    _check_cli(source, tmp_path / "output.mp4", code=2)
    assert sorted(tmp_path.iterdir()) == before


def _check_cli(source: Path, target: Path, *options: str, code: int) -> str:
    """The same on the command line: the exit code and one line of explanation, no traceback."""
    done = cli("upscale", source, target, "--model", "nearest", *options, timeout=60)
    assert done.returncode == code, done
    lines = [line for line in done.stderr.splitlines() if line.startswith("streamvsr: ")]
    assert "Traceback" not in done.stderr
    assert len(lines) == 1, done.stderr
    assert done.stdout == ""
    if code == 2:
        assert done.stderr.splitlines() == lines
    return lines[0]


def _fails(
    source: Path, target: Path, kind: type[ProcessError], options: dict[str, Any] | None = None
) -> str:
    result = StreamingVideoProcessor({**FAST, **(options or {})}).process(source, target)
    assert not result.success
    assert isinstance(result.exception, kind), repr(result.exception)
    assert "\n" not in str(result.error)
    return str(result.error)


@pytest.mark.parametrize("link", ["same", "dotted", "symbolic", "hard"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_the_output_is_the_input(
    tmp_path: Path, small_clip: Path, link: str, overwrite: bool
) -> None:
    source = tmp_path / "clip.mp4"
    source.write_bytes(small_clip.read_bytes())
    target = tmp_path / "link.mp4"
    if link == "same":
        target = source
    elif link == "dotted":
        (tmp_path / "sub").mkdir()
        target = tmp_path / "sub" / ".." / "clip.mp4"
    elif link == "symbolic":
        target.symlink_to(source)
    else:
        target.hardlink_to(source)
    before = listing(tmp_path)
    _fails(source, target, ProcessError, {"overwrite": overwrite})
    assert listing(tmp_path) == before
    _check_cli(source, target, *(["--overwrite"] if overwrite else []), code=2)
    assert listing(tmp_path) == before


def test_the_output_exists(tmp_path: Path, small_clip: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_text("precious")
    error = _fails(small_clip, target, errors.OutputExistsError)
    assert "overwrite" in error
    assert listing(tmp_path).keys() == {"out.mp4"}
    assert target.read_text() == "precious"
    _check_cli(small_clip, target, code=2)
    assert target.read_text() == "precious"


def test_the_output_is_replaced_on_demand(tmp_path: Path, small_clip: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_text("not so precious")
    result = StreamingVideoProcessor({**FAST, "overwrite": True}).process(small_clip, target)
    assert result.success, result.error
    assert listing(tmp_path).keys() == {"out.mp4"}
    assert target.stat().st_size > 1000


def test_the_output_appears_meanwhile(tmp_path: Path, small_clip: Path) -> None:
    target = tmp_path / "out.mp4"

    def meddle(progress: object) -> None:
        target.write_text("precious")

    processor = StreamingVideoProcessor(FAST)
    long_clip = make_clip(tmp_path / "in.mp4", frames=400, width=320, height=240)
    result = processor.process(long_clip, target, progress=meddle)
    assert isinstance(result.exception, errors.OutputExistsError), repr(result.exception)
    assert target.read_text() == "precious"
    # The work is kept: with the file out of the way only the name is missing.
    target.unlink()
    again = processor.process(long_clip, target)
    assert again.success, again.error
    assert again.performance_report["resumed_frames"] == again.frames_processed == 400
    assert listing(tmp_path).keys() == {"in.mp4", "out.mp4"}


def test_the_output_folder_is_missing(tmp_path: Path, small_clip: Path) -> None:
    target = tmp_path / "nowhere" / "out.mp4"
    assert "nowhere" in _fails(small_clip, target, ProcessError)
    _check_cli(small_clip, target, code=2)
    assert listing(tmp_path) == {}


def test_the_output_folder_is_a_file(tmp_path: Path, small_clip: Path) -> None:
    (tmp_path / "file").touch()
    _fails(small_clip, tmp_path / "file" / "out.mp4", ProcessError)
    assert listing(tmp_path).keys() == {"file"}


def test_the_output_is_a_folder(tmp_path: Path, small_clip: Path) -> None:
    target = tmp_path / "out.mp4"
    target.mkdir()
    for overwrite in (False, True):
        _fails(small_clip, target, ProcessError, {"overwrite": overwrite})
    assert listing(tmp_path) == {"out.mp4": "other"}


def test_the_output_folder_cannot_be_written(tmp_path: Path, small_clip: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    # Permissions do not stop root; nobody can create a file in /proc.
    target = (Path("/proc") if os.geteuid() == 0 else folder) / "out.mp4"
    result = StreamingVideoProcessor(FAST).process(small_clip, target)
    assert isinstance(result.exception, errors.OutputError), repr(result.exception)
    assert isinstance(result.exception, OSError)
    assert result.exception.errno
    assert listing(tmp_path) == {"locked": "other"}


@pytest.mark.parametrize("name", ["out.webm", "out", "out.mp5"])
def test_the_outputs_suffix_is_unknown(tmp_path: Path, small_clip: Path, name: str) -> None:
    error = _fails(small_clip, tmp_path / name, errors.ConfigError)
    assert all(word in error for word in ("mp4", "mov", "mkv"))
    assert listing(tmp_path) == {}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pixel_format": "yuv420q"}, "yuv420q"),
        ({"pixel_format": "monow"}, "monow"),
        ({"encoder_options": {"tunee": "film"}}, "tunee"),
        ({"codec": "ffv1", "disk_ratio": None}, "mkv"),
    ],
)
def test_the_encoder_refuses(
    tmp_path: Path, small_clip: Path, options: dict[str, Any], words: str
) -> None:
    if options.get("codec") == "ffv1":
        config = {"model": "nearest", **options}
    else:
        config = {**FAST, **options}
    result = StreamingVideoProcessor(config).process(small_clip, tmp_path / "out.mp4")
    assert isinstance(result.exception, errors.ConfigError), repr(result.exception)
    assert words in str(result.error)
    assert listing(tmp_path) == {}


@pytest.mark.parametrize(
    ("width", "height", "scale", "codec"),
    [(4200, 16, 4, "h264"), (16, 4200, 4, "h264"), (8, 8, 1, "hevc")],
)
def test_the_size_is_outside_the_encoders_limits(
    tmp_path: Path, width: int, height: int, scale: int, codec: str
) -> None:
    source = run_clip(tmp_path / "in.mkv", width, height)
    before = listing(tmp_path)
    options = {"scale": scale, "codec": codec}
    error = _fails(source, tmp_path / "out.mkv", errors.ConfigError, options)
    assert f"{width * scale}x{height * scale}" in error
    assert listing(tmp_path) == before


def run_clip(path: Path, width: int, height: int) -> Path:
    """Three grey frames of any size."""
    run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"color=gray:s={width}x{height}:r=25",
         "-frames:v", "3", "-c:v", "ffv1", "-pix_fmt", "yuv420p", path]
    )  # fmt: skip
    return path


@pytest.mark.parametrize("codec", ["h264", "hevc", "ffv1"])
def test_odd_sizes_work(tmp_path: Path, codec: str) -> None:
    config: dict[str, Any] = {"model": "nearest", "codec": codec}
    if codec == "ffv1":
        config["disk_ratio"] = None
    clip = make_clip(tmp_path / "in.mkv", frames=10, width=67, height=49, codec="ffv1")
    result = StreamingVideoProcessor(config).process(clip, tmp_path / "out.mkv")
    assert result.success, result.error
    assert result.performance_report["output_width"] == 134
    assert result.performance_report["output_height"] == 98


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("preset", "theater_big", "theater_"), ("quality", "hi", "high")],
)
def test_an_unknown_preset_or_quality(
    tmp_path: Path, small_clip: Path, name: str, value: str, words: str
) -> None:
    names: dict[str, Any] = {name: value}
    result = StreamingVideoProcessor(FAST).process(small_clip, tmp_path / "out.mp4", **names)
    assert isinstance(result.exception, errors.ConfigError)
    assert words in str(result.error)
    assert listing(tmp_path) == {}


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"model": "defualt_x2"}, errors.ConfigError, "did you mean 'default_x2'"),
        ({"model": "missing.safetensors"}, errors.StreamvsrError, "missing.safetensors"),
        ({"scale": 3}, errors.ConfigError, "scale 3"),
        ({"codec": "h265"}, errors.ConfigError, "did you mean 'hevc'"),
        ({"overwritte": True}, errors.ConfigError, "did you mean 'overwrite'"),
    ],
)
def test_a_configuration_error_raises_at_construction(
    options: dict[str, Any], kind: type[ProcessError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        StreamingVideoProcessor(options)


@pytest.mark.parametrize(
    "content", [b"", b"not a network", b"\x10" + bytes(7) + b'{"a": "b"}      ']
)
def test_a_network_file_that_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.safetensors"
    path.write_bytes(content)
    with pytest.raises(errors.ModelError, match=r"net\.safetensors"):
        StreamingVideoProcessor({"model": path})


def test_av1_does_not_go_into_mov(tmp_path: Path, small_clip: Path) -> None:
    result = StreamingVideoProcessor({**FAST, "codec": "av1"}).process(
        small_clip, tmp_path / "out.mov"
    )
    assert isinstance(result.exception, errors.ConfigError), repr(result.exception)
    assert "mov cannot hold av1" in str(result.error)
    assert listing(tmp_path) == {}
