"""A configuration is checked when it is made, and says what would have been right."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from streamvsr import cli
from streamvsr.command import upscale_command
from streamvsr.config import (
    CODECS,
    COLOR_MATRICES,
    CONTAINERS,
    ENCODER_PRESETS,
    INTERLACED,
    PRECISIONS,
    ROTATIONS,
    SCALES,
    SIZE_CHANGES,
    TEMPORAL_FLOWS,
    StreamingConfig,
)
from streamvsr.errors import ConfigError
from streamvsr.models import is_path
from streamvsr.remains import options_text

NAMES = [field.name for field in fields(StreamingConfig)]
_threads = st.integers(0, 128)
_shares = st.floats(0, 1) | st.sampled_from([0, 1])
# FFmpeg's names hold no "=", which parts name and value on the command line.
_names = st.text(min_size=1).filter(lambda name: "=" not in name)
_options = st.dictionaries(_names, st.text() | st.integers() | st.floats())
_paths = st.text(min_size=1).filter(lambda path: "\0" not in path)

VALID: dict[str, st.SearchStrategy[Any]] = {
    "scale": st.sampled_from(SCALES),
    "model": st.none()
    | st.sampled_from(["nearest", "default_x2", "dir/net.safetensors", "net.ts"]),
    "model_id": st.none(),
    "engine": st.sampled_from(["auto", "rows", "torch"]),
    "precision": st.sampled_from(PRECISIONS),
    "device": st.sampled_from(["auto", "cpu", "cuda", "cuda:1"]),
    "temporal_window": st.none() | st.integers(1, 8),
    "temporal_strength": st.none() | _shares,
    "temporal_flow": st.none() | st.sampled_from(TEMPORAL_FLOWS),
    "background_lock": st.none() | st.booleans(),
    "mask_strength": st.none() | _shares,
    "mask_highlights": st.none() | _shares,
    "mask_shadows": st.none() | _shares,
    "mask_edges": st.none() | _shares,
    "mask_motion": st.none() | _shares,
    "codec": st.sampled_from(["h264", "hevc", "av1"]),
    "crf": st.none() | st.floats(1, 51) | st.integers(1, 51),
    "encoder_preset": st.none() | st.sampled_from(ENCODER_PRESETS),
    "pixel_format": st.none() | st.sampled_from(["yuv420p", "yuv420p10le"]),
    "width": st.none() | st.integers(1, 32768),
    "height": st.none() | st.integers(1, 32768),
    "color_matrix": st.none() | st.sampled_from(COLOR_MATRICES),
    "interlaced": st.sampled_from(INTERLACED),
    "rotation": st.sampled_from(ROTATIONS),
    "size_change": st.sampled_from(SIZE_CHANGES),
    "streams": st.lists(st.sampled_from(["a", "s:0", "m:language:eng", "3"])).map(tuple),
    "encoder_options": _options,
    "container": st.none() | st.sampled_from(CONTAINERS),
    "resume": st.booleans() | st.sampled_from(["auto", "frames"]),
    "overwrite": st.booleans(),
    "strict": st.booleans(),
    "segment_seconds": st.floats(0.5, 600) | st.integers(1, 600),
    "max_memory_mb": st.none() | st.integers(64, 1 << 20),
    "max_frames_mb": st.none() | st.integers(64, 1 << 20),
    "max_vram_mb": st.integers(16, 1 << 20),
    "memory_warning_mb": st.none() | st.integers(1, 1 << 20),
    "disk_ratio": st.none() | st.floats(1, 1000, exclude_min=True),
    "max_disk_fraction": st.none() | st.floats(0, 1, exclude_min=True),
    "encoder_threads": _threads,
    "decoder_threads": _threads,
    "compute_threads": _threads,
}


# av1 has no place in mov (test_bad_input.py).
_valid = st.fixed_dictionaries({}, optional=VALID).filter(
    lambda options: (options.get("codec"), options.get("container")) != ("av1", "mov")
)


def test_every_option_is_covered_here() -> None:
    assert sorted(VALID) == sorted(NAMES)


@given(options=_valid)
def test_valid_options_survive_a_round_trip(options: dict[str, Any]) -> None:
    config = StreamingConfig.from_dict(options)
    assert StreamingConfig.from_dict(config.to_dict()) == config
    for name, value in options.items():
        if name != "encoder_options":
            assert getattr(config, name) == value


@given(options=_valid, source=_paths, target=_paths)
@example(options={"encoder_options": {"-tune": "-film"}}, source="-in.mp4", target="--")
def test_valid_options_survive_the_command_line(
    options: dict[str, Any], source: str, target: str
) -> None:
    config = StreamingConfig.from_dict(options)
    line = shlex.join(upscale_command(source, target, config))
    read = cli._parser().parse_args(shlex.split(line)[1:])
    assert cli._config(read) == config
    assert [read.input, read.output] == [
        path if path[0] != "-" else f"./{path}" for path in (source, target)
    ]


@given(options=_valid)
def test_valid_options_survive_a_checkpoint(options: dict[str, Any]) -> None:
    config = StreamingConfig.from_dict(options)
    kept = json.loads(options_text(config))
    assert kept.pop("directory") == os.getcwd()
    assert StreamingConfig.from_dict(kept) == config


def test_a_name_that_is_not_utf8_is_replaced_in_a_checkpoint() -> None:
    kept = json.loads(options_text(StreamingConfig(model="caf\udce9/net.safetensors")))
    assert kept["model"] == "caf?/net.safetensors"


def test_a_path_stays_a_path_in_a_checkpoint() -> None:
    kept = json.loads(options_text(StreamingConfig(model=Path("network"))))
    assert is_path(kept["model"])
    assert Path(kept["model"]) == Path("network")


def test_defaults_need_no_words() -> None:
    line = upscale_command("in.mp4", "out.mp4", StreamingConfig())
    assert line == ["streamvsr", "upscale", "in.mp4", "out.mp4"]


@given(name=st.sampled_from(NAMES), where=st.integers(1, 30))
def test_a_misspelt_key_names_the_right_one(name: str, where: int) -> None:
    where = 1 + where % (len(name) - 1)
    misspelt = name[:where] + name[where + 1 :]
    if misspelt in NAMES:
        return
    with pytest.raises(ConfigError, match=f"did you mean '{name}'"):
        StreamingConfig.from_dict({misspelt: 1})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scale": 5}, "1, 2, 3, 4, 8"),
        ({"scale": True}, "whole number"),
        ({"scale": 2.0}, "whole number"),
        ({"scale": 0}, "from 1 to 8"),
        ({"model": ""}, "None means"),
        ({"model": 7}, "model must be"),
        ({"precision": "fp23"}, "did you mean 'fp32'"),
        ({"engine": "row"}, "did you mean 'rows'"),
        ({"device": "cuba"}, "did you mean 'cuda'"),
        ({"device": "cuda:one"}, "unknown device"),
        ({"device": 0}, "device must be"),
        ({"temporal_window": 9}, "from 1 to 8"),
        ({"temporal_window": 2.0}, "whole number"),
        ({"temporal_strength": 1.5}, "from 0 to 1"),
        ({"temporal_flow": "ful"}, "did you mean 'full'"),
        ({"background_lock": "on"}, "True or False"),
        ({"mask_strength": -0.1}, "from 0 to 1"),
        ({"mask_highlights": "high"}, "a number"),
        ({"mask_motion": float("nan")}, "from 0 to 1"),
        ({"codec": "h265"}, "did you mean 'hevc'"),
        ({"codec": "libx264"}, "did you mean 'h264'"),
        ({"codec": None}, "one of h264, hevc, av1, ffv1"),
        ({"crf": 52}, "from 0 to 51"),
        ({"crf": -1}, "from 0 to 51"),
        ({"crf": float("nan")}, "from 0 to 51"),
        ({"crf": "18"}, "a number"),
        ({"encoder_preset": "ultrafest"}, "did you mean 'ultrafast'"),
        ({"pixel_format": ""}, "pixel_format must be"),
        ({"encoder_options": ["tune=film"]}, "a mapping"),
        ({"encoder_options": {"tune": None}}, "str or a number"),
        ({"encoder_options": {"": "film"}}, "non-empty"),
        ({"container": "mp5"}, "did you mean 'mp4'"),
        ({"container": "webm"}, "valid: mkv, mov, mp4"),
        ({"resume": "yes"}, "did you mean 'True'"),
        ({"resume": "frame"}, "did you mean 'frames'"),
        ({"resume": None}, "'auto', True, False or 'frames'"),
        ({"overwrite": 1}, "True or False"),
        ({"strict": "yes"}, "True or False"),
        ({"segment_seconds": 0}, "from 0.5 to 600"),
        ({"max_memory_mb": 1.5}, "whole number"),
        ({"max_memory_mb": 63}, "from 64 to"),
        ({"max_vram_mb": 15}, "from 16 to"),
        ({"encoder_threads": -1}, "from 0 to 128"),
        ({"codec": "ffv1", "crf": 10}, "lossless"),
        ({"codec": "ffv1", "encoder_preset": "slow"}, "lossless"),
        ({"codec": "ffv1", "container": "mp4"}, "mkv"),
        ({"codec": "ffv1"}, "disk_ratio=None"),
        ({"codec": "av1", "container": "mov"}, "mp4"),
        ({"codec": "av1", "encoder_preset": "14"}, "13"),
        ({"encoder_preset": "8"}, "medium"),
        ({"disk_ratio": 1.0}, "above 1"),
        ({"disk_ratio": 0}, "from 1"),
        ({"disk_ratio": "3"}, "a number"),
        ({"max_memory": 1024}, "did you mean 'max_memory_mb'"),
        ({"frobnicate": 1}, "valid: background_lock, codec, "),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_right(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        StreamingConfig.from_dict(options)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


def test_a_configuration_is_a_mapping() -> None:
    with pytest.raises(TypeError, match="mapping"):
        StreamingConfig.from_dict([("scale", 2)])  # type: ignore[arg-type]


def test_a_configuration_does_not_change() -> None:
    options = {"tune": "film"}
    config = StreamingConfig(encoder_options=options)
    options["tune"] = "grain"
    assert config.encoder_options == {"tune": "film"}
    with pytest.raises(FrozenInstanceError):
        config.scale = 4  # type: ignore[misc]


def test_a_model_may_be_a_path(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    assert StreamingConfig(model=path).to_dict()["model"] == str(path)


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_documented(name: str) -> None:
    assert f"        {name}:" in (StreamingConfig.__doc__ or "")


def test_every_codec_has_a_name_for_itself() -> None:
    configs = [StreamingConfig(codec=codec, disk_ratio=None) for codec in CODECS]
    assert [config.codec for config in configs] == list(CODECS)
