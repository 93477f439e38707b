"""The drop-in in a small application: switched off it is not there, switched on it streams."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import subprocess
import sys
from abc import ABC, abstractmethod
from dataclasses import fields
from pathlib import Path
from typing import Any

import host_application as app
import numpy as np
import pytest
import streamvsr
from conftest import every_clip
from dropped_in import Drop, OfAbstract, fast_config, quick
from helpers import REPO, ffprobe, frame_times, listing, luma, make_clip, numbers, streams
from properties.watch import FolderWatch
from streamvsr import GPUMemoryManager, ProcessResult
from streamvsr.errors import ConfigError, InputError, InputNotFoundError
from streamvsr.host import StreamingVideoEnhancementProcessor, streaming


@pytest.mark.parametrize("config", [{}, {"streaming_mode": False}, {"streaming_mode": 0}])
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("in.mp4",), {}),
        (("in.mp4", "out.mp4", "theater_large", "high"), {}),
        (("in.mp4",), {"quality": "fast", "whatever": [1]}),
        ((), {"input_path": "in.mp4", "output_path": None}),
    ],
)
def test_switched_off_the_parent_is_called_as_it_was(
    config: dict[str, Any], arguments: tuple[Any, ...], named: dict[str, Any]
) -> None:
    config |= {"streaming": {"nobody": "looks"}, "nonsense": 1}
    processor = Drop(config)
    assert processor.process(*arguments, **named) is processor.result
    assert processor.calls == [(arguments, named)]
    assert processor.streaming_processor is None


def test_switched_on_a_real_clip_is_streamed(tmp_path: Path) -> None:
    clip = next((path for path in every_clip() if path.stem == "bikes"), every_clip()[0])
    source = tmp_path / clip.name
    source.write_bytes(clip.read_bytes())
    config = fast_config()
    processor = Drop(config)
    tracker = processor.progress_tracker = app.ProgressTracker()
    processor.quality_validator = app.QualityValidator(
        lambda path: float(ffprobe(path)["format"]["duration"])
    )
    result = processor.process(str(source), preset="theater_small", quality="high")
    assert result.success, result.error
    assert processor.calls == []
    assert result.output_path == str(tmp_path / f"{clip.stem}_enhanced.mp4")
    assert frame_times(result.output_path) == frame_times(source)
    assert result.frames_processed == len(frame_times(source))
    wanted = 2 * int(streams(source, "video")[0]["width"])
    assert int(streams(result.output_path, "video")[0]["width"]) == wanted
    assert result.quality_metrics["overall_score"] == 0.9
    assert result.quality_metrics["duration_error"] < 0.1
    assert (result.preset, result.quality) == ("theater_small", "high")
    assert result.processing_time > 0
    assert result.memory_peak_mb > 10
    assert result.performance_report["frames"] == result.frames_processed
    assert (result.error, result.error_message, result.checkpoint_path) == (None, None, None)
    assert tracker.finished is True
    told = "\n".join(result.warnings)
    for key in ("tile_size", "temp_dir"):
        assert key in told
    assert "gan_policy" not in told
    mask = result.performance_report["enhancer"].partition("mask: ")[2]
    assert mask == "strength 0.8, highlights 0.82, shadows 0.18, edges 0.005, motion 0.05"
    assert listing(tmp_path).keys() == {source.name, Path(result.output_path).name}


@pytest.mark.parametrize(
    ("key", "weakest", "strongest"),
    [
        ("strength", "strong", "weak"), ("highlight_threshold", 1.0, 0.4),
        ("shadow_threshold", 0.0, 0.6), ("edge_threshold", 0.0, 1.0),
        ("motion_threshold", 1.0, 0.0),
    ],
)  # fmt: skip
def test_each_key_of_the_policy_decides_pixels(
    tmp_path: Path, small_clip: Path, key: str, weakest: Any, strongest: Any
) -> None:
    pictures = []
    for value in (weakest, strongest):
        config = {"video": {"ai_model": "nearest"}, "gan_policy": {key: value}}
        target = tmp_path / f"{value}.mkv"
        result = Drop({"streaming_mode": True, **config}).process(str(small_clip), str(target))
        assert result.success, result.error
        assert not any(key in text for text in result.warnings)
        pictures.append(luma(target))
    assert not np.array_equal(pictures[0], pictures[1])


def test_a_result_has_the_fields_of_the_application() -> None:
    ours = {field.name for field in fields(ProcessResult)}
    assert {field.name for field in fields(app.ProcessResult)} <= ours
    assert "error_message" in ours


def test_the_parent_keeps_what_it_has() -> None:
    processor = Drop({})
    assert processor.analyze_video("x") == app.VideoInfo((1, 2), 3.0, 4.0, 5, False)
    assert processor.process_tiles([1], "s") == ["parent", [1], "s"]
    assert issubclass(Drop, app.VideoProcessor)
    assert isinstance(processor, app.TraditionalVideoProcessor)


def test_what_an_abstract_parent_leaves_open_is_filled_in(small_clip: Path) -> None:
    processor = OfAbstract({})
    info = processor.analyze_video(str(small_clip))
    assert info.resolution == (64, 48)
    assert (info.total_frames, info.fps, info.has_audio) == (50, 25, True)
    assert info.duration == pytest.approx(2, abs=0.1)


def test_what_else_is_abstract_stays_so() -> None:
    class More(app.VideoProcessor):
        @abstractmethod
        def further(self) -> None: ...

    made: Any = streaming(More)
    assert made.__name__ == "StreamingMore"
    with pytest.raises(TypeError, match="further"):
        made({})


def test_a_subclass_has_the_last_word() -> None:
    class Mine(OfAbstract):
        def analyze_video(self, path: Any) -> Any:
            return "mine"

        def process(self, *arguments: Any, **named: Any) -> Any:
            return "before", super().process(*arguments, **named)

    assert Mine({}).analyze_video("x") == "mine"
    before, result = Mine({"streaming_mode": False}).process("in.mp4")
    assert before == "before"
    assert "streaming_mode is off" in result.error


def test_any_kind_of_parent_will_do(tmp_path: Path, small_clip: Path) -> None:
    class Meta(type):
        pass

    class Plain(metaclass=Meta):
        """No __init__ that calls others, a configuration with a get() of its own."""

        def __init__(self) -> None:
            self.config = Settings()

    class Settings:
        values = quick()

        def get(self, name: str, default: Any = None) -> Any:
            return self.values.get(name, default)

        def to_dict(self) -> dict[str, Any]:
            return self.values

    processor: Any = streaming(Plain)()
    assert processor.process(small_clip, tmp_path / "1.mp4").success
    del Settings.to_dict
    refused = processor.process(small_clip, tmp_path / "2.mp4")
    assert "have a to_dict(), and is a Settings" in refused.error
    with pytest.raises(TypeError, match="class"):
        streaming(processor)


def test_the_switch_may_be_turned_between_calls(tmp_path: Path, small_clip: Path) -> None:
    processor = Drop(quick(streaming_mode=False))
    assert processor.process(small_clip) is processor.result
    processor.config["streaming_mode"] = True
    assert processor.process(small_clip, tmp_path / "out.mp4").frames_processed == 50
    assert len(processor.calls) == 1


@pytest.mark.parametrize("kind", [OfAbstract, StreamingVideoEnhancementProcessor])
def test_without_a_parents_process_a_missing_switch_means_on(
    tmp_path: Path, small_clip: Path, kind: Any
) -> None:
    config = quick()
    del config["streaming_mode"]
    assert kind(config).process(small_clip, tmp_path / "out.mp4").success
    refused = kind({**config, "streaming_mode": False}).process(small_clip, tmp_path / "no.mp4")
    assert not refused.success
    assert isinstance(refused.exception, ConfigError)
    assert "streaming_mode is off" in refused.error
    assert listing(tmp_path).keys() == {"out.mp4"}


def test_a_switch_that_is_none_is_an_error() -> None:
    result = Drop({"streaming_mode": "off"}).process("in.mp4")
    assert "streaming_mode must be true or false, not 'off'" in result.error


@pytest.mark.parametrize(
    ("config", "arguments", "words"),
    [
        ({}, {"input_path": "missing.mp4"}, "missing.mp4"),
        ({}, {"preset": "theater_tiny"}, "unknown preset"),
        ({}, {"quality": "best"}, "unknown quality"),
        ({"streaming": {"max_memory_mb": 1}}, {}, "streaming.max_memory_mb"),
        ({"video": {"model_path": "none.ts"}}, {}, "none.ts"),
        ({"video": {"model_path": "none.safetensors"}}, {}, "none.safetensors"),
    ],
)
def test_a_failure_is_a_result(
    tmp_path: Path, small_clip: Path, config: dict[str, Any], arguments: dict[str, Any], words: str
) -> None:
    processor = Drop({"streaming_mode": True, **config})
    tracker = processor.progress_tracker = app.ProgressTracker()
    given = {"input_path": str(small_clip), "output_path": str(tmp_path / "out.mp4"), **arguments}
    result = processor.process(**given)
    assert not result.success
    assert words in result.error
    assert result.error_message == result.error
    assert result.output_path is None
    assert tracker.finished is False
    assert listing(tmp_path) == {}


def test_wrong_arguments_are_type_errors() -> None:
    for arguments in ((), (3,), ("in.mp4", 4), ("in.mp4", None, 5)):
        processor = Drop(quick())
        tracker = processor.progress_tracker = app.ProgressTracker()
        with pytest.raises(TypeError):
            processor.process(*arguments)
        assert tracker.finished in (None, False)
        assert (tracker.finished is None) == (tracker.calls == [])


def test_a_segment_is_as_long_as_the_checkpoints_are_apart(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", frames=60, rate="20")
    processor = Drop(quick(streaming={"checkpoint_interval": 20}))
    result = processor.process(clip, tmp_path / "out.mkv")
    assert processor.streaming_processor.config.segment_seconds == 1
    assert result.performance_report["segments"] == 3
    # A clip of another rate has other seconds.
    faster = make_clip(tmp_path / "in2.mp4", frames=40, rate="40")
    assert processor.process(faster, tmp_path / "out2.mkv").success
    assert processor.streaming_processor.config.segment_seconds == 0.5


def test_warnings_come_through_result_and_log(
    tmp_path: Path, small_clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = {"streaming_mode": True, "performance": {"use_gpu": True, "gpu_id": 99},
              "temp_dir": "/tmp", "frobnicate": 1,
              "video": {"output": {"preset": "ultrafast"}}}  # fmt: skip
    processor = Drop(config)
    with caplog.at_level(logging.WARNING, "streamvsr"):
        results = [processor.process(small_clip, tmp_path / f"{n}.mp4") for n in range(2)]
    for result in results:
        assert result.success
        for words in ("runs on the CPU, not on cuda:99", "temp_dir", "'frobnicate'"):
            assert sum(words in text for text in result.warnings) == 1
    logged = [record.getMessage() for record in caplog.records]
    assert sum("temp_dir" in text for text in logged) == 1  # of the configuration: once
    assert sum("not on cuda:99" in text for text in logged) == 2  # of a job: in every job
    # The engine for the CPU runs, as without a device.
    assert "rows" in results[0].performance_report["enhancer"]


def test_nothing_but_input_and_output_is_touched(
    tmp_path: Path, small_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {name: tmp_path / name for name in ("films", "temp", "models", "work", "backup")}
    for place in places.values():
        place.mkdir()
    monkeypatch.chdir(places["work"])
    monkeypatch.setenv("TMPDIR", str(places["temp"]))
    source = places["films"] / "in.mp4"
    source.write_bytes(small_clip.read_bytes())
    config = fast_config(temp_dir=str(places["temp"]), models_dir=str(places["models"]))
    config["streaming"]["checkpoint_interval"] = 13
    with FolderWatch(places.values()) as watch:
        result = Drop(config).process(source)
    assert result.success, result.error
    target = str(places["films"] / "in_enhanced.mp4")
    ours = {f"{target}{end}" for end in ("", ".part", ".streamvsr.json", ".streamvsr.json.tmp")}
    assert {target, f"{target}.part", f"{target}.streamvsr.json"} <= watch.names <= ours
    assert set(result.performance_report["files_open"]) <= {str(source), *ours}
    assert listing(tmp_path).keys() - places.keys() == {"films/in.mp4", "films/in_enhanced.mp4"}


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_the_stand_alone_processor_takes_files(
    tmp_path: Path, small_clip: Path, suffix: str
) -> None:
    path = tmp_path / f"config.{suffix}"
    path.write_text(app.SHIPPED_YAML if suffix == "yaml" else json.dumps(fast_config()))
    tracker = app.ProgressTracker()
    processor = StreamingVideoEnhancementProcessor(path, tracker, lambda source, target: 1.5)
    result = processor.process(small_clip, str(tmp_path / "out"), preset="theater_large")
    assert result.success, result.error
    assert result.quality_metrics == {"score": 1.5}
    assert tracker.finished
    codec = {"json": "h264", "yaml": "hevc"}[suffix]
    assert streamvsr.probe(tmp_path / "out").streams[0].codec == codec


def test_the_stand_alone_processor_refuses_other_configurations(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="a mapping or a file's path"):
        StreamingVideoEnhancementProcessor([])  # type: ignore[arg-type]
    with pytest.raises(InputNotFoundError):
        StreamingVideoEnhancementProcessor(tmp_path / "none.json")


def test_any_clip_is_analysed_as_ffprobe_does(any_clip: Path) -> None:
    info = StreamingVideoEnhancementProcessor().analyze_video(any_clip)
    video = streams(any_clip, "video")[0]
    assert info.resolution == (info.width, info.height) == (video["width"], video["height"])
    assert info.codec == video["codec_name"]
    assert info.has_audio == bool(streams(any_clip, "audio"))
    assert info.size_bytes == any_clip.stat().st_size
    times = sorted(frame_times(any_clip))
    assert info.total_frames == len(times)
    seconds = float(times[-1] - times[0])
    assert info.fps == pytest.approx((len(times) - 1) / seconds, rel=0.04)  # the last one may last
    assert info.duration == pytest.approx(len(times) / info.fps)


def test_a_video_is_analysed_where_no_output_could_be_planned(tmp_path: Path) -> None:
    # Beside so long a name there is no room for a longer one, and the rate varies, so that the
    # container's figures are no help.
    clip = tmp_path / f"{'x' * 250}.mkv"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x64:r=50:d=4", "-vf",
         "select=lt(n\\,50)+not(mod(n\\,10))", "-fps_mode", "vfr", str(clip)],
        check=True,
    )  # fmt: skip
    before = sorted(os.listdir(tmp_path))
    info = StreamingVideoEnhancementProcessor().analyze_video(clip)
    times = frame_times(clip)
    assert info.total_frames == len(times) == 65
    assert info.fps == pytest.approx(64 / float(times[-1] - times[0]), rel=0.1)
    assert info.duration == pytest.approx(info.total_frames / info.fps)
    assert sorted(os.listdir(tmp_path)) == before


def test_what_is_no_video_is_not_analysed(tmp_path: Path) -> None:
    processor = StreamingVideoEnhancementProcessor()
    with pytest.raises(InputNotFoundError):
        processor.analyze_video(tmp_path / "missing.mp4")
    sound = tmp_path / "sound.wav"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=duration=0.1", str(sound)], check=True
    )
    with pytest.raises(InputError, match="no video"):
        processor.analyze_video(sound)


def test_frames_are_enhanced_as_by_the_network(caplog: pytest.LogCaptureFixture) -> None:
    import torch

    frames = np.random.default_rng(1).integers(0, 256, (2, 24, 40, 3), np.uint8)
    processor = OfAbstract({"performance": {"use_gpu": False}})
    with caplog.at_level(logging.WARNING, "streamvsr"):
        result = processor.process_tiles(frames, {"tile_size": 512})
        assert np.array_equal(processor.process_tiles(list(frames), "grid"), result)
    assert caplog.text.count("strategy of process_tiles() has no effect") == 1
    assert (result.shape, result.dtype) == ((2, 48, 80, 3), np.uint8)
    with GPUMemoryManager(device="cpu") as manager:
        manager.load_model_once()
        for before, after in zip(frames, result, strict=True):
            planes = torch.from_numpy(before.transpose(2, 0, 1).copy())
            expected = manager.process_frame_tensor(planes).numpy().transpose(1, 2, 0)
            assert np.array_equal(after, expected)
    assert isinstance(processor.process_tiles(list(frames), None), list)
    four = OfAbstract({"performance": {"use_gpu": False}, "streamvsr": {"scale": 4}})
    assert four.process_tiles(frames[:1, :8, :8], None).shape == (1, 32, 32, 3)


@pytest.mark.parametrize(
    "frames",
    [np.zeros((4, 4, 3), np.uint8), [np.zeros((4, 4), np.uint8)], [np.zeros((4, 4, 3))], 7, ["x"]],
)
def test_what_are_no_frames_is_a_type_error(frames: Any) -> None:
    with pytest.raises(TypeError, match="frame"):
        StreamingVideoEnhancementProcessor().process_tiles(frames)


def test_a_processor_that_has_run_can_still_be_copied(tmp_path: Path, small_clip: Path) -> None:
    processor = Drop(quick())
    assert processor.process(small_clip, tmp_path / "1.mp4").success
    for other in (copy.deepcopy(processor), pickle.loads(pickle.dumps(processor))):
        assert other.streaming_processor is None
        assert other.config == processor.config


def test_the_example_runs(tmp_path: Path, small_clip: Path) -> None:
    target = tmp_path / "out.mp4"
    done = subprocess.run(
        [sys.executable, REPO / "examples" / "drop_in.py", small_clip, target],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert str(target) in done.stdout
    assert "100 %" in done.stdout
    assert numbers(target) == list(range(50))


def test_an_abc_is_what_the_parent_is() -> None:
    assert issubclass(app.VideoProcessor, ABC)
    with pytest.raises(TypeError):
        app.VideoProcessor({})  # type: ignore[abstract]
