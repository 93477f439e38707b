"""Holds the includes under cpp/ against the one-way arrows between its layers.

Prints every breach and exits 1 when there is one. Files of more than 400 lines are named, too.
Run it from anywhere: python tools/check_layers.py
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 400

# Which layers a layer may include, beside itself.
ARROWS: dict[str, set[str]] = {
    "base": set(),
    "color": {"base"},
    "media": {"color", "base"},
    "tensor": {"base"},
    "model": {"tensor", "base"},
    "tile": {"tensor", "base"},
    "temporal": {"color", "base"},
    "enhance": {"model", "tile", "temporal", "tensor", "color", "base"},
    "pipeline": {"media", "color", "base"},
    "bindings": {
        "pipeline",
        "enhance",
        "media",
        "temporal",
        "model",
        "tile",
        "tensor",
        "color",
        "base",
    },
}
# Single headers a layer may include beyond its arrows.
EXTRA: dict[str, set[str]] = {
    "pipeline": {"enhance/enhancer.h"},
    "model": {"color/luma_chroma.h"},
}
# Foreign headers and the only folders of cpp/ that may include them.
FOREIGN: list[tuple[str, tuple[str, ...]]] = [
    (r"(libav\w+|libswscale|libswresample)/", ("media",)),
    (r"zimg(\+\+)?\.(h|hpp)$", ("color",)),
    (r"(ATen|torch|c10)/", ("model/brgemm", "model/torch", "tensor/torch")),
    (r"pybind11/", ("bindings",)),
]
_INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


def breaches(cpp: Path) -> list[str]:
    """Every include that breaks a rule, as "file: sentence"."""
    found = []
    for file in _sources(cpp):
        name = file.relative_to(cpp).as_posix()
        layer = name.split("/", 1)[0]
        if layer not in ARROWS:
            found.append(f"{name}: the layer {layer!r} is not known to this check")
            continue
        for own, system in _INCLUDE.findall(file.read_text()):
            found += [f"{name}: {text}" for text in _judge(cpp, layer, name, own, system)]
    return found


def _judge(cpp: Path, layer: str, name: str, own: str, system: str) -> list[str]:
    for pattern, homes in FOREIGN:
        if re.match(pattern, own or system) and not name.startswith(
            tuple(home + "/" for home in homes)
        ):
            return [f"includes {own or system}, which only cpp/{' and cpp/'.join(homes)} may"]
    if not own or not (cpp / own).exists():
        if own and not (cpp / name).parent.joinpath(own).exists():
            return [f'includes "{own}", which is not under cpp/']
        return []
    target = own.split("/", 1)[0]
    if target == layer or target in ARROWS[layer] or own in EXTRA.get(layer, set()):
        return []
    return [f"{layer} must not know of {target} (includes {own})"]


def _sources(cpp: Path) -> list[Path]:
    return sorted(file for file in cpp.rglob("*") if file.suffix in {".h", ".cpp"})


def main() -> int:
    """Checks the repository this file lies in."""
    cpp = ROOT / "cpp"
    for file in _sources(cpp):
        lines = file.read_text().count("\n")
        if lines > MAX_LINES:
            print(f"warning: {file.relative_to(ROOT)} has {lines} lines, more than {MAX_LINES}")
    found = breaches(cpp)
    for breach in found:
        print(f"cpp/{breach}")
    print(f"layers: {len(_sources(cpp))} files, {len(found)} breaches")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
