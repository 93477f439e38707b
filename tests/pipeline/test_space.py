"""Room on the disk: what is estimated, what is refused before work, what ends a job early."""

from __future__ import annotations

import logging
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamvsr
from helpers import cli, listing, make_clip
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streamvsr import StreamingVideoProcessor, errors
from unfinished import status_of

# Without a limit of the output's size: that of the disk is looked at.
FAST: dict[str, Any] = {
    "model": "nearest", "encoder_preset": "ultrafast", "segment_seconds": 1, "disk_ratio": None,
}  # fmt: skip
WORDS = ["--model", "nearest", "--encoder-preset", "ultrafast", "--segment-seconds", "1",
         "--disk-ratio", "none"]  # fmt: skip


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"a tmpfs cannot be mounted: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 frames, 8 segments, of a source whose noise makes the output some MB."""
    path = tmp_path_factory.mktemp("film") / "in.mkv"
    return make_clip(
        path, frames=200, width=160, height=120,
        options=("-vf", "noise=alls=40:allf=t", "-crf", "40", "-preset", "ultrafast"),
    )  # fmt: skip


def _fill(folder: Path, leave: int) -> Path:
    """Leaves so many bytes free, about."""
    filler = folder / "filler"
    space = subprocess.run(
        ["stat", "-f", "-c", "%a %S", folder], capture_output=True, text=True, check=True
    ).stdout.split()
    free = int(space[0]) * int(space[1])
    with filler.open("wb") as file:
        file.write(bytes(max(0, free - leave)))
    return filler


# --- before work ----------------------------------------------------------------------------------


def test_a_full_disk_is_refused_before_work(film: Path, small_disk: Path) -> None:
    _fill(small_disk, 300_000)
    before = listing(small_disk)
    with pytest.raises(errors.OutputError, match=r"needs about .* free in .* higher crf") as caught:
        streamvsr.upscale(film, small_disk / "out.mp4", **FAST)
    assert caught.value.errno == 28
    assert listing(small_disk) == before
    done = cli("upscale", film, small_disk / "out.mp4", *WORDS)
    assert done.returncode == 2
    assert "max_disk_fraction 0.8" in done.stderr
    assert listing(small_disk) == before


def test_the_share_decides(film: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    for share, fits in ((1e-9, False), (1.0, True), (None, True)):
        result = StreamingVideoProcessor(
            {**FAST, "max_disk_fraction": share, "overwrite": True}
        ).process(film, target)
        assert result.success == fits, result.error
        if not fits:
            assert isinstance(result.exception, errors.OutputError)
            assert "max_disk_fraction 1e-09" in str(result.error)
            assert listing(tmp_path) == {}


def test_a_file_that_would_be_too_large_is_refused(film: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    done = cli("upscale", film, target, *WORDS, room=100_000)
    assert done.returncode == 2
    assert "file size limit" in done.stderr
    assert listing(tmp_path) == {}
    # The check lifted, the job runs into it.
    done = cli("upscale", film, target, *WORDS, "--max-disk-fraction", "none", room=100_000)
    assert done.returncode == 1


def test_a_resumed_job_counts_what_is_still_to_come(film: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    whole = tmp_path / "whole.mp4"
    streamvsr.upscale(film, whole, **FAST)
    size = whole.stat().st_size
    words = [*WORDS, "--max-disk-fraction", "none"]
    assert cli("upscale", film, target, *words, room=size * 8 // 10).returncode == 1
    found = status_of(target)
    assert found.frames_done >= 100
    # A limit that the finished file passes by little: refused by the bytes done, not by the source.
    done = cli("upscale", film, target, *WORDS, room=size * 9 // 10)
    assert done.returncode == 2
    assert "needs about" in done.stderr
    assert " more and would be a file of" in done.stderr
    assert status_of(target).frames_done == found.frames_done
    assert cli("upscale", film, target, *WORDS, room=size * 13 // 10).returncode == 0
    assert target.read_bytes() == whole.read_bytes()


def test_the_torn_tail_of_an_earlier_run_counts_as_free(film: Path, small_disk: Path) -> None:
    target, words = small_disk / "out.mp4", [*WORDS, "--max-disk-fraction", "none"]
    streamvsr.upscale(film, small_disk / "whole.mp4", **FAST)
    whole = (small_disk / "whole.mp4").read_bytes()
    (small_disk / "whole.mp4").unlink()
    assert cli("upscale", film, target, *words, room=len(whole) * 8 // 10).returncode == 1
    part = Path(status_of(target).part_path)
    with part.open("ab") as file:
        file.write(bytes(8_000_000))
    _fill(small_disk, 50_000)
    streamvsr.upscale(film, target, **FAST)
    assert target.read_bytes() == whole


# --- while running --------------------------------------------------------------------------------


def test_it_stops_early_and_goes_on(
    film: Path, small_disk: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = tmp_path / "whole.mkv"
    streamvsr.upscale(film, whole, **FAST)
    size, target = whole.stat().st_size, small_disk / "out.mkv"
    filler = small_disk / "filler"

    def eat(_: streamvsr.Progress) -> None:
        if not filler.exists():
            # Another program takes the disk: room for half of the film is left.
            _fill(small_disk, size // 2)

    with caplog.at_level(logging.WARNING, "streamvsr"):
        result = StreamingVideoProcessor({**FAST, "compute_threads": 1}).process(
            film, target, None, None, progress=eat
        )
    assert not result.success
    assert isinstance(result.exception, errors.OutputError)
    assert result.exception.errno == 28
    assert "stopped early" in str(result.error)
    assert "goes on with them" in str(result.error)
    assert "writing frame" not in str(result.error)
    found = status_of(target)
    assert 25 <= found.frames_done < 200
    # It stopped by itself, before the disk was full.
    assert found.part_bytes == found.durable_bytes
    filler.unlink()
    streamvsr.upscale(film, target, **FAST)
    assert target.read_bytes() == whole.read_bytes()


def test_a_disk_that_gets_scarce_is_warned_of_once(
    small_disk: Path, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """The source says little of its size: black for a second, then noise.

    The estimate fits, what is measured does not, and in the end it does after all.
    """
    clip = make_clip(
        tmp_path / "in.mkv", frames=200, width=160, height=120,
        options=("-vf", "noise=alls=40:allf=t:enable='lt(n,60)'", "-crf", "40",
                 "-preset", "ultrafast"),
    )  # fmt: skip
    whole = tmp_path / "whole.mkv"
    streamvsr.upscale(clip, whole, **FAST)
    usage = streamvsr.calculate_disk_usage(clip, None, FAST)
    estimate = int(1e9 * usage["estimated_output_gb"])
    size = whole.stat().st_size
    _fill(small_disk, max(estimate, size + 300_000) + 1_200_000)
    share = (estimate + 200_000) / (max(estimate, size + 300_000) + 1_100_000)
    with caplog.at_level(logging.WARNING, "streamvsr"):
        result = StreamingVideoProcessor({**FAST, "max_disk_fraction": share}).process(
            clip, small_disk / "out.mkv", None, None
        )
    assert result.success, result.error
    said = [record.getMessage() for record in caplog.records if record.name == "streamvsr"]
    assert len(said) == 1, (said, estimate, size, share)
    assert "the rest of the output needs about" in said[0]
    assert [text for text in result.warnings if text == said[0]] == said
    assert (small_disk / "out.mkv").read_bytes() == whole.read_bytes()


# --- the estimate ---------------------------------------------------------------------------------


def _estimate(clip: Path, **config: Any) -> int:
    usage = streamvsr.calculate_disk_usage(clip, None, {"disk_ratio": None, **config})
    return round(1e9 * usage["estimated_output_gb"])


_LOOK = settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
_RANDOM = ("-vf", "geq=lum=random(1)*256:cb=random(2)*256:cr=random(3)*256")


@_LOOK
@given(
    frames=st.integers(1, 12),
    size=st.tuples(st.integers(16, 60), st.integers(8, 40)),
    scale=st.sampled_from([1, 2, 3]),
)
def test_lossless_never_passes_its_estimate(
    tmp_path: Path, frames: int, size: tuple[int, int], scale: int
) -> None:
    """Each sample of its own value, of which nothing can be told from the others."""
    width, height = 2 * size[0], 2 * size[1]
    clip = make_clip(
        tmp_path / "in.mkv", frames=frames, width=width, height=height, codec="ffv1", audio="aac",
        options=_RANDOM,
    )  # fmt: skip
    target = tmp_path / "out.mkv"
    config: dict[str, Any] = {
        "model": "nearest",
        "scale": scale,
        "codec": "ffv1",
        "disk_ratio": None,
    }
    result = streamvsr.upscale(clip, target, overwrite=True, **config)
    assert result.performance_report["output_bytes"] <= _estimate(clip, **config)


def test_lossless_noise_takes_what_raw_samples_take(tmp_path: Path) -> None:
    """So that the property above says something: the container's share is small here."""
    clip = make_clip(
        tmp_path / "in.mkv", frames=12, width=320, height=240, codec="ffv1", options=_RANDOM
    )
    config: dict[str, Any] = {"model": "nearest", "scale": 1, "codec": "ffv1", "disk_ratio": None}
    size = streamvsr.upscale(clip, tmp_path / "out.mkv", **config).performance_report
    raw = 12 * 320 * 240 * 3 // 2
    assert raw < size["output_bytes"] <= _estimate(clip, **config) < 1.2 * raw


@_LOOK
@given(
    noise=st.integers(0, 60),
    quality=st.integers(10, 18),
    more=st.integers(0, 6),
    codec=st.sampled_from(["h264", "hevc"]),
    preset=st.sampled_from([None, "ultrafast"]),
)
def test_a_source_of_good_quality_keeps_the_estimate(
    tmp_path: Path, noise: int, quality: int, more: int, codec: str, preset: str | None
) -> None:
    """Noise coded at crf 10 to 18 in, the default's crf or a higher one out.

    What is set aside for the container, 64 KiB and 100 bytes a frame, is not lent to the pictures.
    """
    clip = make_clip(
        tmp_path / "in.mkv", frames=24, width=128, height=96,
        options=("-vf", f"noise=alls={noise}:allf=t", "-crf", str(quality)),
    )  # fmt: skip
    crf = (18 if codec == "h264" else 20) + more
    config: dict[str, Any] = {
        "model": "nearest", "codec": codec, "crf": crf, "encoder_preset": preset,
    }  # fmt: skip
    result = streamvsr.upscale(clip, tmp_path / "out.mkv", overwrite=True, **config)
    pictures = result.performance_report["output_bytes"] - 8192
    assert pictures <= _estimate(clip, **config) - 65536 - 24 * 100


def test_the_figures_of_a_film(film: Path) -> None:
    usage = streamvsr.calculate_disk_usage(film, "anywhere.mkv")
    assert list(usage) == [
        "input_size_gb", "estimated_output_gb", "total_estimated_gb", "safe_for_20gb",
    ]  # fmt: skip
    assert usage["input_size_gb"] == film.stat().st_size / 1e9
    output = usage["estimated_output_gb"]
    assert usage["total_estimated_gb"] == usage["input_size_gb"] + output
    assert usage["safe_for_20gb"] is True
    assert streamvsr.pre_check_disk_space(film, output / 0.79)
    assert not streamvsr.pre_check_disk_space(film, output / 0.81)


def test_more_quality_costs_more(film: Path) -> None:
    estimates = [_estimate(film, crf=crf) for crf in (30, 24, 18, 12)]
    assert estimates == sorted(estimates)
    assert len(set(estimates)) == 4
    lossless = _estimate(film, codec="ffv1")
    assert lossless > 200 * 320 * 240 * 3 // 2
    assert _estimate(film, crf=0) <= lossless
    assert _estimate(film, model="nearest", scale=1) < _estimate(film)


def test_the_estimate_needs_a_film(tmp_path: Path) -> None:
    with pytest.raises(errors.InputNotFoundError):
        streamvsr.calculate_disk_usage(tmp_path / "none.mkv")
    (tmp_path / "text.mkv").write_text("no film")
    with pytest.raises(errors.InputError):
        streamvsr.pre_check_disk_space(tmp_path / "text.mkv", 1)


def test_this_process_has_no_file_size_limit() -> None:
    """What the other tests take for granted."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
