"""The network of a stream and its device's memory, usable alone: GPUMemoryManager."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from streamvsr import _core
from streamvsr.config import StreamingConfig
from streamvsr.errors import ConfigError
from streamvsr.models import NEAREST, choose_object, find_model, torch_path
from streamvsr.networks import is_module, model_name

if TYPE_CHECKING:
    import torch

_MB = 1024.0 * 1024.0


class GPUMemoryManager:
    """Purpose: a network, loaded once, run on frames under a limit of device memory.

    It is the engine that a job runs (docs/device-budget.md), with the same limit, cutting and
    halving, and without a video around it. Thread-safety: every call may come from any thread; one
    works at a time. Ownership: owns the network; tensors stay the caller's.

    Attributes:
        max_vram_mb: The limit, in MB of 1048576 bytes.
    """

    def __init__(
        self, max_vram_mb: int = 6144, device: str = "auto", precision: str = "auto"
    ) -> None:
        """Loads nothing yet.

        Args:
            max_vram_mb: See StreamingConfig.max_vram_mb.
            device: See StreamingConfig.device.
            precision: See StreamingConfig.precision; layer lists run in fp32 on the CPU.

        Raises:
            ConfigError: A value cannot work.
        """
        StreamingConfig(max_vram_mb=max_vram_mb, device=device, precision=precision)
        self.max_vram_mb = max_vram_mb
        self._asked = device
        self._precision = precision
        self._lock = threading.RLock()
        self._engine: _core.TorchEngine | None = None
        self._loaded: object = None

    @property
    def device(self) -> str:
        """Where the network runs, as torch names it; before it is loaded, what was asked for."""
        with self._lock:
            return self._asked if self._engine is None else self._engine.device

    @property
    def model_loaded(self) -> bool:
        """True once a network is loaded."""
        return self._engine is not None

    @property
    def warnings(self) -> list[str]:
        """Why the network runs elsewhere than asked, if it does."""
        with self._lock:
            return [] if self._engine is None else list(self._engine.warnings)

    @property
    def _use(self) -> _core.DeviceUse | None:
        """The engine's figures; None without an engine.

        The engine is read once, since close() may drop it at any time. The lock is not taken: it is
        held for as long as a frame takes.
        """
        engine = self._engine
        return None if engine is None else engine.use

    @property
    def vram_usage_mb(self) -> float:
        """Held on the device now, in MB: weights, and what frames at work take."""
        use = self._use
        return 0.0 if use is None else use.memory.held / _MB

    @property
    def peak_vram_mb(self) -> float:
        """The most that was held, in MB; never above max_vram_mb."""
        use = self._use
        return 0.0 if use is None else use.memory.peak / _MB

    @property
    def retries(self) -> int:
        """Frames begun again in smaller pieces because memory ran out."""
        use = self._use
        return 0 if use is None else use.retries

    def load_model_once(
        self, path: str | os.PathLike[str] | Callable[[Any], Any] | None = None
    ) -> None:
        """Loads a network; the same one again does nothing.

        Args:
            path: As StreamingConfig.model, but for "nearest": a packaged network's name, a path, a
                torch.nn.Module, a function; None: the packaged network.

        Raises:
            ConfigError: The name is unknown, another network is loaded, or torch is missing.
            InputNotFoundError: There is no such file.
            ModelError: The network cannot be used, on the CPU neither.
            MemoryLimitError: Its weights alone pass the limit.
        """
        if path == NEAREST:
            raise ConfigError("'nearest' is no network: it repeats samples and holds nothing")
        wanted = path if callable(path) else find_model(path)
        with self._lock:
            if self._engine is not None:
                if wanted is self._loaded or (isinstance(wanted, Path) and wanted == self._loaded):
                    return
                raise ConfigError(
                    f"{_name(self._loaded)} is loaded already; make another GPUMemoryManager for "
                    f"{_name(wanted)}"
                )
            name: str | Path = _name(wanted)
            kind: dict[str, Any] = {}
            if callable(wanted):
                chosen = choose_object(wanted, None)
                kind = {"archive": chosen.archive, "function": chosen.function}
            else:
                name = wanted
                kind = {"layers": wanted.suffix == ".safetensors"}
            self._engine = _core.TorchEngine(
                name,
                library=torch_path(),
                device=self._asked,
                threads=max(1, len(os.sched_getaffinity(0))),
                precision=self._precision,
                limit=self.max_vram_mb << 20,
                cache_folder=_core.memory_cache_folder(),
                **kind,
            )
            self._loaded = wanted

    def process_frame_tensor(self, frame: torch.Tensor) -> torch.Tensor:
        """Runs the network on one frame.

        Everything the device held for it is freed when this returns.

        Args:
            frame: (planes, height, width) or (1, planes, height, width): 1 plane (luma), or 3 (red,
                green, blue), which a luma network is run on one by one. uint8 or uint16 codes, or
                floating-point values 0..1, which are rounded to 16 bits.

        Returns:
            A new tensor of the same dimensions, type and device, scale times as wide and high.

        Raises:
            ConfigError: No network is loaded, or the frame does not fit it.
            TypeError: The frame is no tensor of such a type.
            MemoryLimitError: Even the smallest pieces pass the limit; the message says what would
                be needed. The next frame may be smaller.
            ModelError: The network fails on it.
        """
        import torch

        if not isinstance(frame, torch.Tensor):
            raise TypeError(f"a frame must be a torch tensor, not {type(frame).__name__}")
        with self._lock:
            engine = self._engine
            if engine is None:
                raise ConfigError("no network is loaded: call load_model_once() first")
            planes = frame[0] if frame.dim() == 4 and frame.size(0) == 1 else frame
            if planes.dim() != 3 or planes.size(0) not in {engine.planes, 3} or not planes.numel():
                raise ConfigError(
                    f"a frame must be ({engine.planes}, height, width), or the same with a 1 "
                    f"before it, not {tuple(frame.shape)}"
                )
            depth = 8 if frame.dtype == torch.uint8 else 16
            codes = [plane.contiguous().numpy() for plane in _codes(planes)]
            conditions = [0.0] * engine.conditions
            if engine.planes == len(codes):
                found = engine.run(codes, conditions, depth)
            else:
                found = [engine.run([plane], conditions, depth)[0] for plane in codes]
        result = torch.stack([torch.from_numpy(plane) for plane in found])
        if frame.dtype.is_floating_point:
            result = (result.to(torch.float64) / 65535).to(frame.dtype)
        return (result[None] if frame.dim() == 4 else result).to(frame.device)

    def cleanup_frame_tensors(self, *tensors: torch.Tensor) -> None:
        """Drops the memory of tensors at once, although they are still named somewhere.

        They are empty afterwards. Memory that another tensor looks at stays with that one.

        Raises:
            TypeError: Something else was given.
        """
        import torch

        for tensor in tensors:
            if not isinstance(tensor, torch.Tensor):
                raise TypeError(f"give torch tensors, not {type(tensor).__name__}")
        for tensor in tensors:
            tensor.data = tensor.new_empty(0)

    def close(self) -> None:
        """Frees the network; another may be loaded then."""
        with self._lock:
            self._engine = self._loaded = None

    def __enter__(self) -> GPUMemoryManager:
        """Itself; the end of the block frees the network."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Frees the network."""
        self.close()


def _name(model: object) -> str:
    if isinstance(model, Path):
        return str(model)
    return ("module " if is_module(model) else "function ") + model_name(model)


def _codes(planes: torch.Tensor) -> torch.Tensor:
    import torch

    planes = planes.detach().cpu()
    if planes.dtype in (torch.uint8, torch.uint16):
        return planes
    if not planes.dtype.is_floating_point:
        raise TypeError(
            f"a frame must be uint8, uint16 or of floating-point values, not {planes.dtype}"
        )
    values = planes.to(torch.float64).clamp(0, 1).nan_to_num(0)
    return (values * 65535).round().to(torch.int32).to(torch.uint16)
