"""The bench that all suites share, and how much of each is tried.

STREAMVSR_FAULTS multiplies the number of random cases (1 by default); STREAMVSR_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from faults.jobs import CONTAINERS, Bench

SEED = int(os.environ.get("STREAMVSR_SEED", str(random.SystemRandom().randrange(1 << 32))))
_TIMES = float(os.environ.get("STREAMVSR_FAULTS", "1"))


def pytest_report_header() -> str:
    return f"faults: STREAMVSR_SEED={SEED} STREAMVSR_FAULTS={_TIMES:g}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with the argument every_container runs for each of them."""
    if "every_container" in metafunc.fixturenames:
        metafunc.parametrize("every_container", CONTAINERS)


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder: Path = tmp_path_factory.mktemp("faults")
    return Bench(folder)


@pytest.fixture(scope="session")
def seed() -> int:
    return SEED


@pytest.fixture(scope="session")
def times() -> float:
    return _TIMES
