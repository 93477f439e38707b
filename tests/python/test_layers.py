"""The check of the layers finds what it is there to find."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from helpers import REPO


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_layers", REPO / "tools/check_layers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("file", "include", "allowed"),
    [
        ("base/a.h", '"base/b.h"', True),
        ("base/a.h", '"color/planes.h"', False),
        ("media/a.cpp", '"color/planes.h"', True),
        ("media/a.cpp", "<libavcodec/avcodec.h>", True),
        ("pipeline/a.cpp", "<libavcodec/avcodec.h>", False),
        ("pipeline/a.cpp", '"enhance/enhancer.h"', True),
        ("pipeline/a.cpp", '"enhance/rows_enhancer.h"', False),
        ("color/a.cpp", "<zimg.h>", True),
        ("media/a.cpp", "<zimg.h>", False),
        ("model/brgemm/a.cpp", "<ATen/native/CPUBlas.h>", True),
        ("model/torch/a.cpp", "<torch/script.h>", True),
        ("tensor/torch/a.cpp", "<c10/core/Allocator.h>", True),
        ("tensor/a.h", "<c10/core/Allocator.h>", False),
        ("tile/a.cpp", '"tensor/memory.h"', True),
        ("tile/a.cpp", '"model/engine.h"', False),
        ("model/a.cpp", "<ATen/ATen.h>", False),
        ("bindings/a.cpp", '"enhance/rows_enhancer.h"', True),
        ("enhance/a.cpp", '"media/av.h"', False),
        ("elsewhere/a.cpp", "<vector>", False),
    ],
)
def test_an_include_is_judged(
    check: ModuleType, tmp_path: Path, file: str, include: str, allowed: bool
) -> None:
    headers = [
        "base/b.h",
        "tensor/memory.h",
        "model/engine.h",
        "color/planes.h",
        "enhance/enhancer.h",
        "enhance/rows_enhancer.h",
    ]
    for name in [*headers, "media/av.h", file]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / file).write_text(f"#pragma once\n#include {include}\n")
    assert bool(check.breaches(tmp_path)) is not allowed


def test_the_repository_obeys(check: ModuleType) -> None:
    assert check.breaches(REPO / "cpp") == []
