"""The commands `streamvsr status` and `streamvsr clean`."""

from __future__ import annotations

import argparse
import json
import os
import sys

from streamvsr.terminal import FAILED, OK, REFUSED, complain


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds both to the command line."""
    status = commands.add_parser(
        "status",
        help="say how far an interrupted or running job is",
        description="Says what an unfinished job has done and needs, and which command goes on.",
    )
    status.add_argument("output", metavar="OUT", help="the output of the job")
    status.add_argument("--json", action="store_true", help="everything there is, as JSON")
    status.set_defaults(run=_status)
    clean = commands.add_parser(
        "clean",
        help="remove what an interrupted job left",
        description="Removes what an interrupted job left beside OUT, after asking; never OUT.",
    )
    clean.add_argument("output", metavar="OUT", help="the output of the job")
    clean.add_argument("-y", "--yes", action="store_true", help="do not ask")
    clean.set_defaults(run=_clean)


def _status(options: argparse.Namespace) -> int:
    from streamvsr import display, remains

    target = _output_of(options.output)
    found = remains.status(target)
    if options.json:
        told = {"output": target, "output_bytes": _size(target), "unfinished": found is not None}
        if found is not None:
            told |= found.to_dict()
        print(json.dumps(told, indent=2))
    else:
        print(display.status_text(found) if found else _nothing(target))
    return OK


def _clean(options: argparse.Namespace) -> int:
    from streamvsr import display, remains
    from streamvsr.errors import OutputBusyError, ResumeError

    target = _output_of(options.output)
    try:
        found = remains.status(target)
        lost = display.lost_text(found)
    except ResumeError as error:
        found, lost = None, f"how many frames they hold is unknown: {error}"
    if found is not None and found.writer is not None:
        who = f"process {found.writer}" if found.writer > 0 else "another process"
        raise OutputBusyError(f"{who} is writing {target!r}: end it first", target)
    sizes = remains.leftovers(target)
    if not sizes:
        print(_nothing(target))
        return OK
    for path, size in sizes.items():
        print(f"{path}: {display.size_text(size)}")
    print(lost)
    if not options.yes:
        if not sys.stdin.isatty():
            complain("nothing is removed: there is nobody to ask; -y removes without asking")
            return REFUSED
        if input("remove? [y/N] ").strip().lower() not in ("y", "yes"):
            complain("nothing is removed")
            return FAILED
    print(f"removed: {', '.join(remains.clean(target))}")
    return OK


def _output_of(path: str) -> str:
    """The output that is meant where its unfinished file or its checkpoint is named."""
    from streamvsr import remains

    for suffix in (".part", ".streamvsr.json"):
        stem = path.removesuffix(suffix)
        if stem != path and path in remains.leftovers(stem):
            return stem
    return path


def _size(path: str) -> int | None:
    return os.path.getsize(path) if os.path.isfile(path) else None


def _nothing(target: str) -> str:
    from streamvsr.display import size_text

    size = _size(target)
    if size is None:
        return f"nothing unfinished on {target!r}, which is not there either"
    return (
        f"nothing unfinished on {target!r}, which is there ({size_text(size)}): "
        "an output gets its name once it is complete"
    )
