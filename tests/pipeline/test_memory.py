"""max_memory_mb: what is lowered to keep it, what is refused, and what the user set stays."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import streamvsr
from helpers import cli, make_clip, numbers, run
from streamvsr import MemoryLimitError

SMALL: dict[str, Any] = {
    "model": "nearest", "encoder_preset": "medium", "encoder_threads": 2, "decoder_threads": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 frames of 480 x 270."""
    folder = tmp_path_factory.mktemp("memory")
    return make_clip(folder / "film.mp4", frames=60, width=480, height=270)


def _least(film: Path, target: Path, **options: Any) -> int:
    """The smallest max_memory_mb that a refusal names."""
    with pytest.raises(MemoryLimitError) as refusal:
        streamvsr.upscale(film, target, **{**SMALL, "max_memory_mb": 64, **options})
    assert isinstance(refusal.value, MemoryError)
    assert "the encoder" in str(refusal.value)
    found = re.findall(r"max_memory_mb=(\d+)", str(refusal.value))
    assert found[0] == "64"
    return int(found[-1])


def test_a_refusal_names_what_suffices(film: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    least = _least(film, target)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(MemoryLimitError):
        streamvsr.upscale(film, target, **SMALL, max_memory_mb=least - 1)
    assert list(tmp_path.iterdir()) == []
    result = streamvsr.upscale(film, target, **SMALL, max_memory_mb=least)
    plan = result.performance_report["memory_plan_mb"]
    assert plan["limit"] == least
    assert least - 1 < plan["used"] <= least
    parts = ("decoder", "encoder", "packets", "fixed", "source", "enhanced")
    assert sum(plan[name] for name in parts) == pytest.approx(plan["used"])
    assert result.performance_report["peak_frames_mb"] <= plan["source"] + plan["enhanced"]
    assert numbers(target) == list(range(60))


def test_the_look_ahead_is_lowered_and_told(film: Path, tmp_path: Path) -> None:
    whole = streamvsr.upscale(film, tmp_path / "whole.mp4", **SMALL)
    assert whole.performance_report["encoder_lookahead"] == 40
    assert not any("max_memory_mb" in text for text in whole.warnings)
    limit = _least(film, tmp_path / "out.mp4") + 16
    result = streamvsr.upscale(film, tmp_path / "out.mp4", **SMALL, max_memory_mb=limit)
    lowered = result.performance_report["encoder_lookahead"]
    assert 5 <= lowered < 40
    assert any(f"look-ahead is {lowered} instead of 40" in text for text in result.warnings)
    assert numbers(tmp_path / "out.mp4") == list(range(60))
    # The same again, from the command line: the plan is a function of input and configuration.
    done = cli(
        "upscale", film, tmp_path / "again.mp4", "--model", "nearest", "--encoder-preset", "medium",
        "--encoder-threads", "2", "--decoder-threads", "2", "--max-memory-mb", str(limit),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "again.mp4").read_bytes() == (tmp_path / "out.mp4").read_bytes()
    assert f"look-ahead is {lowered}" in done.stdout + done.stderr


def test_threads_are_lowered_only_where_they_were_not_asked_for(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _least(film, tmp_path / "out.mp4", encoder_threads=8, decoder_threads=8)
    free = _least(film, tmp_path / "out.mp4", encoder_threads=0, decoder_threads=0)
    assert free < asked


def test_an_option_of_the_users_is_counted_and_kept(film: Path, tmp_path: Path) -> None:
    least = _least(film, tmp_path / "out.mp4")
    options = {"x264-params": "rc-lookahead=40"}
    wanted = _least(film, tmp_path / "out.mp4", encoder_options=options)
    assert wanted > least + 20
    result = streamvsr.upscale(
        film, tmp_path / "out.mp4", **SMALL, encoder_options=options, max_memory_mb=wanted
    )
    assert result.performance_report["encoder_lookahead"] == 40
    assert not any("look-ahead" in text for text in result.warnings)


def test_pictures_that_outgrow_the_plan_are_refused_and_said(tmp_path: Path) -> None:
    parts = []
    for size, seconds in (("64x36", 8), ("3840x2160", 0.2)):
        part = tmp_path / f"{size}.h264"
        run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=s={size}:r=25:d={seconds}",
             "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
             str(part)])  # fmt: skip
        parts.append(part.read_bytes())
    (tmp_path / "all.h264").write_bytes(b"".join(parts))
    film = tmp_path / "film.mkv"
    run(["ffmpeg", "-v", "error", "-fflags", "+genpts", "-r", "25", "-i",
         str(tmp_path / "all.h264"), "-c", "copy", str(film)])  # fmt: skip
    with pytest.raises(MemoryLimitError, match=r"grow to 3840x2160.* MB more") as refusal:
        streamvsr.upscale(film, tmp_path / "out.mp4", **SMALL, disk_ratio=None, max_memory_mb=96)
    found = re.search(r"max_memory_mb=(\d+)", str(refusal.value))
    assert found is not None
    limit = int(found[1])
    result = streamvsr.upscale(
        film, tmp_path / "out.mp4", **SMALL, disk_ratio=None, max_memory_mb=limit
    )
    assert result.frames_processed == 205


def test_a_lowered_look_ahead_is_part_of_what_a_job_is(film: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    tight = _least(film, target) + 8
    options = {**SMALL, "segment_seconds": 1}
    whole = tmp_path / "whole.mp4"
    streamvsr.upscale(film, whole, **options, max_memory_mb=tight)

    def stop(progress: streamvsr.Progress) -> None:
        if progress.segments_done > 0:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        streamvsr.upscale(film, target, progress=stop, **options, max_memory_mb=tight)
    checkpoint = json.loads(Path(f"{target}.streamvsr.json").read_text())
    assert "encoder's look-ahead" in checkpoint["job"]["identity"]
    # A limit that is too small for what was chosen then cannot give the same bytes.
    with pytest.raises(streamvsr.ResumeError, match="look-ahead was"):
        streamvsr.upscale(film, target, **options, max_memory_mb=tight - 8)
    # Any that suffices gives them, and none is needed.
    result = streamvsr.upscale(film, target, **options)
    assert result.performance_report["resumed_frames"] > 0
    assert any("look-ahead is" in text for text in result.warnings)
    assert target.read_bytes() == whole.read_bytes()
