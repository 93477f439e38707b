"""What appears in folders while something runs, by the kernel's inotify."""

from __future__ import annotations

import ctypes
import os
import struct
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

_CREATE, _MODIFY, _MOVED_TO, _OVERFLOW = 0x100, 0x2, 0x80, 0x4000
_EVENT = struct.Struct("iIII")


class FolderWatch:
    """Purpose: collects the names of files that are made, moved or written in folders, those that
    are gone again included. Use it in a with block; folders made meanwhile are themselves named.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        """Watches the folders and those below them from now on."""
        self.names: set[str] = set()
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = libc.inotify_init1(os.O_CLOEXEC)
        assert self._fd >= 0, os.strerror(ctypes.get_errno())
        self._places: dict[int, Path] = {}
        for top in folders:
            for folder in (top, *(path for path in top.rglob("*") if path.is_dir())):
                mask = _CREATE | _MODIFY | _MOVED_TO
                place = libc.inotify_add_watch(self._fd, os.fsencode(folder), mask)
                assert place >= 0, os.strerror(ctypes.get_errno())
                self._places[place] = folder
        self._last = next(iter(self._places.values())) / ".watch-ends"
        self._thread = threading.Thread(target=self._collect)

    def __enter__(self) -> FolderWatch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._last.touch()  # comes last: all before it was seen by then
        self._thread.join()
        self._last.unlink()
        os.close(self._fd)

    def _collect(self) -> None:
        while True:
            events = os.read(self._fd, 1 << 16)
            at = 0
            while at < len(events):
                place, mask, _, length = _EVENT.unpack_from(events, at)
                assert not mask & _OVERFLOW, "more happened than the kernel tells"
                at += _EVENT.size
                name = events[at : at + length].rstrip(b"\0").decode()
                at += length
                path = self._places[place] / name
                if path == self._last:
                    return
                self.names.add(str(path))
