"""A small application of the kind that the drop-in is for: its VideoProcessor, tracker, validator.

Nothing in it knows of streamvsr.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class VideoInfo:
    resolution: tuple[int, int]
    duration: float
    fps: float
    total_frames: int
    has_audio: bool


@dataclass
class ProcessResult:
    success: bool
    output_path: str | None = None
    processing_time: float = 0.0
    quality_metrics: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    checkpoint_path: str | None = None
    performance_report: dict[str, Any] = field(default_factory=dict)
    memory_peak_mb: float = 0.0
    frames_processed: int = 0


class VideoProcessor(ABC):
    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.progress_tracker: Any = None
        self.quality_validator: Any = None

    @abstractmethod
    def process(
        self,
        input_path: str,
        output_path: str | None = None,
        preset: str = "theater_medium",
        quality: str = "balanced",
    ) -> ProcessResult: ...

    @abstractmethod
    def analyze_video(self, path: str) -> VideoInfo: ...

    @abstractmethod
    def process_tiles(self, frames: Any, strategy: Any) -> Any: ...


class TraditionalVideoProcessor(VideoProcessor):
    """Writes down how it was called, instead of a directory full of frames."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self.result = ProcessResult(success=True, output_path="traditional.mp4")

    def process(self, *arguments: Any, **named: Any) -> ProcessResult:
        self.calls.append((arguments, named))
        return self.result

    def analyze_video(self, path: str) -> VideoInfo:
        return VideoInfo((1, 2), 3.0, 4.0, 5, False)

    def process_tiles(self, frames: Any, strategy: Any) -> Any:
        return ["parent", frames, strategy]


@dataclass
class Stage:
    display_name: str
    weight: float
    progress: float = 0.0
    state: str = "waiting"


class Misdriven(BaseException):
    """A tracker was told what cannot be; no Exception, since those of a tracker are let be."""


def _must(condition: bool) -> None:
    if not condition:
        raise Misdriven


class ProgressTracker:
    """Sees to it that it is driven as it must be, and writes down every call."""

    def __init__(self) -> None:
        self.stages: dict[str, Stage] = {}
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.overall: list[float] = []
        self.drawn: list[str] = []
        self.finished: bool | None = None
        self._started = 0.0

    def add_stage(self, name: str, display_name: str, weight: float) -> None:
        self._note("add_stage", name, display_name, weight)
        _must(name not in self.stages)
        self.stages[name] = Stage(display_name, weight)

    def start_processing(self, total_items: int) -> None:
        self._note("start_processing", total_items)
        _must(bool(self.stages))
        self._started = time.monotonic()

    def start_stage(self, name: str, details: dict[str, Any] | None = None) -> None:
        self._note("start_stage", name, details)
        _must(all(stage.state != "running" for stage in self.stages.values()))
        _must(self.stages[name].state == "waiting")
        self.stages[name].state = "running"

    def update_stage_progress(
        self, stage: str, progress: float, details: dict[str, Any] | None = None
    ) -> None:
        self._note("update_stage_progress", stage, progress, details)
        _must(self.stages[stage].state == "running")
        _must(self.stages[stage].progress <= progress <= 1)
        self.stages[stage].progress = progress
        self.overall.append(self.get_overall_progress())

    def complete_stage(self, name: str) -> None:
        self._end("complete_stage", name, "complete")

    def skip_stage(self, name: str) -> None:
        self._end("skip_stage", name, "skipped")

    def finish_processing(self, success: bool) -> None:
        self._note("finish_processing", success)
        _must(self.finished is None)
        self.finished = success

    def get_overall_progress(self) -> float:
        total = sum(stage.weight for stage in self.stages.values())
        return sum(stage.weight * stage.progress for stage in self.stages.values()) / total

    def calculate_eta(self) -> float:
        done = self.get_overall_progress()
        return (time.monotonic() - self._started) * (1 - done) / done if done else -1.0

    def display_progress_bar(self) -> None:
        self.drawn.append(f"{self.get_overall_progress():.1%}, {self.calculate_eta():.1f} s left")

    def _end(self, call: str, name: str, state: str) -> None:
        self._note(call, name)
        _must(self.stages[name].state in ("waiting", "running"))
        if state == "complete":
            self.stages[name].progress = 1.0
        self.stages[name].state = state

    def _note(self, name: str, *arguments: Any) -> None:
        _must(self.finished is None)
        self.calls.append((name, arguments))

    def names(self) -> list[str]:
        """The calls in their order, but for updates and drawing."""
        return [
            f"{name} {arguments[0]}"
            for name, arguments in self.calls
            if name not in ("add_stage", "update_stage_progress")
        ]


class QualityValidator:
    """Compares durations; measure: how it finds the duration of a file, in seconds."""

    def __init__(self, measure: Callable[[str], float]) -> None:
        self._measure = measure

    def validate(self, input_path: str, output_path: str) -> dict[str, Any]:
        wanted, found = self._measure(input_path), self._measure(output_path)
        return {"duration_error": abs(wanted - found), "overall_score": 0.9}


# The configuration as the application ships it. quality_presets has three of these.
_PRESETS = {
    "fast": {"tile_size": 512, "batch_size": 4, "denoise_strength": 0.5, "overlap_pixels": 16},
    "balanced": {"tile_size": 768, "batch_size": 2, "denoise_strength": 0.7, "overlap_pixels": 32},
    "high": {"tile_size": 1024, "batch_size": 1, "denoise_strength": 0.9, "overlap_pixels": 64},
}


def shipped_config() -> dict[str, Any]:
    """Every key that the application knows, with its default."""
    return {
        "streaming_mode": True,
        "streaming": {
            "enabled": True, "max_memory_mb": 1024, "max_vram_mb": 6144,
            "checkpoint_interval": 1000, "temporal_buffer_size": 3, "batch_size": 1,
            "enable_temporal_stabilization": True,
        },
        "video": {
            "ai_model": "nearest",
            "model_path": None,
            "quality_presets": {name: dict(values) for name, values in _PRESETS.items()},
            "output": {"format": "mp4", "codec": "h264", "crf": 18, "preset": "slow"},
        },
        "performance": {
            "use_gpu": True, "gpu_id": 0, "max_memory_usage": 0.7, "tile_overlap": 32,
            "num_workers": 2, "prefetch_factor": 2, "checkpoint_interval": 1000,
        },
        "gan_policy": {
            "strength": "medium", "highlight_threshold": 0.82, "shadow_threshold": 0.18,
            "edge_threshold": 0.1, "motion_threshold": 0.05,
        },
        "temporal_config": {
            "background_lock": True, "strength": "medium", "optical_flow_enabled": True,
        },
        "models_dir": "models",
        "temp_dir": "temp",
        "progress_update_interval": 0.5,
    }  # fmt: skip


# The same as a file of the application's users, in YAML, with fewer keys.
SHIPPED_YAML = """\
streaming_mode: true
streaming:
  max_memory_mb: 512
  checkpoint_interval: 25   # frames
video:
  ai_model: nearest
  output: {format: mkv, codec: h265, crf: 30, preset: ultrafast}
performance:
  use_gpu: no
temp_dir: /tmp/frames
"""
