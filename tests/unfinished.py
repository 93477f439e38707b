"""Jobs that were interrupted, for the tests of what they leave."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import streamvsr
from helpers import cli, cli_command, listing, make_clip
from streamvsr import JobStatus, _core, api

FAST: dict[str, Any] = {
    "model": "nearest", "encoder_preset": "ultrafast", "segment_seconds": 1,
    "max_disk_fraction": None,  # so that a job may be interrupted by a disk that is full
}  # fmt: skip
WORDS = ["--model", "nearest", "--encoder-preset", "ultrafast", "--segment-seconds", "1",
         "--max-disk-fraction", "none"]  # fmt: skip
FRAMES = 100  # in 4 segments
LEFT = {"out.mp4.part", "out.mp4.streamvsr.json"}


@dataclass(frozen=True)
class Unfinished:
    """A job on out.mp4 that failed half-way, and what it would have made."""

    clip: Path
    folder: Path  # holds LEFT
    whole: bytes


class _EnoughError(Exception):
    pass


def stop_after_a_segment(job: _core.Job) -> None:
    """Runs a job until its first segment is kept; it is not closed."""

    def tick(progress: _core.Progress) -> None:
        if progress.segments_done:
            raise _EnoughError

    with pytest.raises(_EnoughError):
        job.run(tick, 0.001)


def stop_after(source: Path, target: Path, segments: int, **options: Any) -> None:
    """Runs upscale() until so many segments are kept.

    Progress is looked at now and then, so a quick job may end first; it is then done again.
    """

    def stop(progress: streamvsr.Progress) -> None:
        if progress.segments_done >= segments:
            raise _EnoughError

    for _ in range(20):
        try:
            streamvsr.upscale(source, target, progress=stop, **options)
        except _EnoughError:
            return
        target.unlink()
    pytest.fail("the job ends before it can be stopped")


def interrupt(source: Path, target: Path, **options: Any) -> None:
    """Runs a job, lossless and in segments of half a second, until the first one is kept."""
    lossless: dict[str, Any] = {"codec": "ffv1", "disk_ratio": None, "segment_seconds": 0.5}
    config = streamvsr.StreamingConfig(**lossless | options)
    job = _core.Job(api.job_config(config, str(source), str(target)))
    stop_after_a_segment(job)
    job.close()


def make_unfinished(folder: Path) -> Unfinished:
    """Runs a job twice in an empty folder: to its end, and until the disk seems full."""
    clip = make_clip(folder / "in film.mp4", frames=FRAMES, audio="aac")
    job = folder / "job"
    job.mkdir()
    streamvsr.upscale(clip, folder / "whole.mp4", **FAST)
    whole = (folder / "whole.mp4").read_bytes()
    done = cli("upscale", clip, job / "out.mp4", *WORDS, room=len(whole) * 6 // 10)
    assert done.returncode == 1, done
    assert listing(job).keys() == LEFT
    return Unfinished(clip, job, whole)


def status_of(target: Path) -> JobStatus:
    """The status of a job that is unfinished."""
    found = streamvsr.status(target)
    assert found is not None
    return found


def run_command(command: str | None) -> None:
    """Runs a line that was shown to the user, as a shell reads it; it must succeed."""
    assert command is not None
    words = shlex.split(command)
    assert words[0] == "streamvsr"
    done = cli(*words[1:])
    assert done.returncode == 0, done.stderr


@contextmanager
def running_job(clip: Path, target: Path) -> Iterator[subprocess.Popen[str]]:
    """A job that has a whole segment, and some more to do; killed in the end if it still runs."""
    words = cli_command("upscale", clip, target, *WORDS)
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        try:
            while (found := streamvsr.status(target)) is None or not found.keeps_work:
                assert program.poll() is None
                time.sleep(0.02)
            yield program
        finally:
            program.kill()
