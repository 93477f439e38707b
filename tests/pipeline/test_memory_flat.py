"""A sample of tests/benchmarks/bench_memory.py."""

from __future__ import annotations

import sys
from pathlib import Path

from helpers import REPO

sys.path.insert(0, str(REPO / "tests" / "benchmarks"))

from bench_memory import (
    FAST,
    is_flat,
    is_flat_over_sizes,
    lengths,
    resolutions,
    under_the_smallest_limit,
)


def test_a_longer_film_takes_no_more_memory(tmp_path: Path) -> None:
    assert is_flat(lengths(tmp_path, [10, 120]))


def test_pictures_that_change_their_size_take_no_more_memory(tmp_path: Path) -> None:
    found = resolutions(tmp_path, [4, 16])
    assert is_flat_over_sizes(found)
    for figures in found.values():
        assert figures.peak <= figures.report["memory_plan_mb"]["used"]


def test_the_smallest_limit_holds(tmp_path: Path) -> None:
    options = {**FAST, "encoder_preset": "veryfast", "segment_seconds": 1}
    figures = under_the_smallest_limit(tmp_path, "960x540", 3, **options)
    assert figures.peak <= figures.limit
    assert figures.peak >= figures.limit / 3  # the models are bounds, not fantasies
