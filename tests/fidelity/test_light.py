"""HDR: what holds for the whole film is carried, in the container and in the stream."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from helpers import ffprobe, run, streams
from streamvsr import StreamingVideoProcessor

DISPLAY = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
PQ = ("-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc")


def make_hdr(path: Path, *more: str) -> Path:
    run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=128x96:r=24", "-frames:v", "6",
         "-pix_fmt", "yuv420p10le", "-c:v", "libx265", *PQ, "-x265-params",
         f"log-level=none:hdr10=1:master-display={DISPLAY}:max-cll=1000,400", *more, path]
    )  # fmt: skip
    return path


def light(entries: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Mastering display and content light of a list of side data, by type."""
    return {
        entry["side_data_type"]: {
            k: round(float(Fraction(v)), 4) for k, v in entry.items() if k != "side_data_type"
        }
        for entry in entries
        if "ight" in entry["side_data_type"] or "astering" in entry["side_data_type"]
    }


def first_frame(path: Path) -> dict[str, Any]:
    answer = ffprobe(path, "-select_streams", "v", "-show_frames", "-read_intervals", "%+#1")
    frame: dict[str, Any] = answer["frames"][0]
    return frame


def bare_stream(path: Path) -> Path:
    kind = {"h264": "h264", "hevc": "hevc", "av1": "obu"}[streams(path, "video")[0]["codec_name"]]
    bare = path.with_suffix(f".{kind}")
    run(["ffmpeg", "-v", "error", "-y", "-i", path, "-map", "0:v", "-c", "copy", "-f", kind, bare])
    return bare


def in_stream(path: Path) -> dict[str, dict[str, float]]:
    """As the decoder finds it in the first frame of the bare elementary stream."""
    return light(first_frame(bare_stream(path)).get("side_data_list", []))


@pytest.mark.parametrize("container", ["mp4", "mkv"])
@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_static_metadata_is_carried(codec: str, container: str, tmp_path: Path) -> None:
    source = make_hdr(tmp_path / "in.mkv")
    told = light(first_frame(source)["side_data_list"])
    assert len(told) == 2
    target = tmp_path / f"out.{container}"
    config = {"codec": codec, "model": "nearest", "encoder_preset": "ultrafast", "disk_ratio": None}
    result = StreamingVideoProcessor(config).process(source, target, None, None)
    assert result.success, result.error
    video = streams(target, "video")[0]
    assert light(video.get("side_data_list", [])) == told
    for tag in ("color_transfer", "color_primaries", "color_space"):
        assert video[tag] == streams(source, "video")[0][tag]
    if codec == "h264":  # whose decoder tells neither before FFmpeg 6: SEI 137 and 144
        bare = bare_stream(target).read_bytes()
        assert b"\x01\x06\x89\x18" in bare
        assert b"\x01\x06\x90\x04\x03\xe8\x01\x90" in bare
    else:
        found = in_stream(target)
        assert set(found) == set(told)
        content = next(key for key in told if "ontent" in key)
        assert found[content] == told[content]


def test_what_only_the_pictures_say_reaches_the_container(tmp_path: Path) -> None:
    """A transport stream has no place for it but the video itself."""
    source = make_hdr(tmp_path / "in.ts")
    target = tmp_path / "out.mp4"
    result = StreamingVideoProcessor({"codec": "hevc", "model": "nearest", "disk_ratio": None})
    assert result.process(source, target, None, None).success
    assert len(light(streams(target, "video")[0]["side_data_list"])) == 2


def hdr10plus_message() -> bytes:
    """A SEI message with the least of HDR10+ (SMPTE ST 2094-40) that FFmpeg's decoder takes."""
    bits = ""

    def put(value: int, width: int) -> None:
        nonlocal bits
        bits += format(value, f"0{width}b")

    put(4, 8)  # application identifier
    put(1, 8)  # application version
    put(1, 2)  # windows
    put(10000, 27)  # targeted luminance
    put(0, 1)  # no actual peak of the targeted display
    for _ in range(3):
        put(50000, 17)  # maxscl
    put(40000, 17)  # average
    put(0, 4)  # no percentiles
    put(0, 10)  # fraction of bright pixels
    put(0, 1)  # no actual peak of the mastering display
    put(0, 1)  # no tone mapping
    put(0, 1)  # no saturation mapping
    bits += "0" * (-len(bits) % 8)
    body = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
    payload = b"\xb5\x00\x3c\x00\x01" + body
    message = bytes([4, len(payload)]) + payload + b"\x80"
    escaped = bytearray()
    for byte in message:
        if len(escaped) > 1 and escaped[-1] == escaped[-2] == 0 and byte <= 3:
            escaped.append(3)
        escaped.append(byte)
    return b"\x00\x00\x00\x01\x4e\x01" + bytes(escaped)


def test_metadata_of_single_pictures_is_left_out_with_a_warning(tmp_path: Path) -> None:
    plain = make_hdr(tmp_path / "plain.hevc")
    data = plain.read_bytes()
    at = next(
        place.start()
        for place in re.finditer(rb"\x00\x00\x01", data)
        if data[place.end()] >> 1 < 32  # the first picture: HEVC, table 7-1
    )
    at -= data[at - 1] == 0
    source = tmp_path / "in.hevc"
    source.write_bytes(data[:at] + hdr10plus_message() + data[at:])
    frame = first_frame(source)
    assert any("2094-40" in entry["side_data_type"] for entry in frame["side_data_list"])
    wrapped = tmp_path / "in.mkv"
    run(["ffmpeg", "-v", "error", "-f", "hevc", "-r", "24", "-i", source, "-c", "copy",
         "-bsf:v", "setts=ts=N", wrapped])  # fmt: skip
    result = StreamingVideoProcessor({"codec": "hevc", "model": "nearest"}).process(
        wrapped, tmp_path / "out.mkv", None, None
    )
    assert result.success, result.error
    assert any("HDR10+" in warning for warning in result.warnings)
    frame = first_frame(tmp_path / "out.mkv")
    assert not any("2094-40" in e["side_data_type"] for e in frame.get("side_data_list", []))
