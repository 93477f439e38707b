"""Networks that are objects of Python's: torch modules, and functions on tensors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamvsr
import torch
from helpers import make_clip
from streamvsr import _core, display, remains
from streamvsr.errors import ConfigError, ModelError, ResumeError
from streamvsr.models import choose_object, torch_path
from streamvsr.networks import archive_identity, archive_module
from torch import Tensor, nn
from unfinished import interrupt

NETWORK = """
import torch
from torch import nn

class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.drop = nn.Dropout(0.5)
        self.last = nn.Conv2d(8, 4, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, picture):
        return self.shuffle(self.last(self.drop(torch.relu(self.first(picture))))) + 0.5

class Traced(Small):
    def forward(self, *pictures):
        return super().forward({"a": pictures}["a"][0])

def make(kind="Small", seed=0):
    torch.manual_seed(seed)
    return {"Small": Small, "Traced": Traced}[kind]()
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("code")
    (folder / "own_network.py").write_text(NETWORK)
    return folder


@pytest.fixture
def make(home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(home))
    return __import__("own_network").make


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("film") / "in.mkv", frames=6, codec="ffv1")


def upscale(source: Path, target: Path, model: Any, **options: Any) -> streamvsr.ProcessResult:
    return streamvsr.upscale(source, target, model=model, codec="ffv1", disk_ratio=None, **options)


@pytest.mark.parametrize("kind", ["Small", "Traced"])
def test_a_module_gives_what_its_archive_gives(
    tmp_path: Path, film: Path, make: Any, kind: str
) -> None:
    network = make(kind)
    network.drop.eval()  # modes differ, and stay as they are
    result = upscale(film, tmp_path / "module.mkv", network)
    assert network.training
    assert not network.drop.training
    assert f"{kind}: torch" in result.performance_report["enhancer"]
    assert result.performance_report["peak_vram_mb"] > 0
    archive = tmp_path / "net.ts"
    torch.jit.trace(network.eval(), torch.rand(1, 1, 9, 9)).save(str(archive))  # type: ignore[no-untyped-call]
    upscale(film, tmp_path / "archive.mkv", archive)
    assert (tmp_path / "module.mkv").read_bytes() == (tmp_path / "archive.mkv").read_bytes()


@pytest.mark.parametrize("kind", ["Small", "Traced"])
def test_a_module_has_one_identity_in_every_process(home: Path, make: Any, kind: str) -> None:
    first = archive_module(make(kind))
    assert archive_module(make(kind)).identity == first.identity
    assert archive_module(make(kind).eval()).identity == first.identity
    assert archive_module(make(kind, seed=1)).identity != first.identity
    other = "Traced" if kind == "Small" else "Small"
    assert archive_module(make(other)).identity != first.identity
    code = (
        "import own_network as o, streamvsr.networks as n;"
        f"print(n.archive_module(o.make({kind!r})).identity)"
    )
    paths = os.pathsep.join([str(home), *sys.path])
    told = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": paths},
    ).stdout  # fmt: skip
    assert told.strip() == first.identity


def test_the_identity_looks_at_code_and_weights(make: Any) -> None:
    class Other(nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = factor

        def forward(self, picture: Tensor) -> Tensor:
            return picture * self.factor

    marks = {archive_identity(archive_module(Other(f)).data) for f in (0.5, 0.5, 0.25)}
    assert len(marks) == 2


def test_a_module_that_cannot_be_archived_is_refused(tmp_path: Path, film: Path) -> None:
    class Random(nn.Module):
        def forward(self, *pictures: Any) -> Any:
            raise RuntimeError("not today")

    with pytest.raises(ModelError, match=r"'Random' can be neither scripted nor traced.*function"):
        upscale(film, tmp_path / "out.mkv", Random())
    assert not list(tmp_path.iterdir())


def test_a_function_gives_what_its_module_gives(tmp_path: Path, film: Path, make: Any) -> None:
    network = make().eval()
    seen: set[Any] = set()

    def enhance(pictures: Tensor) -> Tensor:
        seen.add((pictures.dtype, pictures.device.type, tuple(pictures.shape)))
        assert 0 <= float(pictures.min()) <= float(pictures.max()) <= 1
        result: Tensor = network(pictures)
        return result

    upscale(film, tmp_path / "function.mkv", enhance, device="cpu")
    upscale(film, tmp_path / "module.mkv", network, device="cpu")
    assert (tmp_path / "function.mkv").read_bytes() == (tmp_path / "module.mkv").read_bytes()
    assert (torch.float32, "cpu", (1, 1, 48, 64)) in seen
    seen.clear()
    upscale(film, tmp_path / "half.mkv", lambda p: enhance(p.float()).half(), precision="fp16")
    assert all(dtype == torch.float32 for dtype, *_ in seen)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda p: p.nothing(), "AttributeError: 'Tensor' object has no attribute 'nothing'"),
        (lambda p: p.numpy(), "TypeError: it gives a ndarray, not a torch tensor"),
        (lambda p: p[:, :, 1:], "no whole multiple"),
        (lambda p: (p * 255).to(torch.uint8), "type Byte"),
    ],
)
def test_a_wrong_function_is_refused(tmp_path: Path, film: Path, function: Any, says: str) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        upscale(film, tmp_path / "out.mkv", function, scale=1)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_function_that_fails_later_ends_the_job(tmp_path: Path, film: Path) -> None:
    def enhance(pictures: Tensor) -> Tensor:
        if pictures.size(3) > 32:
            raise ValueError("too wide\nsecond line")
        return pictures

    with pytest.raises(ModelError, match=r"64x48: ValueError: too wide .while enhancing frame 0"):
        upscale(film, tmp_path / "out.mkv", enhance, scale=1)


def test_objects_on_a_missing_device_run_on_the_cpu(tmp_path: Path, film: Path, make: Any) -> None:
    for model in (make(), make().eval().__call__):
        result = upscale(film, tmp_path / "out.mkv", model, device="cuda:7", overwrite=True)
        assert any("runs on the CPU, not on cuda:7" in warning for warning in result.warnings)


def test_a_function_is_held_to_the_limit_and_cut(make: Any) -> None:
    network = make().eval()
    source = np.random.default_rng(0).integers(0, 256, (300, 420), np.uint8)
    options: dict[str, Any] = {
        "library": torch_path(), "device": "cpu",
        "function": choose_object(network.__call__, "x").function,
    }  # fmt: skip
    free = _core.TorchEngine("network", **options)
    whole = free.run([source])[0]
    held = _core.TorchEngine("network", limit=free.use.memory.peak // 2, **options)
    assert (held.run([source])[0] == whole).all()
    assert held.plan[0] * held.plan[1] > 1
    assert held.use.memory.peak <= held.use.memory.limit
    held.fail_allocation(4)
    assert (held.run([source])[0] == whole).all()
    assert held.use.retries == 1


def test_interrupted_jobs_know_their_network_again(tmp_path: Path, make: Any) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=100, width=160, height=120)
    whole, pieces = tmp_path / "whole.mkv", tmp_path / "pieces.mkv"
    options: dict[str, Any] = {"segment_seconds": 0.5}
    upscale(source, whole, make(), **options)
    interrupt(source, pieces, model=make())
    status = remains.status(pieces)
    assert status is not None
    assert status.command is None
    assert status.options["model"] == "python:Small"
    assert "the same call in Python" in display.status_text(status)
    with pytest.raises(ResumeError, match="model was 'module Small"):
        upscale(source, pieces, make(seed=1), **options)
    done = upscale(source, pieces, make(), resume=True, **options)
    assert done.performance_report["resumed_frames"] > 0
    assert pieces.read_bytes() == whole.read_bytes()

    named = tmp_path / "named.mkv"
    function = make().eval().__call__
    interrupt(source, named, model=function, model_id="small 1")
    with pytest.raises(ResumeError, match="model was 'function small 1'"):
        upscale(source, named, function, model_id="small 2", **options)
    done = upscale(source, named, function, model_id="small 1", **options)
    assert done.performance_report["resumed_frames"] > 0
    assert done.warnings == []
    assert named.read_bytes() == whole.read_bytes()


def test_a_function_without_a_name_begins_anew_and_says_so(tmp_path: Path, make: Any) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=100, width=160, height=120)
    target = tmp_path / "out.mkv"
    function = make().eval().__call__
    interrupt(source, target, model=function)
    with pytest.raises(ConfigError, match="resume=True needs a model_id"):
        upscale(source, target, function, resume=True)
    done = upscale(source, target, function, segment_seconds=0.5)
    assert done.performance_report["resumed_frames"] == 0
    assert any("without model_id cannot be known again" in text for text in done.warnings)


def test_a_model_id_without_a_function_is_refused(make: Any) -> None:
    for model in (None, "nearest", make()):
        with pytest.raises(ConfigError, match="for a function as model only"):
            streamvsr.StreamingConfig(model=model, model_id="x")
    with pytest.raises(ConfigError, match="a name, a path, a function or None"):
        streamvsr.StreamingConfig(model=3)  # type: ignore[arg-type]
