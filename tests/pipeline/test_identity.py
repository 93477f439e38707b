"""A resume by other options: refused, or the same bytes as without an interruption."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
import streamvsr
from helpers import make_clip, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streamvsr import StreamingConfig, _core, errors
from unfinished import stop_after

# A network of scale 1 to 8 and an output of a size of its own: scale changes samples alone.
BASE: dict[str, Any] = {
    "model": "nearest", "scale": 2, "width": 96, "height": 72, "segment_seconds": 0.5,
    "encoder_preset": "ultrafast", "temporal_window": 2, "temporal_strength": 0.5,
    "temporal_flow": "half", "background_lock": False, "mask_strength": 0.5, "mask_edges": 0.01,
    "compute_threads": 1, "encoder_threads": 2, "decoder_threads": 1,
}  # fmt: skip
# Values of every option that differ from BASE.
OTHERS: dict[str, list[Any]] = {
    "scale": [1, 3, 4], "model": ["default_x2"], "precision": ["fp32", "bf16"],
    "engine": ["rows"], "device": ["cpu"],
    "temporal_window": [1, 3], "temporal_strength": [0.7], "temporal_flow": ["full", "off"],
    "background_lock": [True], "mask_strength": [0.25, 1.0], "mask_highlights": [0.5],
    "mask_shadows": [0.5], "mask_edges": [0.0, 0.2], "mask_motion": [0.01],
    "codec": ["hevc", "av1"], "crf": [18, 30, 18.0625], "encoder_preset": ["superfast"],
    "pixel_format": ["yuv420p", "yuv422p", "yuv420p10le"], "width": [64, 128], "height": [48, 100],
    "color_matrix": ["bt601", "bt709"], "interlaced": ["keep", "refuse"], "rotation": ["apply"],
    "size_change": ["refuse"], "streams": [("v",), ("a:0",)],
    "encoder_options": [{"tune": "animation"}, {"rc-lookahead": "7"}], "container": ["mkv"],
    "resume": [True], "overwrite": [True], "strict": [True], "segment_seconds": [1.0, 0.75],
    "max_memory_mb": [96, 2048], "max_frames_mb": [64], "max_vram_mb": [512],
    "memory_warning_mb": [64], "disk_ratio": [None, 2.0, 50.0], "max_disk_fraction": [None, 0.5],
    "encoder_threads": [1, 3], "decoder_threads": [2], "compute_threads": [2],
}  # fmt: skip


@dataclass(frozen=True)
class Begun:
    """A job that was interrupted after a segment, and what it would have made."""

    source: Path
    target: Path
    whole: bytes


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Begun:
    folder = tmp_path_factory.mktemp("begun")
    plain = make_clip(folder / "plain.mp4", frames=60, audio="aac")
    source = folder / "in.mp4"
    # Turned, with a mark that says so, so that rotation matters.
    run(["ffmpeg", "-v", "error", "-i", str(plain), "-c", "copy", "-metadata:s:v:0", "rotate=180",
         str(source)])  # fmt: skip
    target = folder / "whole.mp4"
    streamvsr.upscale(source, target, **BASE)
    stopped = folder / "out.mp4"
    stop_after(source, stopped, 1, **BASE)
    return Begun(source, stopped, target.read_bytes())


def _resumed(begun: Begun, folder: Path, **options: Any) -> bytes | None:
    """What a resume by these options makes; None: it is refused."""
    target = folder / "out.mp4"
    for end in (".part", ".streamvsr.json"):
        shutil.copy(f"{begun.target}{end}", f"{target}{end}")
    try:
        result = streamvsr.upscale(begun.source, target, **options)
    except errors.ResumeError:
        return None
    finally:
        streamvsr.clean(target)
    assert result.performance_report["resumed_frames"] > 0
    made = target.read_bytes()
    target.unlink()
    return made


def _check(begun: Begun, folder: Path, name: str, value: Any) -> None:
    options = {**BASE, name: value}
    made = _resumed(begun, folder, **options)
    if made is None:
        return
    assert made == begun.whole
    if name == "resume":  # a run that is none
        return
    streamvsr.upscale(begun.source, folder / "fresh.mp4", **options)
    assert (folder / "fresh.mp4").read_bytes() == begun.whole


def test_the_table_has_every_option_once() -> None:
    names = [option.option for option in _core.identity_options() if option.option]
    assert sorted(names) == sorted(item.name for item in fields(StreamingConfig))
    assert OTHERS.keys() == set(names) - {"model_id"}
    for option in _core.identity_options():
        # Part of the bytes under a name, or exempt for a reason.
        assert bool(option.entry) != bool(option.exempt)


def test_the_checkpoint_has_what_the_table_says(begun: Begun) -> None:
    checkpoint = json.loads(Path(f"{begun.target}.streamvsr.json").read_text())
    kept = {**checkpoint["job"]["identity"], **checkpoint["environment"]}
    known = {option.entry for option in _core.identity_options()}
    assert kept.keys() <= known
    optional = {"draft", "encoder's look-ahead", "color_matrix"}
    assert known - kept.keys() - {""} <= optional


def test_the_same_options_give_the_same_bytes(begun: Begun, tmp_path: Path) -> None:
    assert _resumed(begun, tmp_path, **BASE) == begun.whole


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_one_option_that_differs(begun: Begun, tmp_path: Path, name: str) -> None:
    for index, value in enumerate(OTHERS[name]):
        folder = tmp_path / str(index)
        folder.mkdir()
        _check(begun, folder, name, value)


@settings(
    max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)  # fmt: skip
@given(
    scale=st.sampled_from([1, 2, 3, 4, 8]), crf=st.floats(0.1, 51), seconds=st.floats(0.5, 3),
    ratio=st.floats(1.5, 90), edges=st.floats(0, 1), which=st.integers(0, 4),
)  # fmt: skip
def test_any_number_that_differs(
    begun: Begun, tmp_path: Path, scale: int, crf: float, seconds: float, ratio: float,
    edges: float, which: int,
) -> None:  # fmt: skip
    name, value = [
        ("scale", scale), ("crf", crf), ("segment_seconds", seconds), ("disk_ratio", ratio),
        ("mask_edges", edges),
    ][which]  # fmt: skip
    try:
        _check(begun, tmp_path, name, value)
    except errors.ConfigError:  # a disk_ratio that is too small for the film
        assert name == "disk_ratio"
    (tmp_path / "fresh.mp4").unlink(missing_ok=True)


def test_scale_is_part_of_a_job_whose_size_is_given(tmp_path: Path) -> None:
    """The pictures differ though the output's size does not."""
    clip = make_clip(tmp_path / "in.mp4", frames=60)
    target = tmp_path / "out.mp4"
    options: dict[str, Any] = {
        "model": "nearest", "width": 96, "height": 72, "segment_seconds": 0.5,
    }  # fmt: skip
    stop_after(clip, target, 1, scale=2, **options)
    with pytest.raises(errors.ResumeError, match="enhanced size"):
        streamvsr.upscale(clip, target, scale=1, **options)
