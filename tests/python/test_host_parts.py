"""The application's progress tracker and quality validator, driven by a stream."""

from __future__ import annotations

import _thread
import itertools
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import host_application as app
import pytest
import streamvsr
from dropped_in import Drop, quick
from helpers import numbers
from streamvsr.errors import StoppedError
from streamvsr.host_parts import STAGES, TrackerFeed, validate


def test_the_tracker_is_told_in_order(tmp_path: Path, small_clip: Path) -> None:
    processor = Drop(quick(progress_update_interval=0.001))
    tracker = processor.progress_tracker = app.ProgressTracker()
    processor.quality_validator = lambda source, target: {"bytes": os.path.getsize(target)}
    result = processor.process(small_clip, tmp_path / "out.mp4")
    assert result.quality_metrics == {"bytes": (tmp_path / "out.mp4").stat().st_size}
    assert [stage.weight for stage in tracker.stages.values()] == [w for _, _, w in STAGES]
    assert [name for name, _ in tracker.calls][:3] == ["add_stage"] * 3
    assert tracker.names() == [
        "start_processing 50",
        "start_stage planning", "complete_stage planning",
        "start_stage streaming", "complete_stage streaming",
        "start_stage validation", "complete_stage validation",
        "finish_processing True",
    ]  # fmt: skip
    assert tracker.overall == sorted(tracker.overall)
    assert tracker.get_overall_progress() == pytest.approx(1)


def test_the_tracker_hears_of_frames_and_draws(tmp_path: Path, long_clip: Path) -> None:
    processor = Drop(quick(progress_update_interval=0.001))
    tracker = processor.progress_tracker = app.ProgressTracker()
    assert processor.process(long_clip, tmp_path / "out.mp4").success
    updates = [
        arguments
        for name, arguments in tracker.calls
        if name == "update_stage_progress" and arguments[0] == "streaming"
    ]
    assert len(tracker.drawn) == len(updates) - 1 > 0  # the last one completes the stage
    for _, share, details in updates[:-1]:
        assert share == details["frames_done"] / details["frames_total"]
        assert details["frames_total"] == 400
        assert details.keys() == {
            "frames_done", "frames_total", "fps", "eta_seconds", "memory_mb",
        }  # fmt: skip
    assert tracker.names()[-2:] == ["skip_stage validation", "finish_processing True"]


def test_the_configuration_sets_the_distance_of_updates(tmp_path: Path, long_clip: Path) -> None:
    processor = Drop(quick(progress_update_interval=3600))
    tracker = processor.progress_tracker = app.ProgressTracker()
    assert processor.process(long_clip, tmp_path / "out.mp4").success
    assert len(tracker.drawn) == 1


class _Told:
    """As much of a Progress as a tracker hears of."""

    fps, eta_seconds, memory_mb = 1.0, 2.0, 3.0

    def __init__(self, frames_done: int, frames_total: int) -> None:
        self.frames_done, self.frames_total = frames_done, frames_total


def test_progress_never_goes_back_even_where_estimates_do() -> None:
    tracker = app.ProgressTracker()
    feed = TrackerFeed(tracker)
    feed.interval = 0
    feed.begin(100)
    for done, total in itertools.product((0, 5, 80, 120), (100, 400, 90)):
        feed.stream(_Told(done, total))  # type: ignore[arg-type]
    feed.finish(True)
    assert tracker.overall == sorted(tracker.overall)
    assert max(tracker.overall) <= 1


def test_updates_keep_their_distance() -> None:
    tracker = app.ProgressTracker()
    feed = TrackerFeed(tracker)
    feed.interval = 3600
    feed.begin(100)
    for done in range(50):
        feed.stream(_Told(done, 100))  # type: ignore[arg-type]
    assert len(tracker.drawn) == 1


class _Angry(app.ProgressTracker):
    def _note(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, arguments))
        raise RuntimeError(f"no {name}")


@pytest.mark.parametrize("tracker", [_Angry(), object(), "tracker"])
def test_a_tracker_that_fails_is_logged_once_and_does_no_harm(
    tmp_path: Path, small_clip: Path, tracker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    processor = Drop(quick())
    processor.progress_tracker = tracker
    with caplog.at_level(logging.WARNING, "streamvsr"):
        result = processor.process(small_clip, tmp_path / "out.mp4")
    assert result.success
    (record,) = [record for record in caplog.records if "tracker" in record.getMessage()]
    assert "add_stage()" in record.getMessage()
    if isinstance(tracker, _Angry):
        assert tracker.calls[-1] == ("finish_processing", (True,))


def test_ctrl_c_passes_and_the_tracker_is_finished(tmp_path: Path, long_clip: Path) -> None:
    class Interrupting(app.ProgressTracker):
        def display_progress_bar(self) -> None:
            _thread.interrupt_main()

    processor = Drop(quick(streaming={"checkpoint_interval": 25}))
    tracker = processor.progress_tracker = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        processor.process(long_clip, tmp_path / "out.mp4")
    assert tracker.finished is False
    assert tracker.stages["streaming"].state == "running"
    assert tracker.stages["validation"].state == "skipped"
    processor.progress_tracker = app.ProgressTracker()
    again = processor.process(long_clip, tmp_path / "out.mp4")
    assert again.frames_processed == 400
    assert numbers(tmp_path / "out.mp4") == list(range(400))


def test_a_job_that_is_stopped_keeps_its_checkpoint(tmp_path: Path, long_clip: Path) -> None:
    processor = Drop(quick(streaming={"checkpoint_interval": 13}, progress_update_interval=0.001))

    class Stopping(app.ProgressTracker):
        def display_progress_bar(self) -> None:
            if streamvsr.status(tmp_path / "out.mkv").keeps_work:  # type: ignore[union-attr]
                processor.streaming_processor.stop()

    processor.config["streamvsr"]["encoder_preset"] = "medium"
    tracker = processor.progress_tracker = Stopping()
    result = processor.process(long_clip, tmp_path / "out.mkv")
    assert isinstance(result.exception, StoppedError)
    assert result.checkpoint_path == str(tmp_path / "out.mkv.streamvsr.json")
    assert tracker.finished is False


@dataclass
class Figures:
    ssim: float
    psnr: float


class Holder:
    def __init__(self) -> None:
        self.vmaf = 90


@pytest.mark.parametrize(
    ("given", "metrics"),
    [
        ({"vmaf": 90.5}, {"vmaf": 90.5}),
        (Figures(0.9, 40), {"ssim": 0.9, "psnr": 40}),
        (Holder(), {"vmaf": 90}),
        (True, {"passed": True}),
        (0.75, {"score": 0.75}),
        (None, {}),
    ],
)
def test_a_validators_figures_may_come_in_any_form(given: Any, metrics: dict[str, Any]) -> None:
    class Validator:
        def validate(self, input_path: str, output_path: str) -> Any:
            assert (input_path, output_path) == ("in", "out")
            return given

    assert validate(Validator(), "in", "out") == metrics
    assert validate(Validator().validate, "in", "out") == metrics


def _broken(source: str, target: str) -> dict[str, Any]:
    raise ZeroDivisionError("no frames")


@pytest.mark.parametrize(
    ("validator", "words"),
    [
        (_broken, "ZeroDivisionError: no frames"),
        (7, "has validate"),
        (lambda source, target: [1], "gives a list"),
    ],
)
def test_a_validator_that_fails_is_a_warning(
    tmp_path: Path, small_clip: Path, validator: Any, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    processor = Drop(quick())
    tracker = processor.progress_tracker = app.ProgressTracker()
    processor.quality_validator = validator
    with caplog.at_level(logging.WARNING, "streamvsr"):
        result = processor.process(small_clip, tmp_path / "out.mp4")
    assert result.success
    assert result.quality_metrics == {}
    (warning,) = [text for text in result.warnings if "quality validator failed" in text]
    assert words in warning
    assert warning in caplog.text
    assert tracker.stages["validation"].state == "skipped"
    assert tracker.finished is True


def test_a_validator_is_not_asked_about_a_failure(tmp_path: Path) -> None:
    processor = Drop(quick())
    processor.quality_validator = lambda source, target: pytest.fail("there is nothing to validate")
    assert not processor.process(tmp_path / "missing.mp4").success
