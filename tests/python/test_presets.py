"""Presets and qualities: the known ones pass, of any other the nearest is named."""

from __future__ import annotations

import pytest
from streamvsr.errors import ConfigError
from streamvsr.presets import PRESETS, QUALITIES, check_preset, check_quality


def test_the_known_ones_pass() -> None:
    assert [check_preset(name) for name in PRESETS] == [
        "theater_small", "theater_medium", "theater_large",
    ]  # fmt: skip
    assert [check_quality(name) for name in QUALITIES] == ["fast", "balanced", "high"]


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
