"""The Python face: what comes back, what is raised, what a callable is told."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import streamvsr
from helpers import ffprobe, listing, luma, make_clip, numbers
from streamvsr import ProcessResult, Progress, StreamingConfig, StreamingVideoProcessor

FAST: dict[str, Any] = {"model": "nearest", "encoder_preset": "ultrafast"}


def test_a_result_says_what_was_done(tmp_path: Path, small_clip: Path) -> None:
    target = tmp_path / "out.mp4"
    result = StreamingVideoProcessor(FAST).process(
        small_clip, target, preset="theater_large", quality="high"
    )
    assert result.success, result.error
    assert (result.error, result.error_message, result.exception) == (None, None, None)
    assert (result.preset, result.quality) == ("theater_large", "high")
    assert result.output_path == str(target)
    assert result.frames_processed == 50
    assert result.processing_time > 0
    assert 10 < result.memory_peak_mb < 2000
    assert result.checkpoint_path is None
    report = result.performance_report
    assert (report["width"], report["height"]) == (64, 48)
    assert (report["output_width"], report["output_height"]) == (128, 96)
    assert report["output_bytes"] == target.stat().st_size
    assert report["bytes_read"] >= small_clip.stat().st_size
    assert report["bytes_written"] >= target.stat().st_size
    assert report["frames_per_second"] == pytest.approx(50 / report["seconds"])
    assert 0 < report["peak_frames_mb"] < 1024
    assert report["cpu_seconds"] > 0
    assert report["damaged_frames"] == 0
    assert listing(tmp_path).keys() == {"out.mp4"}


def test_every_frame_comes_out_in_order(tmp_path: Path, small_clip: Path) -> None:
    target = tmp_path / "out.mkv"
    streamvsr.upscale(small_clip, target, **FAST)
    assert numbers(target) == list(range(50))


def test_nearest_repeats_samples(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mkv", frames=5, width=70, height=50, codec="ffv1")
    streamvsr.upscale(clip, tmp_path / "out.mkv", 3, model="nearest", codec="ffv1", disk_ratio=None)
    assert (luma(tmp_path / "out.mkv") == luma(clip).repeat(3, axis=1).repeat(3, axis=2)).all()


@pytest.mark.parametrize(
    ("name", "container", "expected"),
    [
        ("film.mp4", None, "film_enhanced.mp4"),
        ("film.MKV", None, "film_enhanced.MKV"),
        ("film.mov", None, "film_enhanced.mov"),
        ("film.part1.webm", None, "film.part1_enhanced.mkv"),
        ("film", None, "film_enhanced.mkv"),
        ("film.avi", "mp4", "film_enhanced.mp4"),
    ],
)
def test_the_default_output_is_beside_the_input(
    tmp_path: Path, name: str, container: str | None, expected: str
) -> None:
    assert streamvsr.default_output_path(tmp_path / name, container) == tmp_path / expected


def test_process_finds_its_output_path(tmp_path: Path, small_clip: Path) -> None:
    source = tmp_path / "clip.mp4"
    source.write_bytes(small_clip.read_bytes())
    result = StreamingVideoProcessor({**FAST, "container": "mkv"}).process(str(source))
    assert result.output_path == str(tmp_path / "clip_enhanced.mkv")
    assert listing(tmp_path).keys() == {"clip.mp4", "clip_enhanced.mkv"}


class _Path:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __fspath__(self) -> str:
        return str(self._path)


def test_anything_path_like_is_a_path(tmp_path: Path, small_clip: Path) -> None:
    result = StreamingVideoProcessor(FAST).process(_Path(small_clip), _Path(tmp_path / "out.mp4"))
    assert result.success, result.error
    assert streamvsr.probe(_Path(tmp_path / "out.mp4")).streams[0].width == 128


def test_names_beyond_ascii_work(tmp_path: Path, small_clip: Path) -> None:
    source = tmp_path / "Grüße 映画 %d.mp4"
    source.write_bytes(small_clip.read_bytes())
    result = StreamingVideoProcessor(FAST).process(source)
    assert result.success, result.error
    assert listing(tmp_path).keys() == {source.name, "Grüße 映画 %d_enhanced.mp4"}


@pytest.mark.parametrize("arguments", [(1, "out.mp4"), ("in.mp4", 2), (None, "out.mp4")])
def test_a_wrong_type_propagates(arguments: tuple[Any, Any]) -> None:
    with pytest.raises(TypeError):
        StreamingVideoProcessor(FAST).process(*arguments)
    with pytest.raises(TypeError):
        streamvsr.upscale(*arguments)


def test_a_configuration_of_a_wrong_type_propagates() -> None:
    with pytest.raises(TypeError, match="mapping"):
        StreamingVideoProcessor(3)  # type: ignore[arg-type]


def test_a_preset_of_a_wrong_type_propagates(tmp_path: Path, small_clip: Path) -> None:
    with pytest.raises(TypeError, match="preset"):
        StreamingVideoProcessor(FAST).process(small_clip, tmp_path / "out.mp4", preset=3)  # type: ignore[arg-type]


def test_a_processor_takes_either_form_of_configuration() -> None:
    config = StreamingConfig(**FAST)
    assert StreamingVideoProcessor(config).config == StreamingVideoProcessor(FAST).config
    assert StreamingVideoProcessor().config == StreamingConfig()


def test_a_processor_can_be_used_again(tmp_path: Path, small_clip: Path) -> None:
    processor = StreamingVideoProcessor(FAST)
    assert not processor.process(tmp_path / "missing.mp4").success
    first = processor.process(small_clip, tmp_path / "1.mp4")
    second = processor.process(small_clip, tmp_path / "2.mp4")
    assert first.success
    assert second.success
    assert (tmp_path / "1.mp4").read_bytes() == (tmp_path / "2.mp4").read_bytes()


def test_upscale_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.mp4") as caught:
        streamvsr.upscale(tmp_path / "missing.mp4", tmp_path / "out.mp4")
    assert isinstance(caught.value, streamvsr.InputNotFoundError)
    assert caught.value.filename == str(tmp_path / "missing.mp4")
    with pytest.raises(streamvsr.ConfigError, match="did you mean 'codec'"):
        streamvsr.upscale("in.mp4", "out.mp4", codek="h264")


def test_upscale_gives_a_result(tmp_path: Path, small_clip: Path) -> None:
    result = streamvsr.upscale(small_clip, tmp_path / "out.mp4", **FAST)
    assert isinstance(result, ProcessResult)
    assert result.success
    result.raise_for_error()


# --- the packaged network -------------------------------------------------------------------------


def test_the_default_network_enlarges_by_two(tmp_path: Path, small_clip: Path) -> None:
    result = streamvsr.upscale(small_clip, tmp_path / "out.mp4", encoder_preset="ultrafast")
    assert result.performance_report["output_width"] == 128
    assert numbers(tmp_path / "out.mp4") == list(range(50))


def test_four_is_twice_two(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mkv", frames=4, codec="ffv1")
    streamvsr.upscale(clip, tmp_path / "two.mkv", 2, codec="ffv1", disk_ratio=None)
    streamvsr.upscale(clip, tmp_path / "four.mkv", 4, codec="ffv1", disk_ratio=None)
    picture = luma(tmp_path / "four.mkv")
    assert picture.shape == (4, 192, 256)
    # Not the nearest neighbour of anything: the second pass is a network's work, too.
    assert (picture != luma(tmp_path / "two.mkv").repeat(2, axis=1).repeat(2, axis=2)).any()
    assert numbers(tmp_path / "four.mkv") == list(range(4))


def test_a_network_is_taken_by_path_and_by_name(tmp_path: Path, small_clip: Path) -> None:
    model = streamvsr.packaged_models()[0]
    assert (model.name, model.scale, model.planes) == ("default_x2", 2, "luma")
    assert model.path.stat().st_size < 300_000
    for name, choice in {"path": model.path, "text": str(model.path), "name": "default_x2"}.items():
        streamvsr.upscale(small_clip, tmp_path / f"{name}.mp4", model=choice)
    contents = {path.read_bytes() for path in tmp_path.iterdir()}
    assert len(contents) == 1


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_a_precision_is_obeyed(tmp_path: Path, small_clip: Path, precision: str) -> None:
    result = streamvsr.upscale(small_clip, tmp_path / "out.mp4", precision=precision)
    assert precision in result.performance_report["enhancer"]


def test_threads_of_the_network_change_nothing(tmp_path: Path, small_clip: Path) -> None:
    for threads in (1, 3):
        streamvsr.upscale(small_clip, tmp_path / f"{threads}.mp4", compute_threads=threads)
    assert (tmp_path / "1.mp4").read_bytes() == (tmp_path / "3.mp4").read_bytes()


# --- progress -------------------------------------------------------------------------------------


def test_a_callable_sees_progress(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", frames=500, width=320, height=240)
    seen: list[tuple[int, int, float, float]] = []

    def watch(progress: Progress) -> None:
        seen.append(
            (progress.frames_done, progress.frames_total, progress.seconds, progress.eta_seconds)
        )
        assert progress.fps >= 0
        assert 0 <= progress.memory_mb < 1024

    result = StreamingVideoProcessor(FAST).process(clip, tmp_path / "out.mp4", progress=watch)
    assert result.success, result.error
    assert seen
    done = [frames for frames, _, _, _ in seen]
    assert done == sorted(done)
    assert done[-1] <= 500
    assert {total for _, total, _, _ in seen} == {500}
    assert all(eta == -1 or eta >= 0 for _, _, _, eta in seen)


def test_what_a_callable_raises_propagates(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", frames=500, width=320, height=240)

    def break_off(progress: Progress) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        StreamingVideoProcessor(FAST).process(clip, tmp_path / "out.mp4", progress=break_off)
    assert listing(tmp_path).keys() == {"in.mp4"}


def test_true_shows_a_bar(
    tmp_path: Path, small_clip: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    streamvsr.upscale(small_clip, tmp_path / "out.mp4", progress=True, **FAST)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "50/50" in shown.err


def test_nothing_is_shown_unasked(
    tmp_path: Path, small_clip: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    streamvsr.upscale(small_clip, tmp_path / "out.mp4", **FAST)
    assert capfd.readouterr() == ("", "")


# --- probe ----------------------------------------------------------------------------------------


def test_probe_agrees_with_ffprobe(any_clip: Path) -> None:
    info = streamvsr.probe(any_clip)
    other = ffprobe(any_clip)
    assert info.size_bytes == any_clip.stat().st_size
    assert info.format == other["format"]["format_name"]
    if "duration" in other["format"]:
        assert info.duration == pytest.approx(float(other["format"]["duration"]), abs=1e-5)
    assert info.metadata == other["format"].get("tags", {})
    assert len(info.streams) == len(other["streams"])
    assert [time for c in info.chapters for time in (c.start, c.end)] == pytest.approx(
        [float(c[key]) for c in other["chapters"] for key in ("start_time", "end_time")]
    )
    for mine, theirs in zip(info.streams, other["streams"], strict=True):
        assert mine.index == theirs["index"]
        assert mine.type == theirs["codec_type"]
        if "codec_name" in theirs:
            assert mine.codec == theirs["codec_name"]
        tags = {key.lower(): value for key, value in theirs.get("tags", {}).items()}
        assert mine.language == tags.get("language", "")
        assert sorted(mine.disposition) == sorted(
            name for name, is_set in theirs["disposition"].items() if is_set
        )
        if mine.type == "video":
            assert (mine.width, mine.height) == (theirs["width"], theirs["height"])
            assert mine.pixel_format == theirs["pix_fmt"]
            assert mine.color_range == theirs.get("color_range", "")
            assert mine.color_space == theirs.get("color_space", "")
            assert mine.color_transfer == theirs.get("color_transfer", "")
            if theirs["avg_frame_rate"] not in ("0/0", "0/1"):
                assert mine.frame_rate == pytest.approx(float(Fraction(theirs["avg_frame_rate"])))
        elif mine.type == "audio":
            assert (mine.sample_rate, mine.channels) == (
                int(theirs["sample_rate"]), theirs["channels"],
            )  # fmt: skip
    first = next(s for s in info.streams if s.type == "video" and not s.attached_picture)
    assert info.video_index == first.index


def test_probe_raises(tmp_path: Path) -> None:
    with pytest.raises(streamvsr.InputNotFoundError):
        streamvsr.probe(tmp_path / "missing.mp4")
    (tmp_path / "text.mp4").write_text("no video" * 100)
    with pytest.raises(streamvsr.InputError):
        streamvsr.probe(tmp_path / "text.mp4")
