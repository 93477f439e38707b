"""Presets and qualities: what they stand for, where they give way, what is wrong is named."""

from __future__ import annotations

import itertools
from dataclasses import fields
from typing import Any

import pytest
from helpers import REPO
from hypothesis import given
from hypothesis import strategies as st
from streamvsr import cli
from streamvsr.config import StreamingConfig
from streamvsr.errors import ConfigError
from streamvsr.presets import (
    PRESETS,
    QUALITIES,
    check_preset,
    check_quality,
    preset_options,
    table_text,
    with_preset,
)
from streamvsr.temporal import steady_options

EVERY = list(itertools.product(PRESETS, QUALITIES))
_options: dict[str, st.SearchStrategy[Any]] = {
    "temporal_window": st.integers(1, 8),
    "temporal_strength": st.floats(0, 1),
    "temporal_flow": st.sampled_from(["full", "half", "off"]),
    "background_lock": st.booleans(),
    "mask_strength": st.floats(0, 1),
    "mask_highlights": st.floats(0, 1),
    "mask_shadows": st.floats(0, 1),
    "mask_edges": st.floats(0, 1),
    "mask_motion": st.floats(0, 1),
}


def test_the_known_ones_pass() -> None:
    assert [check_preset(name) for name in PRESETS] == [
        "theater_small", "theater_medium", "theater_large",
    ]  # fmt: skip
    assert [check_quality(name) for name in QUALITIES] == ["fast", "balanced", "high"]


@pytest.mark.parametrize(("preset", "quality"), EVERY)
def test_each_decides_everything(preset: str, quality: str) -> None:
    options = preset_options(preset, quality)
    assert sorted(options) == sorted(_options)
    config = with_preset(StreamingConfig(), preset, quality)
    assert {name: getattr(config, name) for name in options} == options


def test_all_are_different_and_each_does_something() -> None:
    told = {str(steady_options(with_preset(StreamingConfig(), *names))) for names in EVERY}
    assert len(told) == len(EVERY)
    assert all("steady: " in text and "mask: " in text for text in told)
    assert str(steady_options(StreamingConfig())) == ""


@given(
    given_options=st.fixed_dictionaries({}, optional=_options),
    names=st.sampled_from(EVERY),
)
def test_what_is_set_stays(given_options: dict[str, Any], names: tuple[str, str]) -> None:
    config = StreamingConfig(crf=30, **given_options)
    full = with_preset(config, *names)
    expected = preset_options(*names) | given_options
    for item in fields(StreamingConfig):
        value = expected.get(item.name, getattr(config, item.name))
        assert getattr(full, item.name) == value
    assert with_preset(full, "theater_large", "fast") == full


def test_one_name_brings_the_other_and_none_brings_nothing() -> None:
    config = StreamingConfig()
    assert with_preset(config, None, None) is config
    assert with_preset(config, "theater_large", None) == with_preset(
        config, "theater_large", "balanced"
    )
    assert with_preset(config, None, "fast") == with_preset(config, "theater_medium", "fast")


def test_the_command_line_knows_them() -> None:
    words = ["upscale", "a", "b", "--preset", "theater_large", "--mask-strength", "0.9"]
    config = cli._config(cli._parser().parse_args([*words, "--background-lock", "off"]))
    wanted = preset_options("theater_large", "balanced")
    wanted |= {"mask_strength": 0.9, "background_lock": False}
    assert {name: getattr(config, name) for name in wanted} == wanted
    config = cli._config(cli._parser().parse_args(["upscale", "a", "b"]))
    assert config == StreamingConfig()


def test_the_documentation_has_the_table() -> None:
    assert table_text() in (REPO / "docs" / "temporal.md").read_text()


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("theater_smal", "theater_small"), ("Theater_Large", "theater_large"), ("medium", None)],
)
def test_an_unknown_preset_names_the_nearest(wrong: str, right: str | None) -> None:
    with pytest.raises(ConfigError, match=f"did you mean '{right}'" if right else "valid: theater"):
        check_preset(wrong)


def test_an_unknown_quality_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'balanced'"):
        check_quality("balance")


def test_a_name_is_a_str() -> None:
    with pytest.raises(TypeError, match="preset must be a str"):
        check_preset(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="quality must be a str"):
        check_quality(None)  # type: ignore[arg-type]
