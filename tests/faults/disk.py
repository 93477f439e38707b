"""What a file system may hold after the power was cut, by the calls that were logged until then.

Rules, those of POSIX rather than of one file system:

- What a write changed is certain once fsync or fdatasync of that file succeeded after it. Until
  then every 512-byte sector of every write is there or not, each for itself; where it is not, the
  old bytes are, or zeros if the file was shorter. What lies behind the durable size may be garbage.
- A file's size is the durable one, or that after any of the later calls that changed it.
- Names (files made, renamed, linked, removed) are certain once fsync of the directory succeeded;
  later changes are lost from some point on, in order.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from faults.shim import Call

SECTOR = 512
KEEP, LOSE, TEAR = "keep", "lose", "tear"


@dataclass
class _Write:
    offset: int
    data: bytes


@dataclass
class _Resize:
    size: int


@dataclass
class _File:
    """A file's contents: certain ones, and the changes since."""

    durable: bytes = b""
    pending: list[_Write | _Resize] = field(default_factory=list)

    def now(self) -> bytes:
        """What a program reads."""
        return _content(self, len(self.pending), lambda _: KEEP, Random(0))

    def sync(self) -> None:
        self.durable, self.pending = self.now(), []


def _apply(content: bytearray, change: _Write | _Resize, begin: int = 0, size: int = -1) -> None:
    """One change; of a write only `size` bytes from its byte `begin` on."""
    if isinstance(change, _Resize):
        content[:] = content[: change.size].ljust(change.size, b"\0")
        return
    data = change.data[begin : len(change.data) if size < 0 else begin + size]
    at = change.offset + begin
    if len(content) < at:
        content.extend(bytes(at - len(content)))
    content[at : at + len(data)] = data


def _content(file: _File, sizes: int, fate: Callable[[_Write], str], rng: Random) -> bytes:
    """The contents after a cut; sizes: how many of the pending changes of the size took place."""
    size = len(file.durable)
    content = bytearray(file.durable)
    for number, change in enumerate(file.pending):
        if isinstance(change, _Resize):
            if number < sizes:
                size = change.size
                _apply(content, change)
            continue
        if number < sizes:
            size = max(size, change.offset + len(change.data))
        what = fate(change)
        if what == KEEP:
            _apply(content, change)
        elif what == TEAR:
            begin = 0
            while begin < len(change.data):
                length = SECTOR - (change.offset + begin) % SECTOR
                if rng.random() < 0.5:
                    _apply(content, change, begin, length)
                begin += length
    return bytes(content[:size].ljust(size, b"\0"))


class Disk:
    """Purpose: follows the logged calls on one directory; tells what a power cut may leave of it.

    Ownership: none of real files. What is there at the start counts as durable.
    """

    def __init__(self, folder: Path, contents: dict[str, bytes] | None = None) -> None:
        self._folder = os.fspath(folder)
        self._files = [_File(content) for content in (contents or {}).values()]
        self._names = {name: number for number, name in enumerate(contents or {})}
        # Each change of names since the directory's last fsync: the names after it.
        self._pending: list[dict[str, int]] = []
        self._open: dict[int, int] = {}

    def _name(self, path: str) -> str:
        return os.path.relpath(path, self._folder)

    def _now(self) -> dict[str, int]:
        return self._pending[-1] if self._pending else self._names

    def _change(self, names: dict[str, int]) -> None:
        self._pending.append(names)

    def apply(self, calls: Iterable[Call]) -> Disk:
        """The calls happen, those that failed do not."""
        for call in calls:
            if call.group == "op" and call.result >= 0:
                self._apply(call)
        return self

    def _apply(self, call: Call) -> None:
        names = dict(self._now())
        name = self._name(call.path)
        if call.kind in ("open", "fopen"):
            if name == ".":
                self._open[call.fd] = -1
                return
            if call.created:
                self._files.append(_File())
                names[name] = len(self._files) - 1
                self._change(names)
            file = self._open[call.fd] = names[name]
            if call.offset & os.O_TRUNC and not call.created:
                self._files[file].pending.append(_Resize(0))
        elif call.is_write:
            data = call.data
            assert len(data) == call.result, f"the log lacks the data of {call}"
            self._files[self._open[call.fd]].pending.append(_Write(call.offset, data))
        elif call.kind == "ftruncate":
            self._files[self._open[call.fd]].pending.append(_Resize(call.length))
        elif call.kind in ("fsync", "fdatasync"):
            if self._open[call.fd] >= 0:
                self._files[self._open[call.fd]].sync()
            elif self._pending:
                self._names, self._pending = self._pending[-1], []
        elif call.kind in ("rename", "renameat2", "link"):
            names[self._name(call.other)] = names[name]
            if call.kind != "link":
                del names[name]
            self._change(names)
        elif call.kind == "unlink":
            del names[name]
            self._change(names)
        else:
            assert call.kind == "flock", f"the model does not know {call}"

    def now(self) -> dict[str, bytes]:
        """What programs see, had nothing happened."""
        return {name: self._files[file].now() for name, file in self._now().items()}

    def lost(self) -> dict[str, bytes]:
        """All that is certain, and nothing more."""
        return {name: self._files[file].durable for name, file in self._names.items()}

    def data_lost(self) -> dict[str, bytes]:
        """The names as programs see them, of the contents only what is certain."""
        return {name: self._files[file].durable for name, file in self._now().items()}

    def cut(self, rng: Random) -> dict[str, bytes]:
        """One of the states that a power cut may leave."""
        kept = rng.choice((0, len(self._pending), rng.randint(0, len(self._pending))))
        names = self._pending[kept - 1] if kept else self._names
        return {name: self._cut(self._files[file], rng) for name, file in names.items()}

    @staticmethod
    def _cut(file: _File, rng: Random) -> bytes:
        count = len(file.pending)
        sizes = rng.choice((0, count, rng.randint(0, count)))
        mode = rng.choice((KEEP, LOSE, TEAR, ""))

        def fate(_: _Write) -> str:
            return mode or rng.choice((KEEP, LOSE, TEAR))

        content = _content(file, sizes, fate, rng)
        beyond = len(content) - len(file.durable)
        if beyond > 0 and rng.random() < 0.2:
            content = file.durable + rng.randbytes(beyond)
        return content


def store(contents: dict[str, bytes], folder: Path, keep: Iterable[str]) -> None:
    """Makes a folder hold exactly these contents, beside the files in `keep`."""
    for path in folder.iterdir():
        if path.name not in keep:
            path.unlink()
    for name, content in contents.items():
        (folder / name).write_bytes(content)
