"""GPUMemoryManager: the stream's engine without a video around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from streamvsr import GPUMemoryManager, _core
from streamvsr.errors import ConfigError, MemoryLimitError, ModelError
from torch import nn
from torch_network import torch_network

WEIGHTS = Path(_core.__file__).parent / "weights"


def network(planes: int = 1) -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Conv2d(planes, 16, 3, padding=1), nn.ReLU(),
        nn.Conv2d(16, 4 * planes, 3, padding=1), nn.PixelShuffle(2),
    ).eval()  # fmt: skip


def test_it_begins_empty_and_loads_once(tmp_path: Path) -> None:
    path = tmp_path / "net.ts"
    torch.jit.script(network()).save(str(path))  # type: ignore[no-untyped-call]
    manager = GPUMemoryManager(max_vram_mb=64, device="cpu")
    assert (manager.device, manager.model_loaded, manager.vram_usage_mb) == ("cpu", False, 0)
    with pytest.raises(ConfigError, match="load_model_once"):
        manager.process_frame_tensor(torch.rand(1, 8, 8))
    manager.load_model_once(path)
    assert manager.model_loaded
    assert manager.device == "cpu"
    held = manager.vram_usage_mb
    assert 0 < held < 1
    path.unlink()
    manager.load_model_once(str(path))
    assert manager.vram_usage_mb == held
    with pytest.raises(ConfigError, match=r"net\.ts is loaded already"):
        manager.load_model_once(tmp_path / "other.ts")
    manager.close()
    assert not manager.model_loaded
    with pytest.raises(FileNotFoundError):
        manager.load_model_once(path)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32, torch.float16])
@pytest.mark.parametrize("planes", [1, 3])
@pytest.mark.parametrize("four", [False, True])
def test_frames_come_out_as_from_the_network(dtype: Any, planes: int, four: bool) -> None:
    net = network(planes)
    most = {torch.uint8: 255, torch.uint16: 65535}.get(dtype, 1)
    values = torch.rand(planes, 40, 56)
    frame = (values * most).round().to(dtype) if most > 1 else values.to(dtype)
    with GPUMemoryManager(device="cpu") as manager:
        manager.load_model_once(net)
        result = manager.process_frame_tensor(frame[None] if four else frame)
    assert result.dtype == dtype
    assert result.shape == ((1,) if four else ()) + (planes, 80, 112)
    with torch.inference_mode():
        expected = net(frame[None].to(torch.float32) / most)[0].clamp(0, 1)
    off = (result.reshape(planes, 80, 112).to(torch.float32) / most - expected).abs().max()
    assert float(off) <= {torch.uint8: 0.6 / 255, torch.float16: 1e-3}.get(dtype, 3e-5)


def test_a_luma_network_takes_the_three_planes_one_by_one() -> None:
    manager = GPUMemoryManager(device="cpu")
    manager.load_model_once()
    frame = torch.randint(0, 256, (3, 30, 40), dtype=torch.uint8)
    result = manager.process_frame_tensor(frame)
    reference = torch_network(WEIGHTS / "default_x2.safetensors")
    with torch.inference_mode():
        expected = reference(frame[:, None].float() / 255)[:, 0].clamp(0, 1) * 255
    assert float((result.float() - expected).abs().max()) <= 0.51


def test_the_limit_holds_and_nothing_stays() -> None:
    frame = torch.randint(0, 256, (1, 600, 800), dtype=torch.uint8)
    free = GPUMemoryManager(device="cpu")
    free.load_model_once(network())
    whole = free.process_frame_tensor(frame)
    assert free.peak_vram_mb > 40
    held = GPUMemoryManager(max_vram_mb=20, device="cpu")
    held.load_model_once(network())
    model = held.vram_usage_mb
    for _ in range(3):
        assert bool((held.process_frame_tensor(frame) == whole).all())
        assert held.vram_usage_mb == model
    assert held.peak_vram_mb <= 20
    assert held.retries == 0


def test_a_frame_that_cannot_fit_is_refused_and_a_smaller_one_goes() -> None:
    def enhance(pictures: torch.Tensor) -> torch.Tensor:
        return pictures * pictures.mean()

    manager = GPUMemoryManager(max_vram_mb=16, device="cpu")
    manager.load_model_once(enhance)
    with pytest.raises(MemoryLimitError, match="cannot be cut"):
        manager.process_frame_tensor(torch.rand(1, 2000, 1600))
    assert manager.process_frame_tensor(torch.rand(1, 60, 80)).shape == (1, 60, 80)


def test_a_missing_device_is_replaced_and_told() -> None:
    manager = GPUMemoryManager(device="cuda:9")
    assert manager.device == "cuda:9"
    manager.load_model_once(network())
    assert manager.device == "cpu"
    assert "not on cuda:9" in manager.warnings[0]


def test_cleanup_empties_tensors_whoever_names_them() -> None:
    manager = GPUMemoryManager()
    first, second = torch.ones(1000), torch.ones(2, 3, dtype=torch.uint8)
    alias = first
    manager.cleanup_frame_tensors(first, second)
    assert alias.numel() == second.numel() == 0
    manager.cleanup_frame_tensors()
    with pytest.raises(TypeError, match="not list"):
        manager.cleanup_frame_tensors([1])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "frame",
    [torch.rand(8, 8), torch.rand(2, 8, 8), torch.rand(2, 1, 8, 8), torch.rand(1, 0, 8)],
)
def test_frames_that_do_not_fit_are_refused(frame: torch.Tensor) -> None:
    manager = GPUMemoryManager(device="cpu")
    manager.load_model_once(network())
    with pytest.raises(ConfigError, match=r"a frame must be \(1, height, width\)"):
        manager.process_frame_tensor(frame)
    with pytest.raises(TypeError, match="must be a torch tensor"):
        manager.process_frame_tensor([[0.0]])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"torch\.int64"):
        manager.process_frame_tensor(torch.ones(1, 8, 8, dtype=torch.int64))


def test_wrong_parameters_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="max_vram_mb must be from 16"):
        GPUMemoryManager(max_vram_mb=1)
    with pytest.raises(ConfigError, match="unknown device"):
        GPUMemoryManager(device="tpu")
    manager = GPUMemoryManager(device="cpu")
    with pytest.raises(ConfigError, match="'nearest' is no network"):
        manager.load_model_once("nearest")
    (tmp_path / "bad.ts").write_bytes(b"no archive")
    with pytest.raises(ModelError):
        manager.load_model_once(tmp_path / "bad.ts")
    assert not manager.model_loaded


class ClosedBetweenReads(GPUMemoryManager):
    """As if another thread closed the manager after each read of its engine."""

    @property
    def _engine(self) -> _core.TorchEngine | None:
        found: _core.TorchEngine | None = self.__dict__.pop("engine", None)
        return found

    @_engine.setter
    def _engine(self, engine: _core.TorchEngine | None) -> None:
        self.__dict__["engine"] = engine


@pytest.mark.parametrize("figure", ["vram_usage_mb", "peak_vram_mb", "retries"])
def test_a_figure_may_be_read_while_the_network_is_freed(figure: str) -> None:
    with GPUMemoryManager(device="cpu") as loaded:
        loaded.load_model_once(network())
        manager = ClosedBetweenReads(device="cpu")
        manager._engine = loaded._engine
        assert getattr(manager, figure) == getattr(loaded, figure)
        assert getattr(manager, figure) == 0
