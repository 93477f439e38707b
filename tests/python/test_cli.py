"""The command line, run as a program of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import streamvsr
from helpers import cli, listing, numbers

FAST = ["--model", "nearest", "--encoder-preset", "ultrafast"]


def test_help_can_be_read() -> None:
    done = cli("--help")
    assert done.returncode == 0
    for word in (
        "upscale",
        "status",
        "clean",
        "probe",
        "models",
        "preview",
        "compare",
        "examples:",
        "exit codes:",
        "130",
    ):
        assert word in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_help_of_upscale_names_every_option() -> None:
    done = cli("upscale", "--help")
    assert done.returncode == 0
    for name in streamvsr.StreamingConfig().to_dict():
        if name == "model_id":  # of functions, which no command line can name
            continue
        option = {"encoder_options": "encoder_option"}.get(name, name).replace("_", "-")
        assert f"--{option}" in done.stdout
    for group in ("enhancement:", "video of the output:", "machine:"):
        assert group in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["upscale"],
        ["enlarge", "in.mp4"],
        ["upscale", "in.mp4", "out.mp4", "--crf", "good"],
        ["upscale", "in.mp4", "out.mp4", "--encoder-option", "tune"],
        ["status"],
        ["clean"],
    ],
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    done = cli(*arguments)
    assert done.returncode == 2
    assert "usage:" in done.stderr
    assert done.stdout == ""


def test_an_option_that_cannot_work_is_2(tmp_path: Path, small_clip: Path) -> None:
    for options in (["--codec", "h265"], ["--crf", "99"], ["--scale", "5"], ["--model", "x2"],
                    ["--resume", "true"]):  # fmt: skip
        done = cli("upscale", small_clip, tmp_path / "out.mp4", *options)
        assert done.returncode == 2, done
        assert done.stderr.startswith("streamvsr: ")
        assert len(done.stderr.splitlines()) == 1
    assert listing(tmp_path) == {}


def test_version() -> None:
    done = cli("--version")
    assert (done.returncode, done.stdout) == (0, f"streamvsr {streamvsr.__version__}\n")


def test_upscale_sums_up(tmp_path: Path, small_clip: Path) -> None:
    target = tmp_path / "out.mp4"
    done = cli("upscale", small_clip, target, *FAST)
    assert done.returncode == 0, done.stderr
    assert "50 frames" in done.stdout
    assert "frames/s" in done.stdout
    assert "memory" in done.stdout
    assert "size" in done.stdout
    assert "Traceback" not in done.stderr
    assert numbers(target) == list(range(50))
    assert listing(tmp_path).keys() == {"out.mp4"}


def test_upscale_can_be_quiet(tmp_path: Path, small_clip: Path) -> None:
    done = cli("upscale", "--quiet", small_clip, tmp_path / "out.mp4", *FAST)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_upscale_finds_its_output(tmp_path: Path, small_clip: Path) -> None:
    source = tmp_path / "film.mp4"
    source.write_bytes(small_clip.read_bytes())
    assert cli("upscale", source, *FAST).returncode == 0
    assert listing(tmp_path).keys() == {"film.mp4", "film_enhanced.mp4"}


def test_upscale_passes_every_option_on(tmp_path: Path, small_clip: Path) -> None:
    target = tmp_path / "out.mkv"
    done = cli(
        "upscale", small_clip, target, "--model", "nearest", "--scale", "3", "--codec", "hevc",
        "--crf", "30", "--encoder-preset", "ultrafast", "--pixel-format", "yuv420p10le",
        "--encoder-option", "x265-params=keyint=5", "--container", "mkv", "--strict",
        "--max-memory-mb", "96", "--max-vram-mb", "64", "--segment-seconds", "1",
        "--encoder-threads", "1", "--decoder-threads", "1", "--compute-threads", "1",
        "--resume", "no",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    video = streamvsr.probe(target).streams[0]
    assert (video.codec, video.width, video.pixel_format) == ("hevc", 192, "yuv420p10le")


def test_probe_shows_the_streams(small_clip: Path) -> None:
    done = cli("probe", small_clip)
    assert done.returncode == 0
    assert "h264" in done.stdout
    assert "64x48" in done.stdout
    assert "aac" in done.stdout


def test_probe_speaks_json(any_clip: Path) -> None:
    done = cli("probe", any_clip, "--json")
    assert done.returncode == 0
    info = json.loads(done.stdout)
    other = streamvsr.probe(any_clip)
    assert info["path"] == str(any_clip)
    assert info["video_index"] == other.video_index
    assert [stream["codec"] for stream in info["streams"]] == [s.codec for s in other.streams]
    assert {"width", "pixel_format", "disposition", "rotation"} <= info["streams"][0].keys()


def test_probe_of_a_missing_file_is_2(tmp_path: Path) -> None:
    done = cli("probe", tmp_path / "missing.mp4")
    assert done.returncode == 2
    assert done.stderr.startswith("streamvsr: ")
    assert len(done.stderr.splitlines()) == 1


def test_models_are_listed() -> None:
    done = cli("models")
    assert done.returncode == 0
    assert "default_x2: x2, luma" in done.stdout
    assert "trained on:" in done.stdout
    assert "nearest" in done.stdout


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    command = f"'{sys.executable}' -m streamvsr models | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
