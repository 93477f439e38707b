"""Colour through the whole program, held against FFmpeg's zscale (zimg by another's hand).

STREAMVSR_FIDELITY=all runs every combination; else a sample of them that visits every value.
"""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from helpers import run, streams
from numpy.typing import NDArray
from safetensors.numpy import save_file
from streamvsr import StreamingVideoProcessor

WIDTH, HEIGHT, FRAMES = 66, 46, 2  # no multiple of 4: chroma has an odd size
LOSSLESS = {"codec": "ffv1", "disk_ratio": None}


@dataclass(frozen=True)
class Case:
    """What a source says of its codes, in FFmpeg's words."""

    matrix: str = "bt709"
    range: str = "tv"
    siting: str = "left"
    layout: str = "yuv420p"
    depth: int = 8

    @property
    def pixel_format(self) -> str:
        if self.layout == "gray":
            return "gray" if self.depth == 8 else f"gray{self.depth}le"
        return self.layout if self.depth == 8 else f"{self.layout}{self.depth}le"

    @property
    def zscale(self) -> str:
        """The name of its matrix in zscale."""
        return {"bt709": "709", "smpte170m": "170m", "bt2020nc": "2020_ncl"}[self.matrix]


ALL = [
    Case(*values)
    for values in itertools.product(
        ("bt709", "smpte170m", "bt2020nc"),
        ("tv", "pc"),
        ("left", "center", "topleft"),
        ("yuv420p", "yuv422p", "yuv444p", "gray"),
        (8, 10, 12),
    )
]
# Every 11th: 11 shares no factor with the numbers of values, so each value comes up.
CASES = ALL if os.environ.get("STREAMVSR_FIDELITY") == "all" else ALL[::11]


def make_source(path: Path, case: Case) -> Path:
    """Smooth colours and edges, lossless, with its tags."""
    picture = (
        f"testsrc2=s={WIDTH}x{HEIGHT}:r=25,format=gbrp16,"
        f"zscale=matrix={case.zscale}:range={case.range}:chromal={case.siting}:dither=none,"
        f"format={case.pixel_format},setparams=colorspace={case.matrix}:range={case.range}"
    )
    run(
        ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", picture, "-frames:v", str(FRAMES),
         "-c:v", "ffv1", "-colorspace", case.matrix, "-color_range", case.range,
         "-chroma_sample_location", case.siting, path]
    )  # fmt: skip
    return path


def raw(path: Path, filters: str = "null", pixel_format: str = "") -> bytes:
    """Decoded frames as FFmpeg gives them."""
    chosen = ["-pix_fmt", pixel_format] if pixel_format else []
    return run(
        ["ffmpeg", "-v", "error", "-nostdin", "-i", path, "-vf", filters, *chosen,
         "-f", "rawvideo", "-"]
    ).stdout  # fmt: skip


def codes(data: bytes, depth: int) -> NDArray[np.int64]:
    return np.frombuffer(data, np.uint8 if depth == 8 else np.uint16).astype(np.int64)


def rgb_network(path: Path, scale: int) -> Path:
    """Repeats samples of red, green and blue."""
    weight = np.zeros((3 * scale * scale, 3, 1, 1), np.float32)
    for channel in range(3 * scale * scale):
        weight[channel, channel // (scale * scale)] = 1
    layers: list[dict[str, object]] = [{"op": "conv1x1", "weight": "w", "bias": "b"}]
    if scale > 1:
        layers.append({"op": "pixel_shuffle", "factor": scale})
    about = {
        "format": 1, "name": "repeats", "scale": scale, "planes": "rgb", "inputs": ["frame"],
        "range": "code", "residual": "none", "layers": layers, "trained_on": "nothing",
        "licence": "CC0-1.0",
    }  # fmt: skip
    bias = np.zeros(3 * scale * scale, np.float32)
    save_file({"w": weight, "b": bias}, path, metadata={"streamvsr": json.dumps(about)})
    return path


def upscale(source: Path, target: Path, **options: object) -> Path:
    result = StreamingVideoProcessor({**LOSSLESS, **options}).process(source, target, None, None)
    assert result.success, result.error
    return target


def as_rgb(source: Path, case: Case) -> NDArray[np.uint16]:
    """(frames, 3, height, width), the planes in FFmpeg's order: G, B, R."""
    to_rgb = (
        f"zscale=matrixin={case.zscale}:rangein={case.range}:chromalin={case.siting}:matrix=gbr"
        ":range=full:filter=spline36:dither=none,format=gbrp16le"
    )
    pixels = np.frombuffer(raw(source, to_rgb), np.uint16)
    return pixels.reshape(FRAMES, 3, HEIGHT, WIDTH)


def from_rgb(pixels: NDArray[np.uint16], case: Case) -> bytes:
    height, width = pixels.shape[2:]
    back = (
        f"zscale=matrixin=gbr:rangein=full:matrix={case.zscale}:range={case.range}"
        f":chromal={case.siting}:filter=spline36:dither=none,format={case.pixel_format}"
    )
    return run(
        ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "gbrp16le",
         "-s", f"{width}x{height}", "-i", "-", "-vf", back, "-f", "rawvideo", "-"],
        stdin=pixels.tobytes(),
    ).stdout  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_rgb_network_sees_the_colours_that_zscale_sees(case: Case, tmp_path: Path) -> None:
    source = make_source(tmp_path / "in.mkv", case)
    for scale in (1, 2):
        network = rgb_network(tmp_path / f"net{scale}.safetensors", scale)
        target = upscale(
            source, tmp_path / f"x{scale}.mkv", model=network, scale=scale, precision="fp32"
        )
        got = codes(raw(target), case.depth)
        if case.layout == "gray":  # has no matrix; what is beyond black and white is lost
            unit = 2 ** (case.depth - 8)
            black, white = (16 * unit, 235 * unit) if case.range == "tv" else (0, 2**16)
            shown = codes(raw(source), case.depth).clip(black, white)
            shown = shown.reshape(FRAMES, HEIGHT, WIDTH)
            expected = shown.repeat(scale, axis=1).repeat(scale, axis=2).ravel()
        else:
            seen = as_rgb(source, case).repeat(scale, axis=2).repeat(scale, axis=3)
            expected = codes(from_rgb(seen, case), case.depth)
        assert got.shape == expected.shape
        assert np.abs(got - expected).max() <= 1
        assert abs(got.mean() - expected.mean()) < 0.05


def test_both_engines_see_the_same_colours(tmp_path: Path) -> None:
    """Samples repeated in red, green and blue: exact in fp32, so the files are the same."""
    source = make_source(tmp_path / "in.mkv", Case())
    network = rgb_network(tmp_path / "net.safetensors", 2)
    rows, torch = (
        upscale(source, tmp_path / f"{engine}.mkv", model=network, engine=engine, precision="fp32")
        for engine in ("rows", "torch")
    )
    assert rows.read_bytes() == torch.read_bytes()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_nothing_but_size_changes_where_nothing_was_asked(case: Case, tmp_path: Path) -> None:
    source = make_source(tmp_path / "in.mkv", case)
    same = upscale(source, tmp_path / "same.mkv", model="nearest", scale=1)
    assert raw(same) == raw(source)
    before, after = streams(source, "video")[0], streams(same, "video")[0]
    for tag in ("pix_fmt", "color_range", "color_space", "chroma_location"):
        assert after.get(tag) == before.get(tag), tag


@pytest.mark.parametrize(
    ("case", "wanted"),
    [
        (Case(layout="yuv444p", depth=12), "yuv420p"),
        (Case(layout="yuv422p", depth=10, siting="topleft"), "yuv420p10le"),
        (Case(layout="yuv420p", depth=8, siting="center", range="pc"), "yuv444p"),
        (Case(layout="yuv420p", depth=10, range="pc", matrix="smpte170m"), "yuv420p"),
    ],
    ids=str,
)
def test_another_pixel_format_is_what_zscale_makes_of_it(
    case: Case, wanted: str, tmp_path: Path
) -> None:
    """Where the depth drops both dither, each by error diffusion of its own order of planes."""
    source = make_source(tmp_path / "in.mkv", case)
    target = upscale(source, tmp_path / "out.mkv", model="nearest", scale=1, pixel_format=wanted)
    convert = (
        f"zscale=matrixin={case.zscale}:rangein={case.range}:chromalin={case.siting}"
        f":matrix={case.zscale}:range={case.range}:chromal={case.siting}:filter=spline36"
        f":dither=error_diffusion,format={wanted}"
    )
    depth = 10 if wanted.endswith("10le") else 8
    got, expected = codes(raw(target), depth), codes(raw(source, convert), depth)
    assert np.abs(got - expected).max() <= 1
    assert abs(got.mean() - expected.mean()) < 0.05


@pytest.mark.parametrize("layout", ["rgb24", "bgra", "gbrp10le", "pal8", "rgb48le"])
def test_rgb_becomes_bt709(layout: str, tmp_path: Path) -> None:
    """By the equations of ITU-R BT.709, limited range."""
    source = tmp_path / "in.nut"
    run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=s={WIDTH}x{HEIGHT}:r=25",
         "-frames:v", str(FRAMES), "-pix_fmt", layout, "-c:v", "rawvideo", source]
    )  # fmt: skip
    target = upscale(source, tmp_path / "out.mkv", model="nearest", scale=1)
    told = streams(target, "video")[0]
    assert told["color_space"] == "bt709"
    assert told["color_range"] == "tv"
    depth = {"gbrp10le": 10, "rgb48le": 12}.get(layout, 8)
    assert told["pix_fmt"] == ("yuv444p" if depth == 8 else f"yuv444p{depth}le")
    planar = {"gbrp10le": "gbrp10le", "rgb48le": "gbrp16le"}.get(layout, "gbrp")
    green, blue, red = (
        codes(raw(source, pixel_format=planar), 8 if planar == "gbrp" else 16)
        .reshape(FRAMES, 3, HEIGHT, WIDTH)
        .swapaxes(0, 1)
        / {"gbrp": 255, "gbrp10le": 1023, "gbrp16le": 65535}[planar]
    )
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    unit = 2 ** (depth - 8)
    expected = np.stack(
        [
            (16 + 219 * luma) * unit,
            (128 + 224 * (blue - luma) / 1.8556) * unit,
            (128 + 224 * (red - luma) / 1.5748) * unit,
        ],
        axis=1,
    )
    got = codes(raw(target), depth).reshape(expected.shape)
    # 16 bits become 12, by error diffusion.
    assert np.abs(got - expected).max() <= (1.01 if layout == "rgb48le" else 0.51)


@pytest.mark.parametrize(
    ("packed", "planar"),
    [
        ("nv12", "yuv420p"),
        ("yuyv422", "yuv422p"),
        ("yuva444p", "yuv444p"),
        ("gray16be", "gray16le"),
        ("yuv420p10be", "yuv420p10le"),
    ],
)  # fmt: skip
def test_other_layouts_keep_every_code(packed: str, planar: str, tmp_path: Path) -> None:
    source = tmp_path / "in.nut"
    run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=25",
         "-frames:v", str(FRAMES), "-pix_fmt", packed, "-c:v", "rawvideo", source]
    )  # fmt: skip
    target = upscale(source, tmp_path / "out.mkv", model="nearest", scale=1)
    assert streams(target, "video")[0]["pix_fmt"] == planar
    assert raw(target) == raw(source, pixel_format=planar)


def test_a_matrix_that_nobody_told_stays_untold_unless_it_is_set(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=640x480:r=25", "-frames:v", "1",
         "-pix_fmt", "yuv420p", "-c:v", "ffv1", source]
    )  # fmt: skip
    plain = StreamingVideoProcessor({**LOSSLESS, "model": "nearest"}).process(
        source, tmp_path / "plain.mkv", None, None
    )
    assert any("set color_matrix" in warning for warning in plain.warnings)
    assert "color_space" not in streams(tmp_path / "plain.mkv", "video")[0]
    told = StreamingVideoProcessor(
        {**LOSSLESS, "model": "nearest", "color_matrix": "bt601"}
    ).process(source, tmp_path / "told.mkv", None, None)
    assert not any("color_matrix" in warning for warning in told.warnings)
    assert streams(tmp_path / "told.mkv", "video")[0]["color_space"] == "smpte170m"
    assert raw(tmp_path / "told.mkv") == raw(tmp_path / "plain.mkv")
