"""Runs a program and reads what it writes, line by line, through pipes."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

LineReader = Callable[[str], None]

_MOST_BYTES = 1 << 16
_KEPT_WORDS = 20


@dataclass(frozen=True)
class Ended:
    """What a program took and said.

    Attributes:
        code: Its exit code; negative: the signal that ended it.
        seconds: From its start to its end.
        cpu_seconds: Of all its threads.
        words: The last lines of its stderr.
    """

    code: int
    seconds: float
    cpu_seconds: float
    words: list[str]


class _Lines:
    """Purpose: cuts what comes from a pipe into lines. Thread-safety: none."""

    def __init__(self, take: LineReader) -> None:
        self._take = take
        self._rest = b""

    def add(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line.decode(errors="replace").rstrip("\r"))

    def end(self) -> None:
        if self._rest:
            self._take(self._rest.decode(errors="replace"))


def run_program(
    command: Callable[[Sequence[int]], Sequence[str]],
    readers: Sequence[LineReader],
    output: LineReader,
) -> Ended:
    """Runs a program to its end; however this is left, the program has ended by then.

    Args:
        command: Makes the command line from the file descriptors that the program may write to,
            one for each of readers.
        readers: Take the lines written to those.
        output: Takes the lines of its stdout.

    Raises:
        OSError: It cannot be started.
        Exception: Whatever a reader raises.
    """
    words: deque[str] = deque(maxlen=_KEPT_WORDS)
    pipes = [os.pipe() for _ in readers]
    open_ends = {end for pipe in pipes for end in pipe}

    def close(end: int) -> None:
        open_ends.discard(end)
        os.close(end)

    process = None
    begun = time.monotonic()
    try:
        ends = [write for _, write in pipes]
        process = subprocess.Popen(
            command(ends), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, pass_fds=ends,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        for end in ends:
            close(end)
        with process.stdout, process.stderr, selectors.DefaultSelector() as selector:
            takers = [*readers, output, words.append]
            for file, take in zip(
                [*(read for read, _ in pipes), process.stdout.fileno(), process.stderr.fileno()],
                takers,
                strict=True,
            ):
                selector.register(file, selectors.EVENT_READ, _Lines(take))
            while selector.get_map():
                for key, _ in selector.select():
                    data = os.read(key.fd, _MOST_BYTES)
                    if data:
                        key.data.add(data)
                    else:
                        key.data.end()
                        selector.unregister(key.fileobj)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return Ended(
            process.returncode,
            time.monotonic() - begun,
            usage.ru_utime + usage.ru_stime,
            [line.strip() for line in words if line.strip()],
        )
    finally:
        if process is not None and process.returncode is None:
            process.kill()
            process.wait()
        for end in list(open_ends):
            close(end)
