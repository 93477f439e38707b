"""A tag is in the output, or it was named before work: never neither, never both."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from helpers import ffprobe, streams
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streamvsr import StreamingVideoProcessor

from fidelity.sources import make
from fidelity.sources.tags import APPLE, PLACE, tagged

CONFIG = {"model": "nearest", "scale": 1, "encoder_preset": "ultrafast", "disk_ratio": None}
CONTAINERS = ["mp4", "mov", "mkv"]


def upscale(source: Path, target: Path) -> str:
    """Runs a job; its warnings."""
    result = StreamingVideoProcessor(CONFIG).process(source, target, None, None)
    assert result.success, result.error
    return "\n".join(result.warnings)


def tags_of(path: Path) -> dict[str, str]:
    found = ffprobe(path, "-show_entries", "format_tags")["format"].get("tags", {})
    return {key.lower(): value for key, value in found.items()}


@pytest.mark.parametrize("container", CONTAINERS)
def test_where_it_was_taken(container: str, tmp_path: Path) -> None:
    target = tmp_path / f"out.{container}"
    assert upscale(make("place.mp4", tmp_path), target) == ""
    assert tags_of(target)["location"] == PLACE


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_telephones_tags_are_kept(container: str, tmp_path: Path) -> None:
    target = tmp_path / f"out.{container}"
    assert upscale(make("apple.mov", tmp_path), target) == ""
    for key, value in APPLE.items():
        assert tags_of(target)[key.lower()] == value


@pytest.mark.parametrize("container", CONTAINERS)
def test_capitals_make_no_difference(container: str, tmp_path: Path) -> None:
    target = tmp_path / f"out.{container}"
    said = upscale(make("capitals.mkv", tmp_path), target)
    kept = tags_of(target)
    assert (kept["title"], kept["artist"]) == ("A film", "Somebody")
    assert "TITLE" not in said
    assert "ARTIST" not in said
    for key in ("MAKE", "BARCODE"):
        assert (key in said) == (key.lower() not in kept)
    assert ("BARCODE" in said) == (container == "mp4")


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_long_comment_is_kept_whole(container: str, tmp_path: Path) -> None:
    source, target = make("long-comment.mkv", tmp_path), tmp_path / f"out.{container}"
    assert upscale(source, target) == ""
    assert tags_of(target)["comment"] == tags_of(source)["comment"]


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_stretching_matrix_is_kept_or_named(container: str, tmp_path: Path) -> None:
    source, target = make("stretched.mp4", tmp_path), tmp_path / f"out.{container}"
    said = upscale(source, target)
    kept = [s.get("side_data_list") for s in streams(target, "video")]
    assert (kept == [s.get("side_data_list") for s in streams(source, "video")]) == (
        container != "mkv"
    )
    assert ("display matrix" in said) == (container == "mkv")


KEYS = ["title", "ARTIST", "comment", "Genre", "make", "model", "XMP", "location", "track",
        "hd_video", "BARCODE", "com.apple.quicktime.make", "com.android.version", "keywords",
        "My Own Tag", "date", "synopsis", "author", "encoding_tool"]  # fmt: skip
VALUES = st.one_of(
    st.text(
        st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn")),
        min_size=1,
        max_size=20,
    ),
    st.integers(0, 300).map(str),
    st.just(PLACE),
).filter(lambda text: text == text.strip())


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4), st.sampled_from(CONTAINERS))
def test_named_or_kept(tags: dict[str, str], container: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name) / "in.mkv", Path(name) / f"out.{container}"
        tagged(source, tags)
        said = upscale(source, target)
        before, after = tags_of(source), tags_of(target)
    named = said.split("the tags ")[1:]
    for key in before.keys() - {"encoder", "duration"}:
        is_named = any(key in [k.lower() for k in _listed(line)] for line in named)
        kept = before[key] == after.get(key)
        if key in ("location", "track", "hd_video") and key in after:
            kept = not is_named  # the container's own form: "07" as 7
        assert is_named != kept, (key, before[key], after.get(key), said)


def _listed(warning: str) -> list[str]:
    for verb in (" cannot be held", " do not fit"):
        warning = warning.split(verb)[0]
    return warning.split(", ")
