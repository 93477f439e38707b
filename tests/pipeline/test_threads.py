"""Which threads change the output's bytes, and which do not."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import streamvsr
from helpers import make_clip
from streamvsr import _core, api
from unfinished import stop_after_a_segment

COUNTS = (1, 2, 4)


@pytest.fixture(scope="module", params=["libx264", "libx265", "mpeg4"])
def film(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(
        tmp_path_factory.mktemp("film") / "in.mkv", frames=60, codec=request.param, audio="aac",
        options=("-bf", "2", "-g", "20"),
    )  # fmt: skip


def _bytes(film: Path, target: Path, **options: Any) -> str:
    streamvsr.upscale(film, target, encoder_preset="ultrafast", segment_seconds=1, **options)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    target.unlink()
    return digest


def test_decoding_and_computing_threads_never_change_a_byte(film: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    seen = {
        _bytes(film, target, decoder_threads=decode, compute_threads=compute, encoder_threads=2)
        for decode, compute in [(1, 1), (2, 2), (4, 4), (1, 4), (4, 1)]
    }
    assert len(seen) == 1


def _interrupt(film: Path, target: Path, **options: Any) -> None:
    """Runs until the first segment is kept."""
    config = streamvsr.StreamingConfig(
        encoder_preset="ultrafast", segment_seconds=0.5, model="nearest", **options
    )
    job = _core.Job(api.job_config(config, str(film), str(target)))
    stop_after_a_segment(job)


@pytest.mark.parametrize("threads", COUNTS)
def test_the_checkpoint_records_the_encoders_threads(tmp_path: Path, threads: int) -> None:
    film = make_clip(tmp_path / "in.mkv", frames=200, width=320, height=240)
    target = tmp_path / "out.mp4"
    _interrupt(film, target, encoder_threads=threads)
    checkpoint = json.loads((tmp_path / "out.mp4.streamvsr.json").read_text())
    assert checkpoint["job"]["identity"]["encoder_threads"] == str(threads)
    other = threads % 4 + 1
    with pytest.raises(streamvsr.errors.ResumeError, match="encoder_threads"):
        streamvsr.upscale(
            film, target, model="nearest", encoder_preset="ultrafast", segment_seconds=0.5,
            encoder_threads=other,
        )  # fmt: skip
