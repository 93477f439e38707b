"""Source files of kinds that are seen in the wild, each made by a function.

A module of this folder holds the sources of one subject. `source` registers a function under
the name of the file it makes; `make` calls it. `python -m fidelity.sources FOLDER` in tests/
makes all of them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path

Maker = Callable[[Path], None]
SOURCES: dict[str, Maker] = {}


def source(name: str) -> Callable[[Maker], Maker]:
    """Registers a function that writes the source `name` at the path it is given."""

    def register(maker: Maker) -> Maker:
        if name in SOURCES:
            raise ValueError(f"two functions make the source {name!r}")
        SOURCES[name] = maker
        return maker

    return register


def load_all() -> None:
    """Imports every module of this folder, so that SOURCES is complete."""
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            importlib.import_module(f"{__name__}.{module.name}")


def make(name: str, folder: Path) -> Path:
    """Makes one source in `folder`; returns its path."""
    load_all()
    path = folder / name
    SOURCES[name](path)
    return path
