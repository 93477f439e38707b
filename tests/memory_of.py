"""How much memory a job takes beyond the idle process, by the kernel's figures.

Runs as a program of its own, so that nothing else has used the process: reads a job as JSON from
stdin, prints the figures as JSON.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MB = 1 << 20


@dataclass(frozen=True)
class Figures:
    """What a job took, in MB of 1048576 bytes."""

    peak: float  # resident memory beyond that of the idle process
    limit: float  # max_memory_mb, or what was chosen without one
    report: dict[str, Any]  # performance_report
    warnings: list[str]


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"the kernel does not tell {field}")


def memory_of(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    free_mb: int | None = None,
    **options: Any,
) -> Figures:
    """Runs a job in a process of its own and measures it; a failure of the job raises.

    free_mb: what the kernel lets the process take beyond what it has when the job begins
    (RLIMIT_DATA); None: as much as the machine has.
    """
    job = {
        "source": os.fspath(source), "target": os.fspath(target), "options": options,
        "free_mb": free_mb,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, __file__], input=json.dumps(job), capture_output=True, text=True,
        timeout=3600, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return Figures(**json.loads(done.stdout))


def _main() -> None:
    import streamvsr

    job = json.load(sys.stdin)
    options: dict[str, Any] = job["options"]
    with tempfile.TemporaryDirectory() as folder:
        # Code and tables that any job needs are there once, whatever its size: part of idleness.
        tiny = os.path.join(folder, "tiny.mkv")
        subprocess.run(
            ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=128x128:d=0.2", tiny],
            check=True,
        )
        warm = {k: v for k, v in options.items() if k != "max_memory_mb"}
        streamvsr.upscale(tiny, os.path.join(folder, "out.mkv"), **warm)
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    if job["free_mb"] is not None:
        limit = _status("VmData") + job["free_mb"] * MB
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    result = streamvsr.upscale(job["source"], job["target"], **options)
    peak = _status("VmHWM")
    json.dump(
        {
            "peak": (peak - before) / MB,
            "limit": result.performance_report["memory_plan_mb"]["limit"],
            "report": result.performance_report,
            "warnings": result.warnings,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    _main()
