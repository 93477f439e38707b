"""An RGB network's colours by tensors, as on a device, against zimg's; here both on the CPU."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamvsr
import torch
from helpers import make_clip, run
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from properties.films import examples
from streamvsr import _core, api
from streamvsr.errors import ConfigError, ResumeError
from torch import Tensor, nn
from unfinished import stop_after_a_segment

from fidelity.test_color import Case, codes, raw, rgb_network

MATRICES = {"bt709": "bt709", "smpte170m": "bt601", "bt2020nc": "bt2020"}


class Sharpener(nn.Module):
    """Looks around, and mixes red, green and blue."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        torch.manual_seed(scale)
        self.body = nn.Conv2d(3, 12, 5, padding=2)
        self.last = nn.Conv2d(12, 3 * scale * scale, 3, padding=1)
        self.shuffle = nn.PixelShuffle(scale)
        self.scale = scale

    def forward(self, picture: Tensor) -> Tensor:
        found = self.shuffle(self.last(torch.relu(self.body(picture))))
        large = nn.functional.interpolate(picture, scale_factor=float(self.scale))
        return large + 0.3 * found  # type: ignore[no-any-return]


def sharpener(path: Path, scale: int = 2) -> Path:
    torch.jit.script(Sharpener(scale).eval()).save(str(path))  # type: ignore[no-untyped-call]
    return path


def job_of(source: Path, target: Path, colors: str, **options: Any) -> _core.Job:
    config = streamvsr.StreamingConfig(codec="ffv1", disk_ratio=None, precision="fp32", **options)
    job = api.job_config(config, str(source), str(target))
    job.colors = colors
    return _core.Job(job)


def enhance(source: Path, target: Path, colors: str, **options: Any) -> Path:
    job = job_of(source, target, colors, **options)
    job.run(None, 1.0)
    job.close()
    return target


def planes(path: Path, case: Case, width: int, height: int) -> list[NDArray[np.int64]]:
    """Luma, and chroma where there is any, of all frames."""
    sub_x = case.layout in ("yuv420p", "yuv422p")
    sub_y = case.layout == "yuv420p"
    chroma = -(-width // (1 + sub_x)) * -(-height // (1 + sub_y))
    sizes = [width * height] + ([] if case.layout == "gray" else [chroma, chroma])
    frames = codes(raw(path), case.depth).reshape(-1, sum(sizes))
    return np.split(frames, np.cumsum(sizes)[:-1], axis=1)


def make_noise(path: Path, case: Case, width: int, height: int, seed: int) -> Path:
    """A frame of any codes beside one of smooth planes, lossless, with its tags."""
    random = np.random.default_rng(seed)
    sub_x = case.layout in ("yuv420p", "yuv422p")
    sub_y = case.layout == "yuv420p"
    small = (-(-height // (1 + sub_y)), -(-width // (1 + sub_x)))
    most = 2**case.depth - 1
    data = b""
    for smooth in (False, True):
        for shape in [(height, width)] + ([] if case.layout == "gray" else [small, small]):
            y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
            a, b, c = random.uniform(0, 0.4, 3)
            plane = (
                0.5 + 0.4 * np.sin(a * x + b * y + 6 * c) if smooth else random.uniform(0, 1, shape)
            )
            data += (most * plane).round().astype("u1" if case.depth == 8 else "<u2").tobytes()
    run(
        ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", case.pixel_format,
         "-s", f"{width}x{height}", "-r", "25", "-i", "-", "-c:v", "ffv1",
         "-color_range", case.range, "-colorspace", case.matrix,
         "-chroma_sample_location", case.siting, path],
        stdin=data,
    )  # fmt: skip
    return path


CASES = st.builds(
    Case,
    matrix=st.sampled_from(sorted(MATRICES)),
    range=st.sampled_from(["tv", "pc"]),
    siting=st.sampled_from(["left", "center", "topleft"]),
    layout=st.sampled_from(["yuv420p", "yuv420p", "yuv422p", "yuv444p", "gray"]),
    depth=st.sampled_from([8, 10, 12]),
)


@examples(8)
@given(
    case=CASES,
    width=st.integers(16, 90),
    height=st.integers(16, 70),
    scale=st.integers(1, 3),
    seed=st.integers(0, 1 << 20),
)
def test_tensors_give_what_zimg_gives(
    case: Case, width: int, height: int, scale: int, seed: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = make_noise(folder / "in.mkv", case, width, height, seed)
        network = rgb_network(folder / "net.safetensors", scale)
        by_zimg, by_tensors = (
            planes(
                enhance(source, folder / f"{colors}.mkv", colors, model=network, scale=scale,
                        engine="torch", color_matrix=MATRICES[case.matrix]),
                case, width * scale, height * scale,
            )
            for colors in ("zimg", "tensor")
        )  # fmt: skip
    assert len(by_zimg) == len(by_tensors)
    for expected, got in zip(by_zimg, by_tensors, strict=True):
        assert np.abs(got - expected).max() <= 1
        assert abs(got.mean() - expected.mean()) < 0.05


@pytest.mark.parametrize("options", [{"scale": 2}, {"scale": 4}], ids=["one pass", "two passes"])
def test_a_whole_job_by_tensors(options: dict[str, Any], tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=5, width=98, height=58, audio="aac")
    network = sharpener(tmp_path / "net.ts")
    case = Case()
    size = 98 * options["scale"], 58 * options["scale"]
    by_zimg, by_tensors = (
        planes(enhance(source, tmp_path / f"{colors}.mkv", colors, model=network, **options), case,
               *size)
        for colors in ("zimg", "tensor")
    )  # fmt: skip
    for expected, got in zip(by_zimg, by_tensors, strict=True):
        assert expected.shape == got.shape
        assert np.abs(got - expected).max() <= 1
        assert abs(got.mean() - expected.mean()) < 0.05


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p10le", "yuv411p"])
def test_pieces_of_pictures_have_the_wholes_colours(pixel_format: str, tmp_path: Path) -> None:
    source = make_clip(
        tmp_path / "in.mkv", frames=1, width=643, height=485, codec="ffv1",
        pixel_format=pixel_format,
    )  # fmt: skip
    network = sharpener(tmp_path / "net.ts", 1)
    files = []
    for limit in (2000, 16):  # MiB, of which the whole takes more
        files.append(tmp_path / f"{limit}.mkv")
        job = job_of(source, files[-1], "tensor", model=network, max_vram_mb=limit, scale=1)
        peak = job.run(None, 1.0).device.memory.peak
        assert (peak > 16 << 20) == (limit == 2000)
        job.close()
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_job_goes_on_with_the_colours_it_began_with(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=40, codec="ffv1")
    network = sharpener(tmp_path / "net.ts")
    options: dict[str, Any] = {"model": network, "segment_seconds": 0.5}
    whole = enhance(source, tmp_path / "whole.mkv", "tensor", **options)
    job = job_of(source, tmp_path / "out.mkv", "tensor", **options)
    stop_after_a_segment(job)
    job.close()
    with pytest.raises(ResumeError, match="colors by tensors"):
        enhance(source, tmp_path / "out.mkv", "zimg", **options)
    assert enhance(source, tmp_path / "out.mkv", "tensor", **options).read_bytes() == (
        whole.read_bytes()
    )


def test_colours_are_zimgs_where_the_network_runs_on_the_cpu(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=2, codec="ffv1")
    network = sharpener(tmp_path / "net.ts")
    by_zimg, chosen = (
        enhance(source, tmp_path / f"{colors}.mkv", colors, model=network, device="cpu")
        for colors in ("zimg", "auto")
    )
    assert by_zimg.read_bytes() == chosen.read_bytes()
    with pytest.raises(ConfigError, match="auto, zimg or tensor"):
        job_of(source, tmp_path / "no.mkv", "gpu", model=network)
