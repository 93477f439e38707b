"""The checkpoint holds progress, never frames, and does not grow with the film."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import streamvsr
from helpers import make_clip
from hypothesis import given
from streamvsr import MemoryLimitError

from .films import Case, cases, examples

MOST = 64 << 10  # bytes


def _longest_text(value: Any) -> int:
    if isinstance(value, dict):
        return max((_longest_text(part) for item in value.items() for part in item), default=0)
    if isinstance(value, list):
        return max((_longest_text(part) for part in value), default=0)
    return len(value) if isinstance(value, str) else 0


def _checkpoints(source: Path, target: Path, options: dict[str, Any]) -> list[bytes]:
    """The checkpoint after every segment that a callback saw end."""
    path = Path(f"{target}.streamvsr.json")
    seen: dict[int, bytes] = {}

    def look(progress: streamvsr.Progress) -> None:
        if path.exists():
            seen[progress.segments_done] = path.read_bytes()

    try:
        streamvsr.upscale(source, target, progress=look, **options)
    except MemoryLimitError:
        return []
    assert not path.exists()
    return list(seen.values())


@examples(10)
@given(cases())
def test_it_holds_progress_only(case: Case) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, target = case.source(folder), folder / f"out{case.target}"
        for data in _checkpoints(source, target, case.options):
            assert len(data) < MOST
            # Far less than the smallest picture that is coded at all.
            assert _longest_text(json.loads(data)) < 2048


def test_it_is_as_small_in_a_long_film(tmp_path: Path) -> None:
    options = {"model": "nearest", "encoder_preset": "ultrafast", "segment_seconds": 0.5}
    sizes = {}
    for frames in (100, 3000):
        source = make_clip(tmp_path / f"{frames}.mkv", frames=frames, audio="aac", width=64)
        found = _checkpoints(source, tmp_path / f"out{frames}.mkv", options)
        sizes[frames] = max(len(data) for data in found)
    assert sizes[3000] < MOST
    assert sizes[3000] - sizes[100] < 64  # longer numbers
