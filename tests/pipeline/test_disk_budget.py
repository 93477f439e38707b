"""The output's size against its budget: measured on the disk, on films that want far more."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import streamvsr
from helpers import (
    busy_processor,
    cli,
    decoded_frames,
    decoder_complaints,
    listing,
    make_clip,
    numbers,
    run,
    streams,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streamvsr import StreamingVideoProcessor, _core, api, errors

FAST: dict[str, Any] = {"model": "nearest", "encoder_preset": "ultrafast", "segment_seconds": 1}
MIB = 1 << 20
_CASES = int(os.environ.get("STREAMVSR_PROPERTIES", "1"))
_LOOK = settings(
    max_examples=10 * _CASES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


def noisy(path: Path, frames: int = 100, strength: int = 30, **more: Any) -> Path:
    """A clip whose output would be many times as large as it may be."""
    options = ("-vf", f"noise=alls={strength}:allf=t", "-crf", "30", "-preset", "ultrafast")
    return make_clip(path, frames=frames, width=128, height=96, options=options, **more)


def limit(clip: Path, ratio: float) -> float:
    """What the output may take beside the input."""
    return in_all(clip, ratio) - clip.stat().st_size


def in_all(clip: Path, ratio: float) -> float:
    """What input, output and checkpoint may take."""
    return max(ratio * clip.stat().st_size, MIB)


@_LOOK
@given(
    frames=st.integers(1, 260),
    strength=st.integers(0, 90),
    ratio=st.floats(1.02, 4.0),
    codec=st.sampled_from(["h264", "h264", "hevc", "av1"]),
    suffix=st.sampled_from(["mp4", "mkv"]),
    audio=st.sampled_from(["", "aac", "flac"]),
    vfr=st.booleans(),
    seconds=st.sampled_from([0.5, 2.0, 10.0]),
)
def test_the_disk_holds_no_more_than_it_may(
    tmp_path: Path, frames: int, strength: int, ratio: float, codec: str, suffix: str, audio: str,
    vfr: bool, seconds: float,
) -> None:  # fmt: skip
    """Whatever the film, at every moment: input, output and checkpoint against the ratio."""
    changes: dict[str, Any] = {"select": "mod(n,7)-3"} if vfr else {}
    clip = noisy(tmp_path / "in.mkv", frames, strength, audio=audio, **changes)
    target = tmp_path / f"out.{suffix}"
    most = 0

    def look(_: streamvsr.Progress) -> None:
        nonlocal most
        for _try in range(3):
            try:
                most = max(most, sum(entry.stat().st_size for entry in os.scandir(tmp_path)))
                return
            except FileNotFoundError:  # renamed meanwhile
                continue

    config: dict[str, Any] = {**FAST, "codec": codec, "disk_ratio": ratio}
    config["segment_seconds"] = seconds
    result = StreamingVideoProcessor({**config, "overwrite": True}).process(
        clip, target, None, None, progress=look
    )
    if isinstance(result.exception, errors.ConfigError):  # too little for a picture
        assert listing(tmp_path).keys() == {"in.mkv"}
        clip.unlink()
        return
    assert result.success, result.error
    most = max(most, clip.stat().st_size + target.stat().st_size)
    assert most <= in_all(clip, ratio)
    assert numbers(target) == numbers(clip)
    target.unlink()
    clip.unlink()


def test_a_small_film_stays_within_its_ratio(tmp_path: Path) -> None:
    """Larger than a third of 1 MiB, so the ratio alone counts."""
    clip, target = noisy(tmp_path / "in.mkv", 180), tmp_path / "out.mkv"
    size = clip.stat().st_size
    assert MIB / 3 < size < MIB
    result = streamvsr.upscale(clip, target, **FAST)
    assert result.performance_report["disk_budget"]["bound_segments"] > 0
    assert 2.5 * size < size + target.stat().st_size <= 3 * size
    # And a smaller one has 1 MiB in all.
    tiny, small = noisy(tmp_path / "tiny.mkv", 60), tmp_path / "small.mkv"
    streamvsr.upscale(tiny, small, **FAST, crf=1)
    assert 3 * tiny.stat().st_size < 0.8 * MIB
    assert 0.8 * MIB < tiny.stat().st_size + small.stat().st_size <= MIB


@pytest.mark.parametrize(("codec", "crf"), [("h264", 4), ("hevc", 4)])
def test_what_the_budget_will_cost_is_said_before_work(
    tmp_path: Path, codec: str, crf: int
) -> None:
    clip = noisy(tmp_path / "in.mkv", 180)
    plans = {}
    for ratio in (2.2, 2.5, 100.0, None):
        config = streamvsr.StreamingConfig(**FAST, codec=codec, crf=crf, disk_ratio=ratio)
        job = _core.Job(api.job_config(config, str(clip), str(tmp_path / "out.mp4")))
        plans[ratio] = job.plan
        job.close()
    for ratio in (100.0, None):
        assert plans[ratio].budget_crf < 0
        assert not any("disk_ratio" in text for text in plans[ratio].warnings)
    # The less there is, the more it costs; and it says so.
    assert plans[2.2].budget_crf > plans[2.5].budget_crf > crf
    for ratio in (2.2, 2.5):
        plan = plans[ratio]
        assert plan.unbound_video_bytes > plan.budget_video_bytes > 0
        (text,) = (text for text in plan.warnings if "disk_ratio" in text)
        assert f"crf {crf} " in text
        assert f"about {plan.budget_crf:.0f};" in text
    assert list(tmp_path.iterdir()) == [clip]


def test_the_command_line_says_what_it_will_cost_before_work(tmp_path: Path) -> None:
    clip, target = noisy(tmp_path / "in.mkv", 180), tmp_path / "out.mp4"
    words = ["--model", "nearest", "--encoder-preset", "ultrafast", "--crf", "4"]
    # A file size limit ends the job at its first bytes.
    done = cli("upscale", clip, target, *words, "--max-disk-fraction", "none", room=20_000)
    assert done.returncode == 1
    assert "is likely to cost quality" in done.stderr


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_budget_that_binds_is_used(tmp_path: Path, codec: str, suffix: str) -> None:
    clip = noisy(tmp_path / "in.mkv", 150, audio="aac")
    target = tmp_path / f"out.{suffix}"
    config: dict[str, Any] = {**FAST, "codec": codec, "disk_ratio": 1.05, "segment_seconds": 3}
    result = streamvsr.upscale(clip, target, **config)
    budget = result.performance_report["disk_budget"]
    size = target.stat().st_size
    assert size <= budget["limit_bytes"] <= limit(clip, 1.05)
    assert budget["segments"] == 2
    assert budget["bound_segments"] == 2
    assert budget["bytes"] <= budget["share_bytes"]
    assert budget["bytes"] >= 0.92 * budget["share_bytes"]
    assert budget["bound"][0]["first_frame"] == 0
    assert sum(passage["frames"] for passage in budget["bound"]) == 150
    assert all(passage["crf"] > 18 for passage in budget["bound"])
    assert [s["codec_type"] for s in streams(target)] == ["video", "audio"]
    assert numbers(target) == list(range(150))
    assert not decoder_complaints(target)
    # Without it the same job takes more.
    free = streamvsr.upscale(clip, tmp_path / f"free.{suffix}", **{**config, "disk_ratio": None})
    assert free.performance_report["disk_budget"]["limit_bytes"] == 0
    assert (tmp_path / f"free.{suffix}").stat().st_size > size


def test_a_budget_that_does_not_bind_changes_nothing(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mkv", frames=60, audio="aac")
    for name, ratio in (("with", 3.0), ("without", None)):
        streamvsr.upscale(clip, tmp_path / f"{name}.mp4", **{**FAST, "disk_ratio": ratio})
    assert (tmp_path / "with.mp4").read_bytes() == (tmp_path / "without.mp4").read_bytes()


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_the_same_bytes_every_time(tmp_path: Path, codec: str) -> None:
    """With other threads and other load; and when it is stopped at every segment in turn."""
    clip = noisy(tmp_path / "in.mkv", 75, audio="aac")
    config: dict[str, Any] = {**FAST, "codec": codec, "disk_ratio": 1.05, "encoder_threads": 2}
    streamvsr.upscale(clip, tmp_path / "whole.mp4", **config)
    whole = (tmp_path / "whole.mp4").read_bytes()
    with busy_processor():
        again = {**config, "compute_threads": 1, "decoder_threads": 3}
        streamvsr.upscale(clip, tmp_path / "again.mp4", **again)
    assert (tmp_path / "again.mp4").read_bytes() == whole

    # Stopped by a file size limit behind each segment in turn, and gone on with.
    target = tmp_path / "stopped.mp4"
    words = ["--model", "nearest", "--encoder-preset", "ultrafast", "--segment-seconds", "1",
             "--codec", codec, "--disk-ratio", "1.05", "--encoder-threads", "2",
             "--max-disk-fraction", "none"]  # fmt: skip
    for part in (0.5, 0.8):
        done = cli("upscale", clip, target, *words, room=int(part * len(whole)))
        assert done.returncode == 1, done
    found = streamvsr.status(target)
    assert found is not None
    assert found.segments_done == 2
    streamvsr.upscale(clip, target, **config, max_disk_fraction=None)
    assert target.read_bytes() == whole


def test_what_was_asked_for_differs_from_what_was_done(tmp_path: Path) -> None:
    """A job under another budget cannot go on with the first one's frames."""
    clip = noisy(tmp_path / "in.mkv", 100)
    target = tmp_path / "out.mp4"
    words = ["--model", "nearest", "--encoder-preset", "ultrafast", "--segment-seconds", "1"]
    done = cli("upscale", clip, target, *words, "--disk-ratio", "4.8",
               "--max-disk-fraction", "none", room=600_000)  # fmt: skip
    assert done.returncode == 1, done
    with pytest.raises(errors.ResumeError, match=r"disk_ratio was '4\.8' and is '4\.9'"):
        streamvsr.upscale(clip, target, **FAST, disk_ratio=4.9, max_disk_fraction=None)
    streamvsr.clean(target)


# --- refusals -------------------------------------------------------------------------------------


def test_too_small_a_budget_is_refused_with_what_would_do(tmp_path: Path) -> None:
    """Sound that takes nearly all of the input leaves nothing for the picture."""
    clip = make_clip(tmp_path / "in.mkv", frames=800, width=64, height=48, audio="pcm_s16le")
    with pytest.raises(errors.ConfigError, match="cannot hold a watchable picture") as caught:
        streamvsr.upscale(clip, tmp_path / "out.mkv", **FAST, disk_ratio=1.05)
    said = str(caught.value)
    assert listing(tmp_path).keys() == {"in.mkv"}
    enough = float(said.split("set disk_ratio to ")[1].split()[0])
    assert 1.05 < enough < 3.0
    streamvsr.upscale(clip, tmp_path / "out.mkv", **FAST, disk_ratio=enough)
    assert (tmp_path / "out.mkv").stat().st_size <= limit(clip, enough)


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_what_is_accepted_is_held(tmp_path: Path, codec: str) -> None:
    """The least ratio that is not refused, on pictures that SVT-AV1 at its largest crf cannot hold
    within it: they lose their small details."""
    ballast = tmp_path / "ballast"
    ballast.write_bytes(bytes(880 << 10))
    clip = tmp_path / "in.mkv"
    run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "cellauto=s=160x96:r=25:rule=110", "-t", "3",
         "-pix_fmt", "yuv420p", "-preset", "veryfast", "-crf", "18", "-attach", ballast,
         "-metadata:s:t", "mimetype=application/octet-stream", clip]
    )  # fmt: skip
    preset = {"h264": "veryfast", "hevc": "ultrafast", "av1": "10"}[codec]
    options: dict[str, Any] = {"model": "nearest", "encoder_preset": preset, "codec": codec}
    options["streams"] = ("v",)
    with pytest.raises(errors.ConfigError, match="cannot hold a watchable picture") as caught:
        streamvsr.upscale(clip, tmp_path / "out.mkv", **options, disk_ratio=1.001)
    enough = float(str(caught.value).split("set disk_ratio to ")[1].split()[0])
    result = streamvsr.upscale(clip, tmp_path / "out.mkv", **options, disk_ratio=enough)
    assert (tmp_path / "out.mkv").stat().st_size <= limit(clip, enough)
    assert decoded_frames(tmp_path / "out.mkv") == 75
    assert result.performance_report["disk_budget"]["bound_segments"] == 1


@pytest.mark.parametrize(
    "options",
    [{"maxrate": "1M", "bufsize": "1M"}, {"b": "500k"}, {"x264-params": "vbv-maxrate=500"}],
)
def test_another_rate_control_is_refused(tmp_path: Path, options: dict[str, str]) -> None:
    clip = make_clip(tmp_path / "in.mkv", frames=5)
    with pytest.raises(errors.ConfigError, match="disk_ratio=None"):
        streamvsr.upscale(clip, tmp_path / "out.mp4", **FAST, encoder_options=options)
    free = {**FAST, "disk_ratio": None}
    streamvsr.upscale(clip, tmp_path / "out.mp4", **free, encoder_options=options)


def test_a_lossless_crf_is_refused(tmp_path: Path) -> None:
    clip = noisy(tmp_path / "in.mkv", 30)
    target = tmp_path / "out.mp4"
    with pytest.raises(errors.ConfigError, match=r"crf 0 is lossless.*disk_ratio=None"):
        streamvsr.upscale(clip, target, **FAST, crf=0)
    streamvsr.upscale(clip, target, **{**FAST, "disk_ratio": None}, crf=0)


def test_the_command_line_says_where_it_was_bound(tmp_path: Path) -> None:
    clip = noisy(tmp_path / "in.mkv", 60)
    target = tmp_path / "out.mp4"
    words = ["--model", "nearest", "--encoder-preset", "ultrafast"]
    done = cli("upscale", clip, target, *words, "--disk-ratio", "1.05")
    assert done.returncode == 0, done.stderr
    assert "1 of 1 segments are coarser than asked for" in done.stdout
    done = cli("upscale", clip, target, *words, "-y", "--disk-ratio", "none")
    assert "coarser" not in done.stdout
    done = cli("upscale", clip, tmp_path / "x.mkv", "--codec", "ffv1")
    assert done.returncode == 2
    assert "--disk-ratio none" in done.stderr
