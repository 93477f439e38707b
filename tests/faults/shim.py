"""The shim seen from Python: built with the system's compiler, told what to break, its log read."""

from __future__ import annotations

import errno
import os
import shutil
import struct
import subprocess
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
_SOURCES = ("shim.c", "shim_faults.c")
GROUPS = ("", "op", "look", "input")
_MAGIC = 0x464C5431
_HEAD = struct.Struct("=III")  # magic, size of what follows, Adler-32 of it
_BODY = struct.Struct("=iiiiiqqq16sIIII")

# The errors that each kind of call can give on a real system.
ERRORS: dict[str, tuple[int, ...]] = {
    "open": (errno.ENOSPC, errno.EACCES, errno.EIO, errno.EROFS, errno.EDQUOT, errno.EMFILE),
    "pwrite": (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG),
    "write": (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG),
    "fsync": (errno.EIO, errno.ENOSPC, errno.EDQUOT),
    "fdatasync": (errno.EIO, errno.ENOSPC, errno.EDQUOT),
    "ftruncate": (errno.EIO, errno.ENOSPC),
    "flock": (errno.ENOLCK, errno.EIO),
    "rename": (errno.EIO, errno.ENOSPC, errno.EACCES, errno.EDQUOT),
    "renameat2": (errno.EIO, errno.ENOSPC, errno.EACCES, errno.EDQUOT),
    "link": (errno.EIO, errno.ENOSPC),
    "unlink": (errno.EIO, errno.EACCES),
}
# Calls that a signal's handler may end early on a slow file system.
INTERRUPTIBLE = {
    "open", "pread", "read", "pwrite", "write", "fsync", "fdatasync", "ftruncate", "flock",
}  # fmt: skip


def build(folder: Path) -> Path:
    """Compiles the shim into a folder."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("no C compiler: cc and gcc are not in PATH")
    library = folder / "shim.so"
    subprocess.run(
        [compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
         "-Wno-missing-field-initializers", "-fvisibility=hidden", "-o", library,
         *(HERE / name for name in _SOURCES), "-ldl", "-lpthread"],
        check=True,
    )  # fmt: skip
    return library


@dataclass(frozen=True)
class Faults:
    """What the shim does to one process.

    plan: entries as the top of shim_faults.c describes them, such as "op 17 kill-before".
    log: where the calls are logged; with_data adds the bytes of every write.
    """

    plan: Sequence[str] = ()
    log: Path | None = None
    with_data: bool = False
    no_sync: bool = False

    def environment(self, library: Path, folder: Path, source: Path) -> dict[str, str]:
        """The variables that put a process under the shim."""
        variables = {
            "LD_PRELOAD": os.fspath(library),
            "FAULTS_DIR": os.fspath(folder),
            "FAULTS_INPUT": os.fspath(source),
            "FAULTS_PLAN": ";".join(self.plan),
        }
        if self.log is not None:
            variables["FAULTS_LOG"] = os.fspath(self.log)
        if self.with_data:
            variables["FAULTS_LOG_DATA"] = "1"
        if self.no_sync:
            variables["FAULTS_NO_SYNC"] = "1"
        return variables


@dataclass(frozen=True)
class Call:
    """One logged call. index counts within its group, from 1."""

    group: str
    index: int
    kind: str
    fd: int
    path: str
    other: str  # the new name of a rename or link
    offset: int  # of a read or write; an open's flags
    length: int  # asked for; the size of an ftruncate
    result: int
    error: int
    created: bool  # an open that made the file
    data: bytes

    @property
    def name(self) -> str:
        return os.path.basename(self.path)

    @property
    def is_write(self) -> bool:
        return self.kind in ("pwrite", "write")

    @property
    def is_read(self) -> bool:
        return self.kind in ("pread", "read")

    def __str__(self) -> str:
        names = self.path + (f" -> {self.other}" if self.other else "")
        return (
            f"{self.group} {self.index} {self.kind}({names}, {self.offset}, {self.length})"
            f" = {self.result}" + (f" {errno.errorcode[self.error]}" if self.error else "")
        )


def read_log(path: Path) -> list[Call]:
    """The calls of a log up to its end, or to the first record that is torn."""
    if not path.exists():
        return []
    log = path.read_bytes()
    calls = []
    at = 0
    while at + _HEAD.size <= len(log):
        magic, size, check = _HEAD.unpack_from(log, at)
        body = log[at + _HEAD.size : at + _HEAD.size + size]
        if magic != _MAGIC or len(body) < size or zlib.adler32(body) != check:
            break
        at += _HEAD.size + size
        group, index, fd, error, created, offset, length, result, kind, *sizes = _BODY.unpack(
            body[: _BODY.size]
        )
        names = _BODY.size
        others = names + sizes[0]
        data = others + sizes[1]
        calls.append(
            Call(
                GROUPS[group], index, kind.rstrip(b"\0").decode(), fd,
                os.fsdecode(body[names:others]), os.fsdecode(body[others:data]),
                offset, length, result, error, bool(created), body[data : data + sizes[2]],
            )
        )  # fmt: skip
    return calls


def operations(calls: Sequence[Call]) -> list[Call]:
    """The calls of the group "op": what changes the directory or makes it durable."""
    return [call for call in calls if call.group == "op"]
