"""compare(): its figures against plain arithmetic and ffmpeg's own; what is paired with what."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import streamvsr
from helpers import make_clip, run
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from quality import (
    LOSSLESS,
    decoded,
    full_program,
    plane_psnr,
    plane_ssim,
    plane_xpsnr,
    textured_clip,
)
from streamvsr import errors, metrics

# --- the figures ----------------------------------------------------------------------------------

KINDS = [
    # What each side is made as, and what both are compared in.
    ("yuv420p", "yuv420p", "yuv420p"),
    ("yuv420p10le", "yuv420p10le", "yuv420p10le"),
    ("yuv420p", "yuv420p10le", "yuv420p10le"),
    ("yuv444p", "yuv444p", "yuv444p"),
    ("yuvj420p", "yuvj420p", "yuv420p"),
    ("yuvj420p", "yuv420p", "yuv420p"),
]


@pytest.mark.parametrize(("first", "second", "compared"), KINDS)
def test_psnr_and_ssim_are_those_of_plain_arithmetic(
    tmp_path: Path, first: str, second: str, compared: str
) -> None:
    # Sizes that no block divides.
    size = (150, 98)
    paths = [
        textured_clip(tmp_path / f"{name}.mkv", f"format={kind},{filters}", "-c:v", codec, *options,
              frames=4, size="150x98")
        for name, kind, filters, codec, options in (
            ("a", first, "boxblur=1:1", "libx264", ("-qp", "0", "-pix_fmt", first)),
            ("b", second, "null", "libx264", ("-qp", "0", "-pix_fmt", second)),
        )
    ]  # fmt: skip
    found = streamvsr.compare(*paths, metrics=["psnr", "ssim"])
    assert (found.frames, found.pixel_format) == (4, compared)
    sides = [decoded(path, kind, *size) for path, kind in zip(paths, (first, second), strict=True)]
    peak = 1023.0 if compared.endswith("10le") else 255.0
    for frames, kind in zip(sides, (first, second), strict=True):
        if peak == 1023.0 and not kind.endswith("10le"):
            for planes in frames:  # limited range: two bits more are two zeros
                planes[:] = [plane * 4 for plane in planes]
    for index, plane in enumerate("yuv"):
        psnr = [plane_psnr(a[index], b[index], peak) for a, b in zip(*sides, strict=True)]
        assert found.metrics["psnr"].frames[plane] == pytest.approx(psnr, abs=1e-4)
        error = np.mean([(a[index] - b[index]) ** 2 for a, b in zip(*sides, strict=True)])
        assert found.metrics["psnr"].overall[plane] == pytest.approx(
            10 * math.log10(peak**2 / error), abs=1e-4
        )
        ssim = [plane_ssim(a[index], b[index], peak) for a, b in zip(*sides, strict=True)]
        assert found.metrics["ssim"].frames[plane] == pytest.approx(ssim, abs=1e-4)
        assert found.metrics["ssim"].overall[plane] == pytest.approx(np.mean(ssim), abs=1e-4)
    assert list(found.metrics["psnr"].overall) == ["y", "u", "v", "all"]
    ranges = any("colour range" in warning for warning in found.warnings)
    assert ranges == (first[3] != second[3])
    assert any("bits" in warning for warning in found.warnings) == (
        first.endswith("10le") != second.endswith("10le")
    )


def test_xpsnr_weighs_by_the_reference(tmp_path: Path) -> None:
    size = (704, 484)
    reference = textured_clip(tmp_path / "b.mkv", "null", *LOSSLESS, frames=3, size="704x484")
    distorted = tmp_path / "a.mkv"
    run(["ffmpeg", "-v", "error", "-i", reference, "-vf", "boxblur=3:1", *LOSSLESS, distorted])
    found = streamvsr.compare(distorted, reference, metrics=["xpsnr"]).metrics["xpsnr"]
    expected = plane_xpsnr(
        decoded(reference, "yuv420p", *size), decoded(distorted, "yuv420p", *size)
    )
    for index, plane in enumerate("yuv"):
        assert found.frames[plane] == pytest.approx(expected[:, index], abs=2e-3)
    said = run(
        [found.program, "-nostdin", "-i", reference, "-i", distorted, "-lavfi", "xpsnr",
         "-f", "null", "-"]
    ).stderr.decode()  # fmt: skip
    overall = re.findall(r"\b[yuv]: ([\d.]+)", said)
    assert list(found.overall.values()) == pytest.approx(list(map(float, overall)), abs=1e-3)


def test_vmaf_is_libvmafs(pristine: Path, coded: Path) -> None:
    found = streamvsr.compare(coded, pristine, metrics=["vmaf_neg", "vmaf"])
    assert list(found.metrics) == ["vmaf", "vmaf_neg"]
    for name, model in (("vmaf", "vmaf_v0.6.1"), ("vmaf_neg", "vmaf_v0.6.1neg")):
        log = coded.with_name("log.json")
        run(
            [full_program(), "-nostdin", "-v", "error", "-i", coded, "-i", pristine, "-lavfi",
             f"libvmaf=model=version={model}:log_fmt=json:log_path={log}", "-f", "null", "-"]
        )  # fmt: skip
        theirs = json.loads(log.read_text())
        result = found.metrics[name]
        assert result.frames["score"].tolist() == pytest.approx(
            [frame["metrics"]["vmaf"] for frame in theirs["frames"]], abs=1e-5
        )
        pooled = theirs["pooled_metrics"]["vmaf"]
        for key in ("mean", "harmonic_mean", "min"):
            assert result.overall[key] == pytest.approx(pooled[key], abs=1e-4)


def test_sharpening_lifts_vmaf_and_not_neg(tmp_path: Path, pristine: Path, coded: Path) -> None:
    sharp = tmp_path / "sharp.mkv"
    run(["ffmpeg", "-v", "error", "-i", coded, "-vf", "unsharp=5:5:1", *LOSSLESS, sharp])
    plain, sharpened = (
        streamvsr.compare(path, pristine, metrics=["vmaf", "vmaf_neg"]).metrics
        for path in (coded, sharp)
    )
    gain = {name: sharpened[name].overall["mean"] - plain[name].overall["mean"] for name in plain}
    assert gain["vmaf"] > 3
    assert gain["vmaf_neg"] < 1


def test_equal_videos_are_infinitely_near(pristine: Path) -> None:
    found = streamvsr.compare(pristine, pristine, metrics=["psnr", "ssim", "xpsnr"])
    assert set(found.metrics["psnr"].overall.values()) == {math.inf}
    assert set(found.metrics["xpsnr"].overall.values()) == {math.inf}
    assert found.metrics["ssim"].overall["y"] == 1
    told = found.to_dict()
    assert told["metrics"]["psnr"]["overall"]["y"] is None
    json.dumps(told, allow_nan=False)


_dB = st.lists(st.floats(0, 120) | st.just(math.inf), min_size=1, max_size=50).map(np.array)


@given(values=_dB)
def test_pooled_decibels_lie_between_the_frames(values: NDArray[np.float64]) -> None:
    psnr, xpsnr, mean = metrics.pool_psnr(values), metrics.pool_xpsnr(values), np.mean(values)
    for pooled in (psnr, xpsnr):
        assert values.min() - 1e-9 <= pooled <= values.max() + 1e-9
    # The worse frames count for more: most in PSNR, less in XPSNR, not in a mean of decibels.
    assert psnr <= xpsnr + 1e-9
    assert xpsnr <= mean + 1e-9


@given(values=st.lists(st.floats(0, 100), min_size=1, max_size=50).map(np.array))
def test_pooled_scores_are_ordered(values: NDArray[np.float64]) -> None:
    pooled = metrics.pool_vmaf({"score": values})
    assert values.min() == pooled["min"]
    assert pooled["min"] - 1e-6 <= pooled["harmonic_mean"] <= pooled["mean"] + 1e-6


# --- what is compared with what -------------------------------------------------------------------


def test_frames_are_paired_by_their_order(tmp_path: Path, pristine: Path) -> None:
    other = tmp_path / "other.mkv"
    run(
        ["ffmpeg", "-v", "error", "-i", pristine, "-vf", "setpts='(N*N+7)/30/TB'", "-fps_mode",
         "passthrough", *LOSSLESS, other]
    )  # fmt: skip
    assert streamvsr.compare(other, pristine, metrics=["psnr"]).metrics["psnr"].overall["y"] == (
        math.inf
    )
    gap = tmp_path / "gap.mkv"
    run(["ffmpeg", "-v", "error", "-i", pristine, "-vf", "select='not(eq(n,5))'", "-fps_mode",
         "passthrough", *LOSSLESS, gap])  # fmt: skip
    frames = streamvsr.compare(gap, pristine, metrics=["psnr"]).metrics["psnr"].frames["y"]
    assert np.isinf(frames).tolist() == [True] * 5 + [False] * 6


@pytest.mark.parametrize("longer", ["distorted", "reference"])
def test_the_longer_one_is_cut_and_named(
    tmp_path: Path, pristine: Path, coded: Path, longer: str
) -> None:
    short = tmp_path / "short.mkv"
    run(["ffmpeg", "-v", "error", "-i", pristine, "-frames:v", "7", *LOSSLESS, short])
    pair = (coded, short) if longer == "distorted" else (short, coded)
    found = streamvsr.compare(*pair, metrics=["ssim", "vmaf"])
    assert found.frames == 7
    assert (found.distorted_frames, found.reference_frames) == (
        (12, 7) if longer == "distorted" else (7, 12)
    )
    assert [len(result.frames[key]) for key, result in zip(
        ("y", "score"), found.metrics.values(), strict=True
    )] == [7, 7]  # fmt: skip
    text = f"{str(pair[0])!r} has {found.distorted_frames} frames"
    assert any(warning.startswith(text) for warning in found.warnings)


def test_another_size_is_scaled_only_if_asked(tmp_path: Path, pristine: Path) -> None:
    small, back = tmp_path / "small.mkv", tmp_path / "back.mkv"
    run(["ffmpeg", "-v", "error", "-i", pristine, "-vf", "scale=176:144", *LOSSLESS, small])
    with pytest.raises(errors.ConfigError, match=r"176x144 .* 352x288: resize='bicubic'"):
        streamvsr.compare(small, pristine)
    found = streamvsr.compare(small, pristine, metrics=["psnr"], resize="lanczos")
    run(["ffmpeg", "-v", "error", "-i", small, "-vf", "scale=352:288:flags=lanczos+accurate_rnd",
         *LOSSLESS, back])  # fmt: skip
    assert found.metrics["psnr"].frames["y"] == pytest.approx(
        streamvsr.compare(back, pristine, metrics=["psnr"]).metrics["psnr"].frames["y"]
    )
    assert (found.width, found.height) == (352, 288)


def test_pictures_are_compared_as_coded(tmp_path: Path, coded: Path, pristine: Path) -> None:
    turned = tmp_path / "turned.mp4"
    run(["ffmpeg", "-v", "error", "-i", coded, "-c", "copy", "-metadata:s:v", "rotate=90", turned])
    plain = streamvsr.compare(coded, pristine, metrics=["psnr"]).metrics["psnr"].overall
    assert streamvsr.compare(turned, pristine, metrics=["psnr"]).metrics["psnr"].overall == plain


def test_other_streams_do_not_matter(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mkv", frames=10, audio="aac", subtitles="srt", chapters=2)
    second = tmp_path / "second.mkv"
    run(["ffmpeg", "-v", "error", "-i", clip, "-map", "0:a", "-map", "0:v", "-c", "copy", second])
    found = streamvsr.compare(second, clip, metrics=["psnr"])
    assert (found.frames, found.metrics["psnr"].overall["y"]) == (10, math.inf)
    assert found.warnings == []
