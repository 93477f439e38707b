"""Checks that every note that a comment or a page cites exists.

A note is a comment that begins a line with "Note [its name]", then a colon or the line's end. It
is cited as "Note [its name]" anywhere else, or as "Note [its name] in path". Prints every citation
of a note that is nowhere, or not in that file, and every name that two notes have; exits 1 when
there is one. Run it from anywhere: python tools/check_notes.py
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("cpp", "python", "docs", "tests", "tools")
SUFFIXES = {".h", ".cpp", ".c", ".py", ".md", ".sh", ".txt", ".pyi"}
# This page and its test speak of notes that need not exist.
EXEMPT = {"tools/check_notes.py", "tests/python/test_notes.py"}

_NOTE = re.compile(r"^\s*(?://|#|/?\*+)\s*Note \[([^\]\n]+)\](?::|\s*$)", re.MULTILINE)
_CITED = re.compile(
    r"Note \[([^\]\n]+)\](?:\s+(?://\s*|#\s*)?in\s+(?://\s*|#\s*)?`?([\w/.]+\.\w+))?"
)


def faults(root: Path) -> list[str]:
    """What is wrong in a repository, as "file:line: sentence"."""
    texts = {file.relative_to(root).as_posix(): file.read_text() for file in _files(root)}
    homes: dict[str, list[str]] = {}
    places: set[tuple[str, int]] = set()
    for name, text in texts.items():
        for match in _NOTE.finditer(text):
            homes.setdefault(match[1], []).append(name)
            places.add((name, text.index("Note [", match.start())))
    found = []
    for note, files in homes.items():
        if len(files) > 1:
            found.append(f"{files[1]}: Note [{note}] is in {files[0]}, too")
    for name, text in texts.items():
        for match in _CITED.finditer(text):
            if (name, match.start()) in places:
                continue
            where = f"{name}:{text.count(chr(10), 0, match.start()) + 1}"
            note, file = match[1], match[2]
            if note not in homes:
                found.append(f"{where}: there is no Note [{note}]")
            elif file and not any(
                home == file or home.endswith(f"/{file}") for home in homes[note]
            ):
                found.append(f"{where}: Note [{note}] is in {homes[note][0]}, not in {file}")
    return sorted(found)


def _files(root: Path) -> list[Path]:
    files = [file for folder in FOLDERS for file in (root / folder).rglob("*") if file.is_file()]
    files += root.glob("*.txt")
    return sorted(
        file
        for file in files
        if file.suffix in SUFFIXES and file.relative_to(root).as_posix() not in EXEMPT
    )


def main() -> int:
    """Prints what is wrong; 1 when there is something."""
    found = faults(ROOT)
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
