"""Timecodes and a camera's data come along."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import (
    decoded_frames,
    make_clip,
    packet_hashes,
    packet_times,
    run,
    streams,
)
from streamvsr import StreamingVideoProcessor

CONFIG = {"model": "nearest", "scale": 1, "encoder_preset": "ultrafast", "disk_ratio": None}


@pytest.mark.parametrize("rate", ["25", "30000/1001"])
@pytest.mark.parametrize("container", ["mp4", "mov", "mkv"])
def test_the_timecode_is_kept(container: str, rate: str, tmp_path: Path) -> None:
    plain = make_clip(tmp_path / "plain.mp4", frames=40, rate=rate, audio="aac")
    source = tmp_path / "in.mov"
    code = "01:02:03;04" if "1001" in rate else "01:02:03:04"
    run(["ffmpeg", "-v", "error", "-i", plain, "-c", "copy", "-timecode", code, source])
    assert [s["codec_tag_string"] for s in streams(source, "data")] == ["tmcd"]
    target = tmp_path / f"out.{container}"
    result = StreamingVideoProcessor({**CONFIG, "segment_seconds": 0.5}).process(
        source, target, None, None
    )
    assert result.success, result.error
    assert not any("data stream" in warning for warning in result.warnings)
    tags = {key.lower(): value for key, value in streams(target, "video")[0]["tags"].items()}
    assert tags["timecode"] == code
    if container != "mkv":
        before, after = streams(source, "data"), streams(target, "data")
        assert [s["tags"]["timecode"] for s in after] == [s["tags"]["timecode"] for s in before]


def test_gopros_track_is_copied_to_mp4(tmp_path: Path) -> None:
    # FFmpeg's program makes none: a text track by another name has the same structure.
    plain = make_clip(tmp_path / "plain.mp4", frames=60, audio="aac", subtitles="mov_text")
    data = plain.read_bytes()
    assert data.count(b"tx3g") == data.count(b"sbtl") == 1
    source = tmp_path / "in.mp4"
    source.write_bytes(data.replace(b"tx3g", b"gpmd").replace(b"sbtl", b"meta"))
    assert [s["codec_tag_string"] for s in streams(source, "data")] == ["gpmd"]
    target = tmp_path / "out.mp4"
    result = StreamingVideoProcessor(CONFIG).process(source, target, None, None)
    assert result.success, result.error
    assert [s["codec_tag_string"] for s in streams(target, "data")] == ["gpmd"]
    before, after = packet_hashes(source, "d:0"), packet_hashes(target, "d:0")
    assert [p.md5 for p in after] == [p.md5 for p in before]
    assert packet_times(target, "d:0") == packet_times(source, "d:0")
    mkv = StreamingVideoProcessor(CONFIG).process(source, tmp_path / "out.mkv", None, None)
    assert any("data stream" in warning for warning in mkv.warnings)


def test_sound_that_breaks_off_is_named(tmp_path: Path) -> None:
    """One packet claims to be larger than the file, behind which FFmpeg's demuxer does not get."""
    source = make_clip(tmp_path / "in.mp4", frames=60, audio="aac")
    data = bytearray(source.read_bytes())
    track = data.index(b"soun")
    sizes = data.index(b"stsz", track) + 16  # ISO/IEC 14496-12: version, one size, count
    data[sizes + 40 : sizes + 44] = b"\x25\x12\x4f\x2e"
    source.write_bytes(data)
    result = StreamingVideoProcessor(CONFIG).process(source, tmp_path / "out.mkv")
    assert result.success, result.error
    assert any("break off" in warning for warning in result.warnings)
    strict = StreamingVideoProcessor({**CONFIG, "strict": True})
    assert "break off" in str(strict.process(source, tmp_path / "no.mkv").error)


@pytest.mark.parametrize("container", ["mkv", "mp4"])
def test_aac_that_lost_its_header_is_named(
    container: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """No box says how it is coded, and its packets never did; the pictures come all the same."""
    data = make_clip(tmp_path / "whole.mp4", frames=60, audio="aac").read_bytes()
    assert data.count(b"esds") == 1
    source = tmp_path / "in.mp4"
    source.write_bytes(data.replace(b"esds", b"free"))
    target = tmp_path / f"out.{container}"
    result = StreamingVideoProcessor(CONFIG).process(source, target, None, None)
    assert result.success, result.error
    assert "ADTS" not in capfd.readouterr().err  # FFmpeg's word on each packet
    assert any("says nowhere how it is coded" in warning for warning in result.warnings)
    assert streams(target, "audio") == []
    assert decoded_frames(target) == 60


@pytest.mark.parametrize("container", ["mkv", "mp4"])
def test_a_damaged_packet_of_broadcasts_aac_is_left_out(container: str, tmp_path: Path) -> None:
    stream = make_clip(tmp_path / "in.ts", frames=60, audio="aac")
    source = tmp_path / "in.nut"  # keeps packets as they are, whatever is in them
    run(["ffmpeg", "-v", "error", "-i", stream, "-c", "copy", source])
    packets = len(packet_hashes(source, "a:0"))
    data = source.read_bytes()
    sync = b"\xff\xf1\x50"  # ISO/IEC 14496-3: the header of AAC-LC without a checksum, 44.1 kHz
    assert data.count(sync) == packets
    parts = data.split(sync)
    source.write_bytes(sync.join(parts[:20]) + b"\0\0\0" + sync.join(parts[20:]))
    target = tmp_path / f"out.{container}"
    result = StreamingVideoProcessor(CONFIG).process(source, target, None, None)
    assert result.success, result.error
    assert len(packet_hashes(target, "a:0")) == packets - 1
    assert decoded_frames(target) == 60
