"""The ffmpeg programs that are there, and what each of them can do."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
from dataclasses import dataclass

from streamvsr.errors import MissingToolError

# Its static program has every filter that is asked for here.
PACKAGE = "imageio-ffmpeg"


@dataclass(frozen=True)
class Program:
    """An ffmpeg program.

    Attributes:
        path: Where it lies.
        version: As it says itself.
        filters: The names of its filters.
    """

    path: str
    version: str
    filters: frozenset[str]


def find_programs() -> list[Program]:
    """The ffmpeg programs, in the order in which they are to be used, each once.

    The one that the environment variable STREAMVSR_FFMPEG names, the one on PATH, and that of the
    package imageio-ffmpeg.

    Raises:
        MissingToolError: There is none, or STREAMVSR_FFMPEG names none.
    """
    named = os.environ.get("STREAMVSR_FFMPEG", "")
    found: list[Program] = []
    if named:
        program = _ask(shutil.which(named) or named)
        if program is None:
            raise MissingToolError(
                f"STREAMVSR_FFMPEG names {named!r}, which is no ffmpeg program that runs: correct "
                "it, or unset it",
                named,
            )
        found.append(program)
    for path in (shutil.which("ffmpeg"), _packaged()):
        if path is None or any(os.path.samefile(path, other.path) for other in found):
            continue
        program = _ask(path)
        if program is not None:
            found.append(program)
    if not found:
        raise MissingToolError(
            "no ffmpeg program is there: install the system's package ffmpeg, or pip install "
            f"{PACKAGE}, or name one in the environment variable STREAMVSR_FFMPEG"
        )
    return found


def _packaged() -> str | None:
    try:
        package = importlib.import_module("imageio_ffmpeg")
        path: str = package.get_ffmpeg_exe()
    except (ImportError, RuntimeError):  # not installed; without a program for this system
        return None
    return shutil.which(path)


def _ask(path: str) -> Program | None:
    try:
        done = subprocess.run(
            [path, "-nostdin", "-filters"], capture_output=True, text=True, errors="replace",
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except OSError:
        return None
    rows = [line.split() for line in done.stdout.splitlines()]
    filters = frozenset(row[1] for row in rows if len(row) > 2 and "->" in row[2])
    words = done.stderr.split()
    if done.returncode != 0 or not filters or words[:2] != ["ffmpeg", "version"]:
        return None
    return Program(path, words[2] if len(words) > 2 else "", filters)
