"""What a VideoProcessor offers beside process(): looking at a video, enhancing single frames."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamvsr import _core
from streamvsr.config import StreamingConfig
from streamvsr.errors import ConfigError
from streamvsr.gpu import GPUMemoryManager

Frame = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What is in a video.

    Attributes:
        path: The file.
        resolution: Width and height of the coded picture, in pixels.
        duration: Of the video, in seconds.
        fps: Mean rate, in frames a second.
        total_frames: Frames that are shown.
        has_audio: Whether there is sound.
        codec: FFmpeg's name of the video's codec.
        pixel_format: FFmpeg's name.
        size_bytes: Of the file.
    """

    path: str
    resolution: tuple[int, int]
    duration: float
    fps: float
    total_frames: int
    has_audio: bool
    codec: str
    pixel_format: str
    size_bytes: int

    @property
    def width(self) -> int:
        """Of the coded picture, in pixels."""
        return self.resolution[0]

    @property
    def height(self) -> int:
        """Of the coded picture, in pixels."""
        return self.resolution[1]


def analyze(path: str | os.PathLike[str]) -> VideoInfo:
    """What is in a video. Times are its packets', as a job plans by them; nothing is decoded.

    Where the container has a complete index (MP4, MOV) that is looked at alone, else the file is
    read through once. Nothing is written anywhere.

    Raises:
        InputNotFoundError: Nothing is there.
        InputError: It is no media file, or has no video.
    """
    name = os.fspath(path)
    found = _core.source_info(name)
    return VideoInfo(
        path=name,
        resolution=(found.width, found.height),
        duration=found.duration,
        fps=found.frame_rate,
        total_frames=found.frames,
        has_audio=found.has_audio,
        codec=found.codec,
        pixel_format=found.pixel_format,
        size_bytes=found.size_bytes,
    )


class FrameEnhancer:
    """Purpose: the network of a configuration, run on single frames by GPUMemoryManager.

    Thread-safety: every call may come from any thread. Ownership: owns the network.
    """

    def __init__(self, config: StreamingConfig) -> None:
        """Loads the network.

        Raises:
            StreamvsrError: As GPUMemoryManager.load_model_once().
        """
        self.config = config
        self._manager = GPUMemoryManager(config.max_vram_mb, config.device, config.precision)
        self._manager.load_model_once(config.model)

    def enhance(self, frame: Frame) -> Frame:
        """One frame, scale times as wide and high.

        Args:
            frame: (height, width, 3) uint8, red, green and blue.

        Raises:
            ConfigError: No number of passes of the network reaches the scale.
            TypeError: The frame has another shape or type.
            StreamvsrError: As GPUMemoryManager.process_frame_tensor().
        """
        import torch

        if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.shape[2:] != (3,):
            kind = f"{getattr(frame, 'dtype', type(frame).__name__)}"
            raise TypeError(
                f"a frame must be a uint8 array (height, width, 3), not {kind} "
                f"{getattr(frame, 'shape', '')}"
            )
        wanted = frame.shape[0] * self.config.scale
        planes = torch.from_numpy(np.ascontiguousarray(frame.transpose(2, 0, 1)))
        while planes.shape[1] < wanted:
            before = planes.shape[1]
            planes = self._manager.process_frame_tensor(planes)
            if planes.shape[1] == before:
                break
        if planes.shape[1] != wanted:
            raise ConfigError(f"the network does not reach scale {self.config.scale}")
        return np.ascontiguousarray(planes.numpy().transpose(1, 2, 0))


def enhance_frames(enhancer: FrameEnhancer, frames: Any) -> Any:
    """Frames one by one: an array (n, height, width, 3) gives an array, a sequence a list."""
    done = [enhancer.enhance(frame) for frame in _each(frames)]
    return np.stack(done) if isinstance(frames, np.ndarray) and done else done


def _each(frames: Any) -> Sequence[Frame]:
    if isinstance(frames, np.ndarray) and frames.ndim != 4:
        raise TypeError(f"frames must be (n, height, width, 3), not {frames.shape}")
    if not isinstance(frames, (np.ndarray, Sequence)):
        raise TypeError(f"frames must be an array or a sequence, not {type(frames).__name__}")
    return list(frames)
