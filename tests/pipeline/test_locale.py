"""A process whose locale writes numbers with a comma: the same jobs, the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import streamvsr
from helpers import make_clip
from unfinished import stop_after

# Reads a job as JSON, sets the locale, checks that C takes a comma, runs the job.
_PROGRAM = """
import ctypes, json, locale, sys
locale.setlocale(locale.LC_NUMERIC, "xx_COMMA")
text = ctypes.create_string_buffer(32)
ctypes.CDLL(None).snprintf(text, 32, b"%.1f", ctypes.c_double(1.5))
assert text.value == b"1,5", text.value
import streamvsr
job = json.load(sys.stdin)
result = streamvsr.upscale(job["source"], job["target"], **job["options"])
print(result.performance_report["resumed_frames"])
"""


@pytest.fixture(scope="module")
def comma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for LOCPATH with a locale that writes 1,5."""
    folder = tmp_path_factory.mktemp("locales")
    subprocess.run(
        ["localedef", "-c", "-i", "de_DE", "-f", "UTF-8", str(folder / "xx_COMMA")],
        capture_output=True, check=False,
    )  # fmt: skip
    assert (folder / "xx_COMMA" / "LC_NUMERIC").is_file(), "localedef needs the package locales"
    return folder


def _run(comma: Path, source: Path, target: Path, options: dict[str, Any]) -> int:
    job = {"source": str(source), "target": str(target), "options": options}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], input=json.dumps(job), text=True, capture_output=True,
        env={**os.environ, "LOCPATH": str(comma), "LC_ALL": ""}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize(
    ("codec", "more"),
    [
        ("h264", {"x264-params": "aq-strength=0.8:psy-rd=0.9,0.1", "qcomp": 0.7}),
        ("hevc", {"x265-params": "aq-strength=0.8:psy-rd=1.5"}),
        ("av1", {}),
    ],
)
def test_a_job_is_the_same_under_another_locale(
    comma: Path, tmp_path: Path, codec: str, more: dict[str, Any]
) -> None:
    clip = make_clip(tmp_path / "in.mp4", frames=160)
    options: dict[str, Any] = {
        "model": "nearest", "codec": codec, "encoder_preset": "ultrafast", "crf": 28.5,
        "segment_seconds": 0.75, "disk_ratio": 2.25, "encoder_options": more,
        "temporal_window": 2, "mask_strength": 0.5,
    }  # fmt: skip
    whole, stopped, foreign = (tmp_path / f"{n}.mkv" for n in ("whole", "stopped", "foreign"))
    streamvsr.upscale(clip, whole, **options)
    assert _run(comma, clip, foreign, options) == 0
    assert foreign.read_bytes() == whole.read_bytes()
    # Begun under one, resumed under the other.
    stop_after(clip, stopped, 1, **options)
    shutil.copy(f"{stopped}.streamvsr.json", tmp_path / "kept.json")
    assert _run(comma, clip, stopped, options) > 0
    assert stopped.read_bytes() == whole.read_bytes()
