"""Remains that are of no use: what cannot be read, what is not ours, and `clean`."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest
import streamvsr
from helpers import cli, listing
from streamvsr import errors
from unfinished import LEFT, WORDS, Unfinished, status_of

# --- checkpoints that cannot be read, files that are not ours -------------------------------------


def _torn(text: str) -> str:
    return text[:-20]


def _altered(text: str) -> str:
    assert '"segments_total": 4' in text
    return text.replace('"segments_total": 4', '"segments_total": 5')


def _version_1(text: str) -> str:
    old = {"magic": "streamvsr checkpoint", "version": 1, "next_frame": 25, "checksum": "0" * 64}
    return json.dumps(old)


@pytest.mark.parametrize(
    ("damage", "words"), [(_torn, "torn"), (_altered, "altered"), (_version_1, "version 1")]
)
def test_a_checkpoint_that_cannot_be_read(
    unfinished: Unfinished, target: Path, damage: Any, words: str
) -> None:
    checkpoint = target.with_name("out.mp4.streamvsr.json")
    checkpoint.write_text(damage(checkpoint.read_text()))
    before = listing(target.parent)
    with pytest.raises(errors.ResumeError, match=words):
        streamvsr.status(target)
    for command in (
        ["status", str(target)],
        ["upscale", str(unfinished.clip), str(target), *WORDS],
    ):
        done = cli(*command)
        assert done.returncode == 2
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1
    done = cli("clean", target)
    assert done.returncode == 2
    assert "is unknown" in done.stdout
    assert listing(target.parent) == before
    assert cli("clean", target, "-y").returncode == 0
    assert listing(target.parent) == {}


def test_starting_over_needs_no_checkpoint(unfinished: Unfinished, target: Path) -> None:
    target.with_name("out.mp4.streamvsr.json").write_text('{"magic": "streamvsr checkpoint"}')
    done = cli("upscale", unfinished.clip, target, *WORDS, "--resume", "no")
    assert done.returncode == 0, done.stderr
    assert target.read_bytes() == unfinished.whole
    assert listing(target.parent).keys() == {"out.mp4"}


@pytest.mark.parametrize("name", sorted(LEFT))
def test_foreign_files_are_untouched(unfinished: Unfinished, tmp_path: Path, name: str) -> None:
    target = tmp_path / "out.mp4"
    (tmp_path / name).write_text('{"half": "a download"}')
    before = listing(tmp_path)
    for call in (streamvsr.status, streamvsr.clean):
        with pytest.raises(errors.OutputExistsError, match="in the way"):
            call(target)
    for command in (
        ["status", str(target)],
        ["clean", str(target), "-y"],
        ["upscale", str(unfinished.clip), str(target), *WORDS],
    ):
        assert cli(*command).returncode == 2
    assert listing(tmp_path) == before


# --- clean ----------------------------------------------------------------------------------------


def test_clean_removes_what_was_left_and_nothing_else(target: Path) -> None:
    target.write_text("precious")
    target.with_name("out.mp4.txt").write_text("a neighbour")
    removed = streamvsr.clean(target)
    assert sorted(removed) == sorted(str(target.with_name(name)) for name in LEFT)
    assert listing(target.parent).keys() == {"out.mp4", "out.mp4.txt"}
    assert target.read_text() == "precious"


def test_clean_asks_nobody_but_a_terminal(target: Path) -> None:
    done = cli("clean", target, stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert "-y" in done.stderr
    assert f"{status_of(target).frames_done} of about 100 frames done would be lost" in done.stdout
    assert listing(target.parent).keys() == LEFT
    assert cli("clean", target, "--yes", stdin=subprocess.DEVNULL).returncode == 0
    assert listing(target.parent) == {}


@pytest.mark.parametrize(
    ("answer", "code"), [("y\n", 0), ("yes\n", 0), ("n\n", 1), ("\n", 1), ("\x04", 1)]
)
def test_clean_does_as_it_is_told(target: Path, answer: str, code: int) -> None:
    try:
        ours, its = pty.openpty()
    except OSError as error:  # a chroot without devpts
        pytest.skip(f"no terminal can be made here: {error}")
    try:
        os.write(ours, answer.encode())
        done = cli("clean", f"{target}.part", stdin=its)
    finally:
        os.close(ours)
        os.close(its)
    assert done.returncode == code, done
    assert "out.mp4.part: " in done.stdout
    assert listing(target.parent).keys() == (set() if code == 0 else LEFT)
