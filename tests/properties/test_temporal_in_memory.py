"""The temporal step has its earlier pictures from memory: nothing is opened or written for it."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import streamvsr
from hypothesis import given
from hypothesis import strategies as st
from streamvsr import MemoryLimitError, TemporalBuffer

from .films import Case, cases, examples
from .watch import FolderWatch

_THEATER = ["theater_small", "theater_medium", "theater_large"]
# Checkpoints, and what threads tell each other through pipes; far less than the pictures.
_BESIDE = 64 << 10


def written() -> int:
    """Bytes that this process gave to write() and its like so far, wherever they went."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("wchar:")))


def open_files() -> set[str]:
    """Names of what this process has open; of files without one the kernel's "... (deleted)"."""
    names = set()
    for entry in os.scandir("/proc/self/fd"):
        try:
            names.add(os.readlink(entry.path))
        except FileNotFoundError:  # closed meanwhile
            continue
    return {name for name in names if not name.startswith(("pipe:", "socket:", "anon_inode:"))}


def steady(case: Case, frames: int, preset: str, quality: str) -> Case:
    """The same with a temporal window, and with as many frames as written pictures would show."""
    options = {
        **case.options, "preset": preset, "quality": quality, "max_memory_mb": 1024, "scale": 2,
    }  # fmt: skip
    recipe = dataclasses.replace(
        case.recipe, frames=frames, select="", width=max(64, case.recipe.width),
        height=max(48, case.recipe.height),
    )  # fmt: skip
    return dataclasses.replace(case, recipe=recipe, options=options)


@examples(5)
@given(
    cases(), st.integers(30, 60), st.sampled_from(_THEATER),
    st.sampled_from(["fast", "balanced", "high"]),
)  # fmt: skip
def test_a_job_opens_and_writes_nothing_for_it(
    case: Case, frames: int, preset: str, quality: str
) -> None:
    case = steady(case, frames, preset, quality)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, target = case.source(folder), folder / f"out{case.target}"
        ours = {f"{target}{end}" for end in ("", ".part", ".streamvsr.json", ".streamvsr.json.tmp")}
        before, opened = open_files(), set()

        def look(_: streamvsr.Progress) -> None:
            opened.update(open_files())

        written_before = written()
        with FolderWatch([folder]) as watch:
            try:
                result = streamvsr.upscale(source, target, progress=look, **case.options)
            except MemoryLimitError:
                return
        spent = written() - written_before
        report = result.performance_report
        assert "steady" in report["enhancer"]
        assert watch.names <= ours
        # The folder: so that a new name in it is durable. The page: one block of memory that
        # `streamvsr status` reads the progress from.
        page = "/memfd:streamvsr-progress (deleted)"
        assert opened - before <= ours | {str(source), name, page}
        assert spent <= report["bytes_written"] + _BESIDE
        # Pictures kept in a file would have been seen.
        assert frames * report["output_width"] * report["output_height"] > 4 * _BESIDE


@examples(20)
@given(
    max_frames=st.integers(2, 8), frames=st.integers(1, 24), height=st.integers(16, 90),
    width=st.integers(16, 90), seed=st.integers(0, 9),
)  # fmt: skip
def test_a_window_of_a_programs_own_is_memory_and_slides(
    max_frames: int, frames: int, height: int, width: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    film: list[Any] = [
        random.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(frames)
    ]
    before, opened = written(), open_files()
    window = TemporalBuffer(max_frames)
    for index, frame in enumerate(film):
        window.apply_temporal_stabilization(frame)
        window.add_frame(frame)
        assert window.get_previous_frame() is frame
        assert len(window) == min(index + 1, max_frames)
    assert open_files() == opened
    assert written() == before
