"""Steady pictures: the options' way into the core, and the stream's window for own frames."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from streamvsr import _core
from streamvsr._names import check_name
from streamvsr.config import TEMPORAL_FLOWS, StreamingConfig
from streamvsr.errors import ConfigError

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Frame = TypeVar("Frame", NDArray[Any], torch.Tensor)
else:
    Frame = TypeVar("Frame")

# What an option that is None means without a preset: nothing is done.
_STRENGTH = 0.7
_FINEST = {"full": 0, "half": 1, "off": 0}


def steady_options(config: StreamingConfig) -> _core.SteadyOptions:
    """The core's form of a configuration's mask and temporal window."""
    options = _core.SteadyOptions()
    options.window = config.temporal_window or 1
    options.strength = _value(config.temporal_strength, _STRENGTH)
    flow = config.temporal_flow or "full"
    options.flow, options.finest = flow != "off", _FINEST[flow]
    options.background_lock = config.background_lock is not False
    options.mask_strength = _value(config.mask_strength, 1.0)
    options.mask_highlights = _value(config.mask_highlights, 1.0)
    options.mask_shadows = _value(config.mask_shadows, 0.0)
    options.mask_edges = _value(config.mask_edges, 0.0)
    options.mask_motion = _value(config.mask_motion, 1.0)
    return options


def _value(option: float | None, default: float) -> float:
    return default if option is None else float(option)


class TemporalBuffer:
    """Purpose: the stream's temporal window for a program's own frames (docs/temporal.md).

    A frame is a NumPy array, (height, width) or, red, green and blue, (height, width, 3); or a
    torch tensor, (planes, height, width) or (1, planes, height, width) with 1 or 3 planes, on any
    device. Values are uint8 or uint16 codes, or floating-point values 0..1, which are rounded to 16
    bits. A frame is its own source: motion and cuts are looked for in it.

    Thread-safety: any thread may call at any time; calls wait for each other. Ownership: frames are
    kept by reference, and a copy of their codes.
    """

    def __init__(
        self,
        max_frames: int = 3,
        *,
        strength: float = _STRENGTH,
        flow: str = "full",
        background_lock: bool = True,
        threads: int = 0,
    ) -> None:
        """Makes an empty window.

        Args:
            max_frames: Frames that one result is made of, itself among them, 2 to 8; so many are
                kept, the oldest leaves.
            strength: What a frame weighs against the one after it, above 0 and up to 1.
            flow: "full", "half" or "off", as StreamingConfig.temporal_flow.
            background_lock: As StreamingConfig.background_lock.
            threads: 0 to 128; 0: one a core. Changes no result.

        Raises:
            ConfigError: A value is outside its range.
        """
        _within("max_frames", max_frames, 2, 8)
        _within("threads", threads, 0, 128)
        if isinstance(strength, bool) or not isinstance(strength, (int, float)):
            raise ConfigError(f"strength must be a number, not {strength!r}")
        if not 0 < strength <= 1:
            raise ConfigError(f"strength must be above 0 and up to 1, not {strength:g}")
        if not isinstance(background_lock, bool):
            raise ConfigError(f"background_lock must be True or False, not {background_lock!r}")
        options = _core.SteadyOptions()
        options.window, options.strength = max_frames, float(strength)
        options.background_lock = background_lock
        check_name("flow", flow, TEMPORAL_FLOWS)
        options.flow, options.finest = flow != "off", _FINEST[flow]
        self.max_frames = max_frames
        self._frames: deque[Any] = deque(maxlen=max_frames)
        self._window = _core.TemporalWindow(options, threads)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many frames are kept."""
        return len(self._frames)

    def add_frame(self, frame: NDArray[Any] | torch.Tensor) -> None:
        """Keeps an enhanced frame; the oldest leaves where max_frames are kept.

        Give it as it came from the network, not what apply_temporal_stabilization() returned: a
        result must not depend on earlier results, or what is wrong in one stays for ever.

        Raises:
            ConfigError: The frame has another shape than said above.
            TypeError: It is no array or tensor of such a type.
        """
        planes = _planes(frame)
        with self._lock:
            self._window.add(planes)
            self._frames.append(frame)

    def get_previous_frame(self) -> Any:
        """The very frame that was added last; None where there is none."""
        return self._frames[-1] if self._frames else None

    def apply_temporal_stabilization(self, current: Frame, previous: Frame | None = None) -> Frame:
        """A frame, steadied by those before it. Nothing is added.

        Args:
            current: The frame that follows what was added.
            previous: Use this frame alone instead of those that were added. None, the default:
                the last max_frames - 1 of those.

        Returns:
            A new frame of current's kind, shape, type and device. A frame that follows a cut, or
            none, or frames of another size or type, comes back as it is.

        Raises:
            ConfigError: A frame has another shape than said above.
            TypeError: It is no array or tensor of such a type.
        """
        planes = _planes(current)
        before = None if previous is None else _planes(previous)
        with self._lock:
            steady = self._window.steady(planes, before)
        result: Frame = _like(current, steady)
        return result


def _within(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"{name} must be a whole number from {low} to {high}, not {value!r}")


def _is_tensor(frame: object) -> bool:
    return type(frame).__module__.partition(".")[0] == "torch" and hasattr(frame, "detach")


def _planes(frame: Any) -> list[NDArray[Any]]:
    """The planes of a frame as codes."""
    if _is_tensor(frame):
        shape = tuple(frame.shape)
        tensor = frame.detach().cpu()
        tensor = tensor[0] if tensor.dim() == 4 and shape[0] == 1 else tensor
        if tensor.dim() != 3 or tensor.shape[0] not in (1, 3) or not tensor.numel():
            raise ConfigError(
                "a tensor must be (1, height, width) or (3, height, width), or the same with a 1 "
                f"before it, not {shape}"
            )
        if tensor.dtype.is_floating_point:
            tensor = tensor.double()  # NumPy has no bfloat16
        return [_codes(plane) for plane in tensor.numpy()]
    if not isinstance(frame, np.ndarray):
        raise TypeError(f"a frame is a NumPy array or a torch tensor, not {type(frame).__name__}")
    if not frame.size or not (frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] == 3)):
        raise ConfigError(
            f"an array must be (height, width) or (height, width, 3), not {frame.shape}"
        )
    planes = [frame] if frame.ndim == 2 else [frame[..., channel] for channel in range(3)]
    return [_codes(plane) for plane in planes]


def _codes(plane: NDArray[Any]) -> NDArray[Any]:
    if plane.dtype in (np.uint8, np.uint16):
        return np.ascontiguousarray(plane)
    if not np.issubdtype(plane.dtype, np.floating):
        raise TypeError(
            f"a frame must be uint8, uint16 or of floating-point values, not {plane.dtype}"
        )
    values = np.nan_to_num(np.clip(plane.astype(np.float64), 0, 1), nan=0.0)
    return np.ascontiguousarray(np.rint(values * 65535).astype(np.uint16))


def _like(frame: Any, planes: list[NDArray[Any]]) -> Any:
    """Codes as a frame of another one's kind."""
    if _is_tensor(frame):
        import torch

        tensor = torch.from_numpy(np.stack(planes))
        if frame.dtype.is_floating_point:
            tensor = (tensor.to(torch.float64) / 65535).to(frame.dtype)
        return tensor.reshape(frame.shape).to(frame.device)
    array = planes[0] if frame.ndim == 2 else np.stack(planes, axis=-1)
    if np.issubdtype(frame.dtype, np.floating):
        array = (array / 65535).astype(frame.dtype)
    return array
