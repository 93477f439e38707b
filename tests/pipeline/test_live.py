"""What is said of a running job: by it, and by the process beside it that asks."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import streamvsr
from helpers import cli, cli_command, make_clip
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streamvsr import StreamingVideoProcessor
from streamvsr.eta import RemainingTime
from unfinished import interrupt, running_job, status_of

NAME = "streamvsr-progress"  # of the page, in /proc/PID/fd
RECORD = struct.Struct("=8s2Q6qdQ")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("film") / "in.mkv", frames=400, width=320, height=240)


# --- status ---------------------------------------------------------------------------------------


def test_status_of_a_running_job_has_its_progress_before_a_segment_is_whole(
    film: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.mkv"
    words = cli_command(
        "upscale", film, target, "--model", "nearest", "--encoder-preset", "slow",
        "--segment-seconds", "600", "--disk-ratio", "none",
    )  # fmt: skip
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as program:
        try:
            seen = 0
            while seen == 0:
                assert program.poll() is None
                found = streamvsr.status(target)
                seen = found.live.frames_done if found is not None and found.live else 0
            os.kill(program.pid, signal.SIGSTOP)
            told = json.loads(cli("status", target, "--json").stdout)
        finally:
            program.kill()
    live = told["live"]
    assert (told["frames_done"], told["segments_done"]) == (0, 0)
    assert told["writer"] == program.pid
    assert seen <= live["frames_done"] <= live["frames_total"] == 400
    assert live["frames_written"] <= live["frames_done"]
    assert told["percent"] == pytest.approx(live["frames_done"] / 4, abs=0.01)
    assert told["percent"] > 0


def test_a_process_that_died_says_nothing_any_more(film: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    with running_job(film, target) as program:
        os.kill(program.pid, signal.SIGSTOP)
        live = status_of(target).live
        assert live is not None
        assert "the network has done" in cli("status", target).stdout
        os.kill(program.pid, signal.SIGKILL)
        program.wait()
        found = status_of(target)
    assert (found.writer, found.live) == (None, None)
    assert found.percent == 100 * found.frames_done / found.frames_total


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An unfinished job whose `.part` this process holds, as a run does."""
    folder = tmp_path_factory.mktemp("locked")
    clip = make_clip(folder / "in.mkv", frames=100, width=160, height=120)
    target = folder / "out.mkv"
    interrupt(clip, target, model="nearest")
    with (folder / "out.mkv.part").open("rb") as part:
        fcntl.flock(part, fcntl.LOCK_EX)
        yield target


def _page(content: bytes) -> int:
    descriptor = os.memfd_create(NAME)
    os.write(descriptor, content)
    return descriptor


def _sealed(magic: bytes, *values: Any) -> bytes:
    body = RECORD.pack(magic, *values, 0)[:-8]
    checksum = 0xCBF29CE484222325
    for byte in body:
        checksum = (checksum ^ byte) * 0x100000001B3 % (1 << 64)
    return body + struct.pack("=Q", checksum)


def test_a_page_of_this_form_is_read(locked: Path) -> None:
    part = os.stat(f"{locked}.part")
    page = _page(_sealed(b"svsrliv1", part.st_dev, part.st_ino, 7, 5, 100, 0, 1, 0, 1.5))
    try:
        live = status_of(locked).live
    finally:
        os.close(page)
    assert live == streamvsr.LiveProgress(
        frames_done=7, frames_written=5, frames_total=100, resumed_frames=0, segments_done=1,
        finishing=False, seconds=1.5,
    )  # fmt: skip
    assert status_of(locked).live is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    content=st.binary(max_size=128)
    | st.builds(
        _sealed, st.sampled_from([b"svsrliv1", b"svsrliv0"]),
        st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1),
        *[st.integers(-(2**63), 2**63 - 1)] * 6, st.floats(),
    )
)  # fmt: skip
def test_any_other_page_is_passed_over(locked: Path, content: bytes) -> None:
    page = _page(content)
    try:
        assert status_of(locked).live is None
    finally:
        os.close(page)


@pytest.mark.parametrize(
    ("field", "value"), [(2, -1), (2, 2**60), (7, 2), (8, float("nan")), (8, -1.0), (1, 1), (0, 1)]
)
def test_a_page_about_another_file_or_out_of_range_is_passed_over(
    locked: Path, field: int, value: float
) -> None:
    part = os.stat(f"{locked}.part")
    values: list[Any] = [part.st_dev, part.st_ino, 7, 5, 100, 0, 1, 0, 1.5]
    values[field] = value
    page = _page(_sealed(b"svsrliv1", *values))
    try:
        assert status_of(locked).live is None
    finally:
        os.close(page)


# --- progress and the time that is left -----------------------------------------------------------


def test_frames_count_when_the_network_has_done_them(tmp_path: Path) -> None:
    # Fewer frames than the encoder looks ahead: it gives none before it is drained.
    clip = make_clip(tmp_path / "in.mkv", frames=36, width=320, height=240)
    seen: list[tuple[int, int, bool, float]] = []
    options = {"model": "nearest", "disk_ratio": None, "encoder_preset": "slower"}
    processor = StreamingVideoProcessor(options)

    def look(progress: streamvsr.Progress) -> None:
        seen.append(
            (progress.frames_done, progress.frames_written, progress.finishing,
             progress.eta_seconds)
        )  # fmt: skip

    processor.process(clip, tmp_path / "out.mkv", progress=look).raise_for_error()
    assert all(written <= done <= 36 for done, written, _, _ in seen)
    assert (36, 0, True, 0.0) in seen
    details = processor.monitor.get_realtime_stats()["details"]
    assert (details["frames_done"], details["frames_written"]) == (36, 36)


def test_the_bar_shows_the_network_and_then_finishing(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mkv", frames=36, width=640, height=480)
    code = (
        "import sys, streamvsr;"
        "options = {'model': 'nearest', 'disk_ratio': None, 'encoder_preset': 'slower'};"
        "processor = streamvsr.StreamingVideoProcessor(options);"
        "processor.process(sys.argv[1], sys.argv[2], progress=True).raise_for_error()"
    )
    words = [sys.executable, "-c", code, str(clip), str(tmp_path / "out.mkv")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.replace("\r", "\n").split("\n") if "36/36" in line]
    assert any("finishing" in line for line in lines)


@given(
    steps=st.lists(
        st.tuples(st.floats(0.001, 100), st.integers(1, 50)), min_size=1, max_size=100
    ),
    left=st.integers(0, 5000),
)  # fmt: skip
def test_a_rest_is_told_within_a_factor_of_two_or_not_at_all(
    steps: list[tuple[float, int]], left: int
) -> None:
    rest = RemainingTime()
    now, frames = 0.0, 0
    rest.add(now, frames)
    for seconds, more in steps:
        now, frames = now + seconds, frames + more
        rest.add(now, frames)
        told = rest.known(now, frames + left)
        if told is not None:
            expected, lowest, highest = told
            assert lowest <= expected <= highest
            assert highest <= max(2 * lowest, 2.0)


# --- memory ---------------------------------------------------------------------------------------

_JOB = """
import sys, streamvsr
source, target, before = sys.argv[1], sys.argv[2], int(sys.argv[3])
held = bytearray(before << 20)
del held
options = {"model": "nearest", "encoder_preset": "ultrafast", "max_memory_mb": 128}
result = streamvsr.StreamingVideoProcessor(options).process(source, target)
result.raise_for_error()
print(result.memory_peak_mb)
"""
_PARENT = """
import os, sys
held = bytearray(700 << 20)
os.execv(sys.executable, [sys.executable, "-c", *sys.argv[1:]])
"""


@pytest.mark.parametrize("by_a_large_parent", [True, False])
def test_the_peak_of_memory_is_the_jobs_own(
    film: Path, tmp_path: Path, by_a_large_parent: bool
) -> None:
    # The large one: a process that was the program's own before it, or the program itself earlier.
    job = [_JOB, str(film), str(tmp_path / "out.mkv"), "0" if by_a_large_parent else "700"]
    words = [sys.executable, "-c", *([_PARENT] if by_a_large_parent else []), *job]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 20 < float(done.stdout) < 600
