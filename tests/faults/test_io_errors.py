"""Calls that fail, do half, or take long; disks that are full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faults import failing
from faults.campaign import run_all
from faults.jobs import JOBS, Bench

SHORT = JOBS["short"]


def test_every_call_fails(bench: Bench, seed: int, times: float, every_container: str) -> None:
    counts = run_all(failing.every_error(bench, every_container, seed, int(18 * times)))
    assert counts["refused"] >= 8


def test_a_disk_that_stays_full(bench: Bench, times: float, every_container: str) -> None:
    run_all(failing.full_disk(bench, every_container, 8 if times <= 1 else 1))


def test_errors_in_a_rerun(bench: Bench, seed: int, times: float, every_container: str) -> None:
    count = int(5 * times)
    run_all(failing.rerun_fails(bench, every_container, seed, count))
    run_all(failing.reads_fail(bench, every_container, seed, count))


def test_what_nobody_must_notice(
    bench: Bench, seed: int, times: float, every_container: str
) -> None:
    run_all(failing.unnoticed(bench, every_container, seed, int(8 * times)))


def test_a_file_system_without_rename_noreplace(bench: Bench, every_container: str) -> None:
    counts = run_all(failing.old_file_systems(bench, every_container))
    assert counts["unnoticed"] >= 4


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.95])
def test_a_limit_of_the_file_size(bench: Bench, every_container: str, share: float) -> None:
    """EFBIG, as setrlimit gives it, is an error like others: SIGXFSZ does not end the program."""
    blocks = int(share * bench.reference(SHORT, every_container).size / 512)
    with bench.case(SHORT, every_container) as case:
        end = case.run(shell=f"ulimit -f {blocks};")
        case.check_complaint(end)
        assert os.strerror(27) in end.said, end.said  # EFBIG
        case.check_remains()
        case.finish()


@contextmanager
def _small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode != 0:
        pytest.skip(f"a tmpfs cannot be mounted: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9])
def test_a_full_disk(bench: Bench, tmp_path: Path, every_container: str, share: float) -> None:
    """The kernel's own ENOSPC; with more room the same command goes on."""
    reference = bench.reference(SHORT, every_container)
    needed = bench.clip(SHORT).stat().st_size + int(share * reference.size)
    with (
        _small_disk(tmp_path / "disk", needed // 1024 + 12) as disk,
        bench.case(SHORT, every_container, parent=disk) as case,
    ):
        end = case.run()
        case.check_complaint(end)
        assert os.strerror(28) in end.said, end.said  # ENOSPC
        case.check_remains()
        subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
        case.finish()
