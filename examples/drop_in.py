"""An application's own VideoProcessor that streams: python examples/drop_in.py IN [OUT]

The application has a processor, a progress tracker and a quality validator of its own. One import
and one base class make it stream, where its configuration says so.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from streamvsr.host import StreamingMixin


class VideoProcessor:
    """The application's own: it would write every frame into a folder."""

    def __init__(self, config: dict[str, Any]) -> None:
        """Keeps its configuration."""
        self.config = config
        self.progress_tracker: Any = None
        self.quality_validator: Any = None

    def process(
        self,
        input_path: str,
        output_path: str | None = None,
        preset: str = "theater_medium",
        quality: str = "balanced",
    ) -> Any:
        """What runs when streaming_mode is off."""
        raise NotImplementedError("the traditional mode was never written")


class StreamingVideoEnhancementProcessor(StreamingMixin, VideoProcessor):
    """The same, streaming; without a type checker also `streaming(VideoProcessor)`."""


class Tracker:
    """The application's own progress tracker."""

    def __init__(self) -> None:
        """Knows no stages yet."""
        self.weights: dict[str, float] = {}
        self.done: dict[str, float] = {}

    def add_stage(self, name: str, display_name: str, weight: float) -> None:
        """Learns of a stage."""
        self.weights[name] = weight

    def start_processing(self, total_items: int) -> None:
        """Begins."""
        print(f"about {total_items} frames")

    def start_stage(self, name: str, details: dict[str, Any]) -> None:
        """Begins a stage."""
        print(f"{name} ...")

    def update_stage_progress(self, name: str, share: float, details: dict[str, Any]) -> None:
        """Takes how far a stage is."""
        self.done[name] = share

    def complete_stage(self, name: str) -> None:
        """Ends a stage."""
        self.done[name] = 1.0

    def skip_stage(self, name: str) -> None:
        """Leaves a stage out."""
        self.weights.pop(name)

    def display_progress_bar(self) -> None:
        """Draws."""
        done = sum(weight * self.done.get(name, 0) for name, weight in self.weights.items())
        print(f"{100 * done / sum(self.weights.values()):.0f} %")

    def finish_processing(self, success: bool) -> None:
        """Ends."""
        self.display_progress_bar()


class Validator:
    """The application's own quality validator."""

    def validate(self, input_path: str, output_path: str) -> dict[str, float]:
        """Figures about an output."""
        return {"growth": os.path.getsize(output_path) / os.path.getsize(input_path)}


def main() -> None:
    """Enhances one video."""
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    config = {
        "streaming_mode": True,
        "streaming": {"max_memory_mb": 512, "checkpoint_interval": 250},
        "video": {"output": {"codec": "h264", "crf": 20, "preset": "fast"}},
        "temp_dir": "/tmp/frames",  # is not needed any more, and a warning says so
    }
    processor = StreamingVideoEnhancementProcessor(config)
    processor.progress_tracker = Tracker()
    processor.quality_validator = Validator()
    result = processor.process(*sys.argv[1:])
    if not result.success:
        sys.exit(result.error)
    print(f"{result.output_path}: {result.frames_processed} frames, {result.quality_metrics}")


if __name__ == "__main__":
    main()
