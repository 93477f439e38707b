"""Sources above 2 GiB: a wrong packet size is damage, not a want of memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import decoded_frames, packet_hashes
from streamvsr import StreamingVideoProcessor, errors

from fidelity.sources import make
from fidelity.sources.large_files import BYTES

CONFIG = {"model": "nearest", "disk_ratio": None, "encoder_preset": "ultrafast"}


def test_a_whole_film(tmp_path: Path) -> None:
    source = make("large_plain.mp4", tmp_path)
    result = StreamingVideoProcessor(CONFIG).process(source, tmp_path / "out.mkv")
    assert result.success, result.error
    assert decoded_frames(tmp_path / "out.mkv") == 60


@pytest.mark.parametrize("kind", ["sound", "picture"])
def test_a_packet_of_nearly_1_gib(kind: str, tmp_path: Path) -> None:
    source = make(f"large_huge_{kind}_packet.mp4", tmp_path)
    assert source.stat().st_size == BYTES
    target = tmp_path / "out.mkv"
    result = StreamingVideoProcessor(CONFIG).process(source, target)
    assert result.success, result.error
    assert result.warnings
    # 40 packets come before it; the demuxer does not get behind it.
    stream = "a:0" if kind == "sound" else "v:0"
    assert 30 <= len(packet_hashes(target, stream)) <= 41
    strict = StreamingVideoProcessor({**CONFIG, "strict": True})
    failed = strict.process(source, tmp_path / "no.mkv")
    assert isinstance(failed.exception, errors.DamagedInputError), failed
