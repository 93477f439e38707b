"""What the commands share: exit codes, and how they complain."""

from __future__ import annotations

import sys

OK, FAILED, REFUSED, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143


def complain(message: str) -> None:
    """Says one line to the user, on stderr."""
    print(f"streamvsr: {message}", file=sys.stderr)


def sentence(error: BaseException) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split()) or "out of memory"
