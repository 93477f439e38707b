"""The numeric type that `precision="auto"` stands for, on this machine and in a resumed job."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamvsr
from helpers import make_clip
from streamvsr import _core
from streamvsr.models import find_model, microkernel_path, numeric_type
from unfinished import interrupt

DEFAULT = os.fspath(find_model(None))
OPTIONS: dict[str, Any] = {"codec": "ffv1", "disk_ratio": None, "segment_seconds": 0.5}


def _flags() -> str:
    return Path("/proc/cpuinfo").read_text()


def _engine(precision: str) -> _core.RowsEngine:
    return _core.RowsEngine(DEFAULT, brgemm=microkernel_path(), precision=precision)


def _seconds(engine: _core.RowsEngine) -> float:
    picture = [np.full((64, 480), 128, np.uint8)]
    start = time.thread_time()
    engine.run(picture, [20.0 / 51.0])
    return time.thread_time() - start


def test_auto_is_not_the_clearly_slower_type_here() -> None:
    chosen = numeric_type(DEFAULT)
    assert chosen in ("bf16", "fp32")
    assert f"rows {chosen}" in _engine("auto").describe()
    other = _engine("fp32" if chosen == "bf16" else "bf16")
    if "brgemm" not in other.describe():
        return  # computed by plain loops: no choice
    mine = _engine(chosen)
    ratios = []
    for _ in range(7):
        mine_seconds, other_seconds = _seconds(mine), _seconds(other)
        ratios.append(mine_seconds / other_seconds)
    # Far above the 15 % that a measurement must differ by: a busy machine may not fail this.
    assert sorted(ratios)[0] < 1.5, ratios


def test_a_processor_limited_to_vector_units_follows_their_speed() -> None:
    flags = _flags()
    if "avx512_bf16" not in flags or "GenuineIntel" not in flags:
        pytest.skip("needs an Intel processor with AVX512_BF16")
    env = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"}
    code = "from streamvsr.models import *; print(numeric_type(find_model(None)))"
    run = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "fp32"


def test_models_names_the_type() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "streamvsr", "models"], capture_output=True, text=True, check=True
    )
    assert numeric_type(DEFAULT) in run.stdout


def _fnv1a(data: bytes) -> int:
    value = 14695981039346656037
    for byte in data:
        value = (value ^ byte) * 1099511628211 % (1 << 64)
    return value


def _swap_remembered(folder: Path) -> None:
    """Makes every remembered choice the other type, as another measurement might."""
    for path in folder.iterdir():
        whole, _ = path.read_bytes().rstrip(b"\n").rsplit(b"\n", 1)
        whole += b"\n"
        swapped = whole[:-5] + (b"fp32\n" if whole.endswith(b"bf16\n") else b"bf16\n")
        path.write_bytes(swapped + b"%016x\n" % _fnv1a(swapped))


def test_a_resumed_job_computes_in_the_type_it_began_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(cache))
    began = numeric_type(DEFAULT)
    remembered = cache / "streamvsr" / "numeric-type"
    if not remembered.exists():
        pytest.skip("this processor computes in fp32 alone: nothing to remember")
    clip = make_clip(tmp_path / "in.mp4", frames=50)
    whole, part = tmp_path / "whole.mkv", tmp_path / "part.mkv"
    streamvsr.upscale(clip, whole, **OPTIONS)
    interrupt(clip, part, **OPTIONS)
    _swap_remembered(remembered)
    assert numeric_type(DEFAULT) != began
    result = streamvsr.upscale(clip, part, **OPTIONS)
    assert result.performance_report["resumed_frames"] > 0
    assert f"rows {began}" in result.performance_report["enhancer"]
    assert part.read_bytes() == whole.read_bytes()
