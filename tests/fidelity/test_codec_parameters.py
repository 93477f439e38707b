"""Sound whose parameters only its packets carry gets a header that other programs accept."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import decoder_complaints, packet_hashes, run, streams
from streamvsr import StreamingVideoProcessor
from unfinished import interrupt

from fidelity.sources import make

CONFIG: dict[str, Any] = {
    "model": "nearest", "scale": 1, "encoder_preset": "ultrafast", "disk_ratio": None
}  # fmt: skip
ADTS = ["adts.ts", "adts-surround.ts", "adts.nut"]
OTHERS = ["ac3.ts", "eac3.ts", "dts.ts", "opus.ts", "second-hevc.ts"]
LATE = ["late-adts.ts", "late-ac3.ts"]
KEYS = ("codec_name", "profile", "sample_rate", "channels", "channel_layout", "width", "height")


def upscale(source: Path, target: Path, **options: Any) -> list[str]:
    result = StreamingVideoProcessor({**CONFIG, **options}).process(source, target, None, None)
    assert result.success, result.error
    return result.warnings


def described(path: Path, kind: str) -> list[dict[str, Any]]:
    return [{key: s.get(key) for key in KEYS} for s in streams(path, kind)]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes each source once."""
    folder = tmp_path_factory.mktemp("films")
    return lambda name: folder / name if (folder / name).exists() else make(name, folder)


@pytest.mark.parametrize("name", ADTS + OTHERS + LATE)
def test_mkvmerge_reads_every_stream(
    films: Callable[[str], Path], name: str, tmp_path: Path
) -> None:
    source, target = films(name), tmp_path / "out.mkv"
    assert upscale(source, target) == []
    done = subprocess.run(
        ["mkvmerge", "-o", tmp_path / "merged.mkv", target], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    assert described(tmp_path / "merged.mkv", "audio") == described(target, "audio")
    assert len(streams(target, "video")) == (2 if name == "second-hevc.ts" else 1)


@pytest.mark.parametrize("container", ["mkv", "mp4", "mov"])
@pytest.mark.parametrize("name", [*ADTS, *LATE])
def test_the_sound_is_described_as_in_the_source(
    films: Callable[[str], Path], name: str, container: str, tmp_path: Path
) -> None:
    source, target = films(name), tmp_path / f"out.{container}"
    assert upscale(source, target) == []
    # FFmpeg's program looks further into the source than it does by itself.
    far = ["-probesize", "100M", "-analyzeduration", "100M"]
    probed = tmp_path / "probed.mkv"
    run(["ffmpeg", "-v", "error", *far, "-i", source, "-map", "a", "-c", "copy", probed])
    assert described(target, "audio") == described(probed, "audio")
    hashes = [packet.md5 for packet in packet_hashes(target, "a:0")]
    assert hashes == [packet.md5 for packet in packet_hashes(probed, "a:0")]
    assert decoder_complaints(target) == ""


@pytest.mark.parametrize("container", ["mkv", "mp4", "mov"])
@pytest.mark.parametrize("name", ["adts.ts", "late-adts.ts"])
def test_a_resumed_job_writes_the_same_bytes(
    films: Callable[[str], Path], name: str, container: str, tmp_path: Path
) -> None:
    source = films(name)
    options = {"segment_seconds": 0.5}
    upscale(source, tmp_path / f"whole.{container}", **options)
    target = tmp_path / f"out.{container}"
    interrupt(source, target, **{**CONFIG, "codec": "h264", **options})
    upscale(source, target, resume=True, **options)
    assert target.read_bytes() == (tmp_path / f"whole.{container}").read_bytes()
