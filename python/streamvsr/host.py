"""The drop-in: an application's own VideoProcessor, whose process() streams when told so.

    >>> from streamvsr.host import streaming
    >>> class StreamingVideoEnhancementProcessor(streaming(VideoProcessor)):  # doctest: +SKIP
    ...     pass

docs/drop-in.md says what of an existing configuration is used and how.
"""

from __future__ import annotations

import os
import threading
import time
import types
from collections.abc import Mapping
from typing import Any, TypeVar

from streamvsr.api import StreamingVideoProcessor
from streamvsr.errors import ConfigError, StreamvsrError
from streamvsr.host_base import FrameEnhancer, VideoInfo, analyze, enhance_frames
from streamvsr.host_config import HostConfig, read_config
from streamvsr.host_keys import SWITCH
from streamvsr.host_parts import TrackerFeed, validate
from streamvsr.presets import DEFAULT_PRESET, DEFAULT_QUALITY
from streamvsr.progress import LOGGER
from streamvsr.remains import PathInput
from streamvsr.result import ProcessResult, failure
from streamvsr.settings import read_mapping

__all__ = [
    "HostConfig",
    "HostMethods",
    "ProcessResult",
    "StreamingMixin",
    "StreamingVideoEnhancementProcessor",
    "VideoInfo",
    "read_config",
    "streaming",
]

_LOCK = threading.Lock()
Parent = TypeVar("Parent")


class _State:
    """What a streaming processor keeps beside what its parent does."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.logged: set[str] = set()
        self.processor: StreamingVideoProcessor | None = None
        self.enhancer: FrameEnhancer | None = None

    def __reduce__(self) -> tuple[type[_State], tuple[()]]:
        # A copy of a processor, in another process too, begins with nothing.
        return _State, ()


class HostMethods:
    """Purpose: what a VideoProcessor offers beside process(), for parents that leave it open.

    Thread-safety: every call may come from any thread. Ownership: keeps the network.
    """

    def analyze_video(self, path: PathInput) -> Any:  # a parent may promise a class of its own
        """What is in a video, by its packets; nothing is decoded.

        Returns:
            A VideoInfo.

        Raises:
            InputNotFoundError: Nothing is there.
            InputError: It is no media file, or has no video.
        """
        return analyze(path)

    def process_tiles(self, frames: Any, strategy: object = None) -> Any:
        """Enhances frames one by one; how they are cut is planned from the memory that is measured.

        The network sees red, green and blue by turns where it is one for luma, and runs on torch.

        Args:
            frames: (n, height, width, 3) uint8, or a sequence of arrays (height, width, 3): RGB.
            strategy: How to cut; what is given is named in a warning and changes nothing.

        Returns:
            An array for an array, a list for a sequence; frames scale times as wide and high.

        Raises:
            StreamvsrError: The configuration or the network cannot be used.
            TypeError: Frames of another shape or type.
        """
        read = read_config(_configuration(self))
        if strategy is not None:
            _tell(
                self, ["strategy of process_tiles() has no effect: frames are cut as memory needs"]
            )
        config = read.streaming_config()
        state = _state(self)
        with state.lock:
            if state.enhancer is None or state.enhancer.config != config:
                state.enhancer = FrameEnhancer(config)
            enhancer = state.enhancer
        return enhance_frames(enhancer, frames)


class StreamingMixin:
    """Purpose: puts a streaming process() before a parent's: `class X(StreamingMixin, Parent)`.

    The switch is streaming_mode in self.config, looked at by every call: off, the parent's
    process() gets the arguments as they came and its result goes back as it is; on, the video is
    streamed and the parent's is not called. Without a parent's process() (none, or an abstract one)
    a missing switch means on, and a switch that is off is an error.

    Attributes that the parent may have, and that are used: config, progress_tracker and
    quality_validator (streamvsr.host_parts says what is called of the latter two).

    Thread-safety: process() may run in several threads at once, as far as the tracker may.
    Ownership: keeps the network of process_tiles().
    """

    def process(self, *arguments: Any, **named: Any) -> Any:
        """Enhances one video: process(input_path, output_path=None, preset=..., quality=...).

        Returns:
            A ProcessResult, in which every failure is; with the switch off what the parent's gives.

        Raises:
            KeyboardInterrupt: Ctrl-C; the whole segments are kept, and the same call goes on with
                them.
            TypeError: Wrong arguments.
        """
        started = time.monotonic()
        parents = getattr(super(), "process", None)
        parents = None if _is_open(parents) else parents
        try:
            on = _switch(self, parents is None)
        except StreamvsrError as error:
            return failure(error, time.monotonic() - started)
        if not on and parents is not None:
            return parents(*arguments, **named)
        return _stream(self, *arguments, **named)

    @property
    def streaming_processor(self) -> StreamingVideoProcessor | None:
        """That of the process() which began to stream last: its stop() and monitor; None before."""
        return _state(self).processor


def streaming(parent: type[Parent]) -> type[Parent]:
    """A parent class with a process() that streams when told so: see StreamingMixin.

    What the parent leaves out, or abstract, of analyze_video() and process_tiles() is filled in by
    HostMethods.

    Args:
        parent: Any class with the interface of a VideoProcessor; it stays as it is.

    Returns:
        A class derived from StreamingMixin and parent, made like the parent. For a type checker,
        which cannot follow a class that is made at run time, write
        `class X(StreamingMixin, Parent)`, or `class X(StreamingMixin, HostMethods, Parent)` where
        the parent leaves those methods open; it is the same.

    Raises:
        TypeError: parent is no class.
    """
    if not isinstance(parent, type):
        raise TypeError(f"give the parent's class, not a {type(parent).__name__}")
    filled = {
        name: method
        for name, method in vars(HostMethods).items()
        if not name.startswith("_") and _is_open(getattr(parent, name, None))
    }
    bases = (StreamingMixin, parent)
    return types.new_class(
        f"Streaming{parent.__name__}", bases, exec_body=lambda n: n.update(filled)
    )


class StreamingVideoEnhancementProcessor(StreamingMixin, HostMethods):
    """Purpose: the same without a parent: process(), analyze_video() and process_tiles().

    Thread-safety and ownership: as StreamingMixin.

    Attributes:
        config: An existing configuration: a mapping, or the path of a JSON or YAML file.
        progress_tracker: Told how far a job is; or None.
        quality_validator: Asked about the output; or None.
    """

    def __init__(
        self,
        config: Mapping[str, Any] | str | os.PathLike[str] | None = None,
        progress_tracker: Any = None,
        quality_validator: Any = None,
    ) -> None:
        """Reads the configuration's file, if it is one; the values are looked at by process().

        Raises:
            StreamvsrError: The file cannot be read.
            TypeError: config is something else.
        """
        if config is None or isinstance(config, Mapping):
            self.config: Mapping[str, Any] = {} if config is None else config
        elif isinstance(config, (str, os.PathLike)):
            self.config = read_mapping(config)
        else:
            raise TypeError(
                f"a configuration is a mapping or a file's path, not {type(config).__name__}"
            )
        self.progress_tracker = progress_tracker
        self.quality_validator = quality_validator


def _is_open(method: Any) -> bool:
    return method is None or bool(getattr(method, "__isabstractmethod__", False))


def _state(processor: object) -> _State:
    # Made when first asked for: a parent's __init__ need not call ours.
    with _LOCK:
        found: _State = vars(processor).setdefault("_streamvsr_state", _State())
        return found


def _configuration(processor: object) -> Mapping[str, Any] | str | os.PathLike[str]:
    config = getattr(processor, "config", None)
    if config is None:
        return {}
    if isinstance(config, (Mapping, str, os.PathLike)):
        return config
    to_dict = getattr(config, "to_dict", None)
    found = to_dict() if callable(to_dict) else None
    if not isinstance(found, Mapping):
        raise ConfigError(
            "self.config must be a mapping, the path of a JSON or YAML file, or have a to_dict(), "
            f"and is a {type(config).__name__}"
        )
    return found


def _switch(processor: object, alone: bool) -> bool:
    """Whether to stream; alone: there is no parent's process()."""
    config = getattr(processor, "config", None)
    if isinstance(config, (str, os.PathLike)):
        config = read_mapping(config)
    get = getattr(config, "get", None)
    value = get(SWITCH, alone) if callable(get) else alone
    value = alone if value is None else value
    if not isinstance(value, (bool, int)) or value not in (0, 1):
        raise ConfigError(f"{SWITCH} must be true or false, not {value!r}")
    if alone and not value:
        raise ConfigError(
            f"{SWITCH} is off, and there is no parent whose process() could run instead: turn it "
            "on, or derive from streaming(YourVideoProcessor)"
        )
    return bool(value)


def _tell(processor: object, warnings: list[str]) -> None:
    """Logs warnings, each once for a processor."""
    state = _state(processor)
    with state.lock:
        new = [text for text in warnings if text not in state.logged]
        state.logged.update(new)
    for text in new:
        LOGGER.warning("%s", text)


def _stream(
    self: object,
    input_path: PathInput,
    output_path: PathInput | None = None,
    preset: str = DEFAULT_PRESET,
    quality: str = DEFAULT_QUALITY,
) -> ProcessResult:
    started = time.monotonic()
    source = os.fspath(input_path)
    feed = TrackerFeed(getattr(self, "progress_tracker", None))
    warnings: list[str] = []
    result = None
    try:
        info = _looked_at(source)
        feed.begin(0 if info is None else info.total_frames)
        try:
            read = read_config(_configuration(self))
            warnings += read.warnings
            fps = 0.0 if info is None else info.fps
            _tell(self, warnings)
            feed.interval = read.update_interval
            processor = StreamingVideoProcessor(read.streaming_config(fps, output_path))
            _state(self).processor = processor
            result = processor.process(source, output_path, preset, quality, progress=feed.stream)
            if result.success:
                feed.reach("streaming", {})
                _measure(self, feed, source, result)
        except (StreamvsrError, MemoryError) as error:
            result = failure(error, time.monotonic() - started)
            result.preset, result.quality = preset, quality
    finally:
        feed.finish(result is not None and result.success)
    result.warnings = [*warnings, *result.warnings]
    return result


def _looked_at(source: str) -> VideoInfo | None:
    """What is in the video; None where the job will say what is wrong with it."""
    try:
        return analyze(source)
    except StreamvsrError:
        return None


def _measure(self: object, feed: TrackerFeed, source: str, result: ProcessResult) -> None:
    validator = getattr(self, "quality_validator", None)
    if validator is None or result.output_path is None:
        return
    feed.reach("validation", {"output_path": result.output_path})
    try:
        result.quality_metrics = validate(validator, source, result.output_path)
    except Exception as error:
        warning = (
            f"the quality validator failed: {type(error).__name__}: {error}; the output is complete"
        )
        result.warnings.append(warning)
        LOGGER.warning("%s", warning)
        feed.skip()
