"""TorchScript archives through the whole program, against the same networks in plain torch."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamvsr
import torch
from helpers import cli, cli_command, make_clip, run, streams
from numpy.typing import NDArray
from streamvsr import _core
from streamvsr.api import job_config
from streamvsr.config import StreamingConfig
from streamvsr.errors import ConfigError, MemoryLimitError, ModelError, ResumeError
from torch import Tensor, nn
from torch.nn import functional
from torch_network import to_codes, torch_network
from unfinished import interrupt, status_of

WEIGHTS = Path(_core.__file__).parent / "weights"


class Compact(nn.Module):
    """A small network with what such networks are made of: skip, PReLU, table of indices."""

    def __init__(self, scale: int, planes: int = 1, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first = nn.Conv2d(planes, 12, 3, padding=1)
        self.prelu = nn.PReLU(12)
        self.norm = nn.BatchNorm2d(12)  # in training mode it would look at the picture
        self.point = nn.Conv2d(12, 12, 1)
        self.last = nn.Conv2d(12, planes * scale * scale, 3, padding=1)
        self.shuffle = nn.PixelShuffle(scale)
        self.order: Tensor
        self.register_buffer("order", torch.arange(11, -1, -1))

    def forward(self, picture: Tensor) -> Tensor:
        start = self.prelu(self.first(picture))
        body = self.point(self.norm(start))[:, self.order] + start
        return self.shuffle(self.last(body)) + 0.5  # type: ignore[no-any-return]


class AfterProbe(nn.Module):
    """What a network does to pictures larger than those it is tried on."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def forward(self, picture: Tensor) -> Tensor:
        if picture.size(3) > 24:
            if self.what == "raise":
                raise ValueError("too wide for me\nsecond line")
            if self.what == "hoard":
                return torch.zeros([1 << 20, 1 << 20, 1 << 8])
            return picture[:, :, :, 1:]
        return picture


class Odd(nn.Module):
    """What no network for pictures gives."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def forward(self, picture: Tensor) -> Tensor:
        if self.what == "fraction":
            return functional.interpolate(picture, scale_factor=1.5)
        if self.what == "stretch":
            return functional.interpolate(picture, size=[picture.size(2), 2 * picture.size(3)])
        if self.what == "nan":
            return picture / torch.zeros_like(picture) * 0
        if self.what == "flat":
            return picture.flatten()
        if self.what == "fixed":
            return functional.interpolate(picture, size=[32, 32])
        if self.what == "whole":
            return (picture * 255).to(torch.uint8)
        raise ValueError("this network does not want to\nand says so at length")


class Pair(nn.Module):
    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        return picture, picture


def save(network: nn.Module, path: Path) -> Path:
    torch.jit.script(network.eval()).save(str(path))  # type: ignore[no-untyped-call]
    return path


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("film") / "in.mkv", frames=6, codec="ffv1")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(Compact(2), tmp_path_factory.mktemp("network") / "compact.ts")


def upscale(source: Path, target: Path, model: Path, **options: Any) -> streamvsr.ProcessResult:
    return streamvsr.upscale(source, target, model=model, codec="ffv1", disk_ratio=None, **options)


def luma_planes(path: Path, depth: int) -> list[NDArray[Any]]:
    """Luma of every frame in its own depth."""
    video = streams(path, "video")[0]
    shape = (int(video["height"]), int(video["width"]))
    gray = "gray" if depth == 8 else f"gray{depth}le"
    assert video["pix_fmt"] == ("yuv420p" if depth == 8 else f"yuv420p{depth}le")
    data = run(
        ["ffmpeg", "-v", "error", "-nostdin", "-i", path, "-fps_mode", "passthrough",
         "-vf", f"extractplanes=y,format={gray}", "-f", "rawvideo", "-"]
    ).stdout  # fmt: skip
    frames = np.frombuffer(data, "u1" if depth == 8 else "<u2")
    return list(frames.reshape(-1, *shape))


def eager(network: nn.Module, plane: NDArray[Any], depth: int) -> NDArray[np.float64]:
    """What plain torch makes of a plane, in codes."""
    with torch.inference_mode():
        codes = torch.from_numpy(plane.astype(np.float32))[None, None]
        result = to_codes(network.eval()(codes / (2**depth - 1)), depth)
    found: NDArray[np.float64] = result[0, 0].numpy().astype(np.float64)
    return found


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize(("width", "height"), [(64, 48), (67, 35)])
def test_a_network_gives_what_torch_gives(
    tmp_path: Path, scale: int, depth: int, width: int, height: int
) -> None:
    network = Compact(scale, seed=10 * scale + depth)
    source = make_clip(
        tmp_path / "in.mkv", frames=3, width=width, height=height, codec="ffv1",
        pixel_format="yuv420p" if depth == 8 else "yuv420p10le",
    )  # fmt: skip
    target = tmp_path / "out.mkv"
    upscale(source, target, save(network, tmp_path / "net.pt"), scale=scale)
    before, after = luma_planes(source, depth), luma_planes(target, depth)
    assert len(after) == len(before) == 3
    for plane, result in zip(before, after, strict=True):
        expected = eager(network, plane, depth)
        assert result.shape == expected.shape
        off = np.abs(result - expected)
        assert off.max() <= 1
        assert np.mean(off > 0) < 1e-3


def test_the_bundled_network_gives_what_torch_gives(tmp_path: Path, film: Path) -> None:
    network = torch_network(WEIGHTS / "default_x2.safetensors")
    path = tmp_path / "default.ts"
    traced = torch.jit.trace(network, torch.rand(1, 1, 20, 30))  # type: ignore[no-untyped-call]
    traced.save(str(path))
    target = tmp_path / "out.mkv"
    upscale(film, target, path)
    for plane, result in zip(luma_planes(film, 8), luma_planes(target, 8), strict=True):
        assert np.abs(result - eager(network, plane, 8)).max() <= 1


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_layer_list_runs_on_torch_too(tmp_path: Path, film: Path, precision: str) -> None:
    target = tmp_path / "out.mkv"
    result = streamvsr.upscale(
        film,
        target,
        codec="ffv1",
        disk_ratio=None,
        engine="torch",
        device="cpu",
        precision=precision,
    )
    assert "default_x2: torch" in result.performance_report["enhancer"]
    assert precision in result.performance_report["enhancer"]
    assert result.performance_report["peak_vram_mb"] > 0
    network = torch_network(WEIGHTS / "default_x2.safetensors")
    most = 1 if precision == "fp32" else 8
    for plane, found in zip(luma_planes(film, 8), luma_planes(target, 8), strict=True):
        assert np.abs(found - eager(network, plane, 8)).max() <= most


def test_an_engine_that_cannot_run_a_network_is_refused(
    tmp_path: Path, film: Path, archive: Path
) -> None:
    with pytest.raises(ConfigError, match=r"engine 'rows' runs \.safetensors networks alone"):
        upscale(film, tmp_path / "out.mkv", archive, engine="rows")
    result = streamvsr.upscale(
        film, tmp_path / "out.mkv", codec="ffv1", disk_ratio=None, engine="torch", device="cuda:7"
    )
    assert any("runs on the CPU, not on cuda:7" in warning for warning in result.warnings)
    assert "torch" in result.performance_report["enhancer"]
    rows = streamvsr.upscale(
        film, tmp_path / "rows.mkv", codec="ffv1", disk_ratio=None, engine="rows", device="cuda:7"
    )
    assert any("the rows engine knows the CPU alone" in warning for warning in rows.warnings)
    assert "torch" not in rows.performance_report["enhancer"].split(",")[0]


def test_two_passes_reach_four_times_the_size(tmp_path: Path, film: Path, archive: Path) -> None:
    target = tmp_path / "out.mkv"
    result = upscale(film, target, archive, scale=4)
    assert "compact.ts x 2: torch" in result.performance_report["enhancer"]
    for plane, found in zip(luma_planes(film, 8), luma_planes(target, 8), strict=True):
        once = eager(Compact(2), plane, 8)
        # A code that is rounded otherwise after the first pass changes what the second sees.
        assert np.mean(np.abs(found - eager(Compact(2), once, 8)) > 1) < 1e-3


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_precision_is_obeyed(tmp_path: Path, film: Path, archive: Path, precision: str) -> None:
    target = tmp_path / "out.mkv"
    result = upscale(film, target, archive, precision=precision)
    assert precision in result.performance_report["enhancer"]
    for plane, found in zip(luma_planes(film, 8), luma_planes(target, 8), strict=True):
        assert np.abs(found - eager(Compact(2), plane, 8)).max() <= 8


def test_the_report_names_what_decides_the_rounding(
    tmp_path: Path, film: Path, archive: Path
) -> None:
    said = upscale(film, tmp_path / "out.mkv", archive, compute_threads=1)
    text = said.performance_report["enhancer"]
    version = torch.__version__.split("+")[0]
    assert f"compact.ts: torch {version}, cpu" in text
    assert "fp32, 1 thread" in text


def test_a_picture_does_not_depend_on_those_before_it(tmp_path: Path, archive: Path) -> None:
    source = tmp_path / "in.mkv"
    picture = np.random.default_rng(1).integers(0, 256, 96 * 64 * 3 // 2, np.uint8).tobytes()
    run(
        ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "96x64", "-i", "-",
         "-c:v", "ffv1", source],
        stdin=picture * 12,
    )  # fmt: skip
    upscale(source, tmp_path / "out.mkv", archive)
    first, *others = luma_planes(tmp_path / "out.mkv", 8)
    assert len(others) == 11
    assert all((plane == first).all() for plane in others)


def test_an_interrupted_job_ends_with_the_same_bytes(tmp_path: Path, archive: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=150, width=160, height=120)
    whole, pieces = tmp_path / "whole.mkv", tmp_path / "pieces.mkv"
    upscale(source, whole, archive, segment_seconds=0.5)
    interrupt(source, pieces, model=archive)
    with pytest.raises(ResumeError, match="enhancer was"):
        upscale(source, pieces, archive, segment_seconds=0.5, compute_threads=3)
    result = upscale(source, pieces, archive, segment_seconds=0.5, resume=True)
    assert result.performance_report["resumed_frames"] > 0
    assert pieces.read_bytes() == whole.read_bytes()


def planned(source: Path, target: Path, model: Any, **options: Any) -> _core.Plan:
    config = StreamingConfig.from_dict(
        {"scale": 1, "model": model, "encoder_preset": "ultrafast", **options}
    )
    job = _core.Job(job_config(config, str(source), str(target)))
    job.close()
    return job.plan


def weighty(path: Path, weights: int) -> Path:
    """An archive of a network that has so many weights, and uses none of them."""
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Identity())
    network.register_parameter("unused", nn.Parameter(torch.zeros(weights)))
    torch.jit.script(network).save(str(path))  # type: ignore[no-untyped-call]
    return path


def test_segments_are_bounded_by_the_weights_and_not_by_this_machine(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=250, width=320, height=176)
    small = weighty(tmp_path / "small.pt", 1_000)
    large = weighty(tmp_path / "large.pt", 6_000_000)
    target = tmp_path / "out.mkv"
    assert planned(source, target, small).segment_frames == 250
    # 12 MFLOP a pixel, at 75 GFLOP/s: 9 s of a core for a frame, of which 240 s hold 26.
    costly = {
        planned(source, target, large, compute_threads=n, precision=p).segment_frames
        for n in (1, 2)
        for p in ("fp32", "bf16")
    }
    assert costly == {26}
    assert planned(source, target, large, segment_seconds=0.5).segment_frames == 13


def test_a_costly_job_killed_before_10_s_of_film_keeps_segments(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=200, width=320, height=176)
    large = weighty(tmp_path / "large.pt", 6_000_000)
    whole, target = tmp_path / "whole.mp4", tmp_path / "out.mp4"
    options: dict[str, Any] = {"model": large, "scale": 1, "encoder_preset": "veryfast"}
    streamvsr.upscale(source, whole, **options)
    words = ["--model", str(large), "--scale", "1", "--encoder-preset", "veryfast"]
    with subprocess.Popen(
        cli_command("upscale", source, target, *words), stderr=subprocess.DEVNULL
    ) as program:
        try:
            while (found := streamvsr.status(target)) is None or not found.keeps_work:
                assert program.poll() is None
                time.sleep(0.005)
        finally:
            program.kill()
    kept = status_of(target).frames_done
    assert 26 <= kept < 200
    assert kept % 26 == 0
    result = streamvsr.upscale(source, target, resume=True, **options)
    assert result.performance_report["resumed_frames"] == kept
    assert target.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("device", ["cuda:7", "cuda"])
def test_a_missing_device_is_replaced_by_the_cpu(
    tmp_path: Path, film: Path, archive: Path, device: str
) -> None:
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("this machine has the device")
    result = upscale(film, tmp_path / "out.mkv", archive, device=device)
    assert result.success
    assert "cpu" in result.performance_report["enhancer"]
    (warning,) = result.warnings
    assert f"runs on the CPU, not on {device}" in warning
    assert upscale(film, tmp_path / "cpu.mkv", archive, device="cpu").warnings == []
    assert (tmp_path / "out.mkv").read_bytes() == (tmp_path / "cpu.mkv").read_bytes()


def test_the_rows_engine_says_that_it_knows_no_other_device(tmp_path: Path, film: Path) -> None:
    result = streamvsr.upscale(
        film, tmp_path / "out.mkv", codec="ffv1", disk_ratio=None, device="cuda"
    )
    assert any("runs on the CPU, not on cuda" in warning for warning in result.warnings)
    with pytest.raises(ConfigError, match="only the torch engine"):
        streamvsr.upscale(
            film, tmp_path / "other.mkv", codec="ffv1", disk_ratio=None, precision="fp16"
        )


def test_the_command_line_takes_a_device(tmp_path: Path, film: Path, archive: Path) -> None:
    done = cli("upscale", film, tmp_path / "out.mkv", "-m", archive, "--device", "cuda:7")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("runs on the CPU, not on cuda:7") == 1
    refused = cli("upscale", film, tmp_path / "no.mkv", "-m", archive, "--device", "tpu")
    assert refused.returncode == 2
    assert "unknown device" in refused.stderr


def bad_archives() -> Iterator[Any]:
    for what, says in [
        ("fraction", "no whole multiple"),
        ("stretch", "no whole multiple"),
        ("nan", "not finite"),
        ("flat", "1 dimensions"),
        ("fixed", "depends on the picture's size|no whole multiple"),
        ("whole", "type Byte"),
        ("raise", "this network does not want to$"),
    ]:
        yield pytest.param(Odd(what), says, id=what)
    yield pytest.param(Pair(), "gives a Tuple", id="pair")
    yield pytest.param(Compact(2, planes=4), "to have 4 channels", id="four planes")
    yield pytest.param(nn.Conv2d(1, 3, 1), "1 plane.s. into 3", id="one into three")


@pytest.mark.parametrize(("network", "says"), list(bad_archives()))
def test_a_wrong_network_is_refused_before_any_work(
    tmp_path: Path, film: Path, network: nn.Module, says: str
) -> None:
    path = save(network, tmp_path / "net.ts")
    _check_refusal(tmp_path, film, path, says)


def _check_refusal(tmp_path: Path, film: Path, path: Path, says: str) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ModelError, match=says) as caught:
        upscale(film, tmp_path / "out.mkv", path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("what", ["text", "empty", "weights", "torn"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, film: Path, what: str) -> None:
    path = save(Compact(2), tmp_path / "net.pt")
    if what == "weights":
        torch.save(Compact(2).state_dict(), path)
    else:
        whole = path.read_bytes()
        path.write_bytes(
            {"text": b"not an archive\n" * 9, "empty": b"", "torn": whole[: len(whole) // 2]}[what]
        )
    _check_refusal(tmp_path, film, path, "TorchScript archive, which torch.jit.script")


def test_a_missing_archive_is_named(tmp_path: Path, film: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.ts"):
        upscale(film, tmp_path / "out.mkv", tmp_path / "none.ts")


def test_three_planes_of_an_archive_run_on_video(tmp_path: Path, film: Path) -> None:
    path = save(Compact(2, planes=3), tmp_path / "net.ts")
    assert upscale(film, tmp_path / "out.mkv", path).frames_processed == 6


def test_a_scale_out_of_reach_is_refused(tmp_path: Path, film: Path, archive: Path) -> None:
    with pytest.raises(ConfigError, match="enlarges by 2: scale 3 is out of its reach"):
        upscale(film, tmp_path / "out.mkv", archive, scale=3)


@pytest.mark.parametrize(
    ("what", "error", "says"),
    [
        ("raise", ModelError, "64x48: too wide for me .while enhancing frame 0"),
        ("hoard", MemoryLimitError, "can't allocate memory|[Oo]ut of memory"),
        ("cut", ModelError, "no whole multiple"),
    ],
)
def test_a_network_that_fails_on_a_frame_is_reported(
    tmp_path: Path, film: Path, what: str, error: type[Exception], says: str
) -> None:
    path = save(AfterProbe(what), tmp_path / "net.ts")
    with pytest.raises(error, match=says) as caught:
        upscale(film, tmp_path / "out.mkv", path, scale=1)
    assert "\n" not in str(caught.value)


def test_torch_is_not_imported_for_it(tmp_path: Path, film: Path, archive: Path) -> None:
    script = (
        "import sys, streamvsr; streamvsr.upscale(*sys.argv[1:3], model=sys.argv[3], codec='ffv1', "
        "disk_ratio=None);"
        "sys.exit('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", script, str(film), str(tmp_path / "out.mkv"), str(archive)]
    subprocess.run(command, check=True)
