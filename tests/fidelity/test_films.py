"""A sample of the table (table.py) and of the long film (drift.py)."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import pytest
from clips.test_every_clip import CONTAINERS

from fidelity import drift, table
from fidelity.films import NAMES, make_film

SAMPLE = NAMES if os.environ.get("STREAMVSR_FIDELITY") == "all" else NAMES[::6]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", SAMPLE)
def test_all_but_the_number_of_pixels_is_kept(name: str, container: str, tmp_path: Path) -> None:
    signs = table.row(make_film(name, tmp_path), tmp_path, container)
    assert set(signs.values()) <= {"=", "*"}, signs


def test_sound_does_not_drift(tmp_path: Path) -> None:
    moved = drift.measure(tmp_path, 120)
    assert abs(moved["mp4"]) <= Fraction(1, drift.RATE)
    assert abs(moved["mkv"]) <= Fraction(1, 1000)  # both are rounded to whole milliseconds
