"""Video super-resolution as a stream: a film of any length in, the enhanced film out.

    >>> import streamvsr
    >>> streamvsr.upscale("in.mp4", "out.mp4")  # doctest: +SKIP

upscale() raises what goes wrong; StreamingVideoProcessor reports it in a ProcessResult; probe()
says what is in a file. A job that was interrupted goes on when the same call is made again;
status() says how far it is, clean() removes it. All of it is on the command line, too:
`streamvsr --help`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from streamvsr.errors import (
    ConfigError,
    DamagedInputError,
    InputError,
    InputNotFoundError,
    InternalError,
    MemoryLimitError,
    MissingToolError,
    ModelError,
    OutputBusyError,
    OutputError,
    OutputExistsError,
    ResumeError,
    StoppedError,
    StreamvsrError,
)

if TYPE_CHECKING:
    from streamvsr._core import MediaInfo, MemoryFrameBuffer, Progress
    from streamvsr.api import StreamingVideoProcessor, default_output_path, probe, upscale
    from streamvsr.before_after import Preview, preview
    from streamvsr.checkpoint_manager import CheckpointManager
    from streamvsr.comparison import Comparison, MetricResult, compare
    from streamvsr.config import StreamingConfig
    from streamvsr.disk import calculate_disk_usage, pre_check_disk_space
    from streamvsr.gpu import GPUMemoryManager
    from streamvsr.models import Model, packaged_models
    from streamvsr.monitor import StreamingMonitor, plot_report
    from streamvsr.remains import JobStatus, LiveProgress, clean, status
    from streamvsr.result import ProcessResult
    from streamvsr.temporal import TemporalBuffer

__version__ = "0.1.0"

__all__ = [
    "CheckpointManager",
    "Comparison",
    "ConfigError",
    "DamagedInputError",
    "GPUMemoryManager",
    "InputError",
    "InputNotFoundError",
    "InternalError",
    "JobStatus",
    "LiveProgress",
    "MediaInfo",
    "MemoryFrameBuffer",
    "MemoryLimitError",
    "MetricResult",
    "MissingToolError",
    "Model",
    "ModelError",
    "OutputBusyError",
    "OutputError",
    "OutputExistsError",
    "Preview",
    "ProcessResult",
    "Progress",
    "ResumeError",
    "StoppedError",
    "StreamingConfig",
    "StreamingMonitor",
    "StreamingVideoProcessor",
    "StreamvsrError",
    "TemporalBuffer",
    "__version__",
    "calculate_disk_usage",
    "clean",
    "compare",
    "default_output_path",
    "packaged_models",
    "plot_report",
    "pre_check_disk_space",
    "preview",
    "probe",
    "status",
    "upscale",
]

# Loaded when first asked for: the core brings FFmpeg's libraries with it.
_HOMES = {
    "CheckpointManager": "checkpoint_manager",
    "Comparison": "comparison",
    "GPUMemoryManager": "gpu",
    "JobStatus": "remains",
    "LiveProgress": "remains",
    "MediaInfo": "_core",
    "MemoryFrameBuffer": "_core",
    "MetricResult": "comparison",
    "Model": "models",
    "Preview": "before_after",
    "ProcessResult": "result",
    "Progress": "_core",
    "StreamingConfig": "config",
    "StreamingMonitor": "monitor",
    "StreamingVideoProcessor": "api",
    "TemporalBuffer": "temporal",
    "calculate_disk_usage": "disk",
    "clean": "remains",
    "compare": "comparison",
    "default_output_path": "api",
    "packaged_models": "models",
    "plot_report": "monitor",
    "pre_check_disk_space": "disk",
    "preview": "before_after",
    "probe": "api",
    "status": "remains",
    "upscale": "api",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
