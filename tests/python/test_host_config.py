"""Every key of an existing configuration is used, or named with the reason why not."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import REPO
from host_application import SHIPPED_YAML, shipped_config
from hypothesis import given
from hypothesis import strategies as st
from streamvsr.config import ENCODER_PRESETS, StreamingConfig
from streamvsr.errors import ConfigError, InputNotFoundError
from streamvsr.host_config import HostConfig, read_config
from streamvsr.host_keys import KEYS, PATHS, table_text
from streamvsr.models import describe_model, find_model


def leaves(config: dict[str, Any], section: str = "") -> dict[str, Any]:
    """Values by their paths, with dots."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, dict):
            found |= leaves(value, f"{section}{name}.")
        else:
            found[f"{section}{name}"] = value
    return found


def nested(values: dict[str, Any]) -> dict[str, Any]:
    """The inverse of leaves()."""
    config: dict[str, Any] = {}
    for path, value in values.items():
        *sections, name = path.split(".")
        place = config
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = value
    return config


def accounted(read: HostConfig) -> list[str]:
    return sorted([*read.honoured, *read.unused, *read.unknown])


def test_the_table_has_every_key_of_the_application_and_no_other() -> None:
    assert sorted(PATHS) == sorted(leaves(shipped_config()))
    assert len(PATHS) == len(set(PATHS))


def test_the_documentation_has_the_table() -> None:
    assert table_text() in (REPO / "docs" / "drop-in.md").read_text()
    for key in KEYS:
        assert key.text
        assert "|" not in key.text


def test_the_shipped_configuration_is_accounted_for() -> None:
    read = read_config(shipped_config())
    assert accounted(read) == sorted(leaves(shipped_config()))
    assert read.unknown == {}
    assert read.streaming is True
    assert read.options["max_frames_mb"] == 1024
    assert read.options["encoder_preset"] == "slow"
    assert read.options["device"] == "cuda:0"
    assert read.unused["performance.checkpoint_interval"] == (
        "streaming.checkpoint_interval stands above it"
    )
    config = read.streaming_config(25.0)
    assert config.segment_seconds == 40
    assert (config.crf, config.codec, config.container) == (18, "h264", "mp4")


_number = st.integers(1, 10**6)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "streaming_mode": st.booleans(),
    "streaming.enabled": st.booleans(),
    "streaming.max_memory_mb": st.integers(64, 1 << 20),
    "streaming.max_vram_mb": st.integers(16, 1 << 20),
    "streaming.checkpoint_interval": _number,
    "streaming.temporal_buffer_size": st.integers(1, 9),
    "streaming.batch_size": st.integers(1, 16),
    "streaming.enable_temporal_stabilization": st.booleans(),
    "video.ai_model": st.sampled_from(["nearest", "default_x2", "realesrgan_x4"]),
    "video.model_path": st.none() | st.sampled_from(["models/net.ts", "net.safetensors"]),
    "video.output.format": st.sampled_from(["mp4", "mov", "mkv"]),
    "video.output.codec": st.sampled_from(["h264", "hevc", "h265", "libx264", "H264"]),
    "video.output.crf": st.integers(0, 51),
    "video.output.preset": st.sampled_from(ENCODER_PRESETS),
    "performance.use_gpu": st.booleans(),
    "performance.gpu_id": st.integers(0, 7),
    "performance.max_memory_usage": st.floats(0, 1, exclude_min=True),
    "performance.tile_overlap": st.integers(0, 128),
    "performance.num_workers": st.integers(0, 64),
    "performance.prefetch_factor": st.integers(1, 8),
    "performance.checkpoint_interval": _number,
    "models_dir": st.just("models") | st.just(""),
    "temp_dir": st.just("/tmp/frames"),
    "progress_update_interval": st.floats(0.01, 60) | st.integers(1, 60),
    "gan_policy.strength": st.sampled_from(["weak", "medium", "strong"]),
    "temporal_config.background_lock": st.booleans(),
    "temporal_config.strength": st.sampled_from(["high", "medium", "low"]),
    "temporal_config.optical_flow_enabled": st.booleans(),
}
VALUES["models_dir"] = st.just("models")
for _path in PATHS:
    if _path.startswith("video.quality_presets"):
        VALUES[_path] = st.integers(1, 2048) | st.floats(0, 1)
    elif _path.startswith("gan_policy") and _path.endswith("threshold"):
        VALUES[_path] = st.floats(0, 1)
_some = st.fixed_dictionaries({}, optional=VALUES)
_foreign = st.dictionaries(
    st.sampled_from(["logging", "streamingmode", "video.outptu", "streaming.max_memory"]),
    st.integers() | st.text() | st.none(),
    max_size=3,
)


def test_every_key_is_drawn() -> None:
    assert sorted(VALUES) == sorted(PATHS)


@given(known=_some, foreign=_foreign, rate=st.floats(1, 240))
def test_any_configuration_is_accounted_for(
    known: dict[str, Any], foreign: dict[str, Any], rate: float
) -> None:
    config = nested(known | foreign)
    read = read_config(config)
    assert accounted(read) == sorted(leaves(config))
    named = "\n".join(read.warnings)
    for path in [*read.unused, *read.unknown]:
        assert path in named
    for option, path in read.sources.items():
        assert path in read.honoured
        assert option in {field.split(":")[0].strip("`, ") for field in _words(read.honoured[path])}
    model = read.options.get("model")
    if not isinstance(model, Path) or model.suffix != ".safetensors":
        made = read.streaming_config(rate)
        assert isinstance(made, StreamingConfig)
        assert 0.5 <= made.segment_seconds <= 600
        for option, value in read.options.items():
            assert getattr(made, option) == value
    assert read_config(json.loads(json.dumps(config))) == read


def _words(text: str) -> list[str]:
    # performance.checkpoint_interval speaks of the key that it stands in for.
    return [*re.findall(r"`(\w+)`", text), "segment_seconds" if "checkpoint" in text else ""]


def test_keys_are_used_as_the_table_says(tmp_path: Path) -> None:
    config = {
        "streaming": {"max_memory_mb": 300, "max_vram_mb": 64, "checkpoint_interval": 50},
        "video": {"output": {"format": "mkv", "codec": "x265", "crf": 31, "preset": "fast"}},
        "performance": {"use_gpu": False, "gpu_id": 1, "num_workers": 3, "max_memory_usage": 1.0},
        "progress_update_interval": 2,
    }
    read = read_config(config)
    memory = read.options["memory_warning_mb"]
    with open("/proc/meminfo") as file:
        total = int(file.readline().split()[1]) / 1024
    assert 0 < memory <= total
    assert read.unused == {"performance.gpu_id": "use_gpu is off"}
    assert (read.streaming, read.update_interval) == (None, 2)
    assert read.streaming_config(20.0) == StreamingConfig(
        max_frames_mb=300, max_vram_mb=64, segment_seconds=2.5, container="mkv", codec="hevc",
        crf=31, encoder_preset="fast", device="cpu", compute_threads=3, memory_warning_mb=memory,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rate", "frames", "seconds"), [(25, 1, 0.5), (25, 250, 10), (24, 10**6, 600), (0, 5, 10)]
)
def test_an_interval_in_frames_becomes_seconds(rate: float, frames: int, seconds: float) -> None:
    read = read_config({"streaming": {"checkpoint_interval": frames}})
    assert read.streaming_config(rate).segment_seconds == seconds


@pytest.mark.parametrize(
    ("output", "container"),
    [(None, "mov"), ("out.mkv", None), ("out.MP4", None), ("out.film", "mov"), ("out", "mov")],
)
def test_the_output_names_its_container_itself(output: str | None, container: str | None) -> None:
    read = read_config({"video": {"output": {"format": "mov"}}})
    assert read.streaming_config(25.0, output).container == container


@pytest.mark.parametrize(
    ("performance", "device"),
    [
        ({}, "auto"),
        ({"use_gpu": True}, "cuda"),
        ({"use_gpu": True, "gpu_id": 1}, "cuda:1"),
        ({"gpu_id": 2}, "cuda:2"),
        ({"use_gpu": False, "gpu_id": 1}, "cpu"),
    ],
)
def test_the_device_is_the_one_asked_for(performance: dict[str, Any], device: str) -> None:
    assert read_config({"performance": performance}).streaming_config().device == device


def test_networks_are_found_in_models_dir(tmp_path: Path) -> None:
    packaged = find_model(None)
    here = tmp_path / "mine.safetensors"
    here.write_bytes(packaged.read_bytes())
    by_name = read_config({"models_dir": str(tmp_path), "video": {"ai_model": "mine"}})
    assert by_name.options["model"] == here
    assert "models_dir" in by_name.honoured
    by_path = read_config({"models_dir": tmp_path, "video": {"model_path": "mine.safetensors"}})
    assert by_path.streaming_config().model == here
    assert by_path.streaming_config().scale == describe_model(packaged).scale
    both = {"ai_model": "default_x2", "model_path": str(here)}
    assert read_config({"video": both}).unused == {
        "video.ai_model": "video.model_path stands above it"
    }
    missing = read_config({"models_dir": str(tmp_path), "video": {"ai_model": "realesrgan"}})
    assert "no network 'realesrgan'" in missing.unused["video.ai_model"]
    assert "models_dir" in missing.unused
    assert "model" not in missing.options


def test_our_own_section_stands_above_all_others() -> None:
    read = read_config(
        {"streamvsr": {"codec": "ffv1", "disk_ratio": None, "scale": 4, "segment_seconds": 3},
         "streaming": {"checkpoint_interval": 100},
         "video": {"output": {"codec": "h264", "crf": 20, "preset": "slow"}}}
    )  # fmt: skip
    config = read.streaming_config(25.0)
    assert (config.codec, config.scale, config.segment_seconds) == ("ffv1", 4, 3)
    assert read.unused == {
        "streaming.checkpoint_interval": "streamvsr.segment_seconds stands above it",
        "video.output.codec": "streamvsr.codec stands above it",
        "video.output.crf": "ffv1 is lossless",
        "video.output.preset": "ffv1 is lossless",
    }
    assert {"streamvsr.codec", "streamvsr.scale"} <= read.honoured.keys()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"streaming": {"max_memory_mb": "1 GB"}}, "streaming.max_memory_mb"),
        ({"streaming": {"max_memory_mb": 3}}, r"from 64 .*streaming\.max_memory_mb"),
        ({"streaming": {"checkpoint_interval": 0}}, "streaming.checkpoint_interval must be"),
        ({"streaming": {"checkpoint_interval": 2.5}}, "a whole number of frames"),
        ({"streaming": 3}, "streaming must hold names and values"),
        ({"video": {"output": {"codec": "divx"}}}, r"unknown codec 'divx'.*video\.output\.codec"),
        ({"video": {"output": {"format": "avi"}}}, r"valid: mkv, mov, mp4 \(video\.output\.format"),
        ({"video": {"output": {"crf": 90}}}, "video.output.crf"),
        ({"video": {"output": {"preset": "quick"}}}, "video.output.preset"),
        ({"video": {"model_path": "net.pth"}}, r"video\.model_path must be .*TorchScript"),
        ({"video": {"ai_model": 3}}, "video.ai_model must be a name"),
        ({"performance": {"use_gpu": "yes"}}, "performance.use_gpu must be true or false"),
        ({"performance": {"gpu_id": -1}}, "performance.gpu_id must be"),
        ({"performance": {"max_memory_usage": 70}}, "performance.max_memory_usage must be"),
        ({"performance": {"num_workers": 999}}, "performance.num_workers"),
        (
            {"gan_policy": {"edge_threshold": 3}},
            "gan_policy.edge_threshold must be a number from 0",
        ),
        ({"gan_policy": {"motion_threshold": -1}}, r"0 to 1.*gan_policy\.motion_threshold"),
        ({"progress_update_interval": 0}, "progress_update_interval must be a number above 0"),
        ({"streaming_mode": "on"}, "streaming_mode must be true or false"),
        ({"streamvsr": {"codek": "h264"}}, "did you mean 'codec'"),
        ({"streamvsr": {"crf": 99}}, r"crf must be .*\(streamvsr\.crf\)"),
        ({"streamvsr": [1]}, "streamvsr must hold options"),
        ({"models_dir": 1}, "models_dir must be a name or a path"),
    ],
)
def test_a_value_that_cannot_work_is_named_with_its_key(config: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        read_config(config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("streaming_mod", "streaming_mode"),
        ("streaming.max_memory", "streaming.max_memory_mb"),
        ("video.outptu", "video.output"),
        ("output", "video.output"),
        ("crf", "video.output.crf"),
        ("streamvr", "streamvsr"),
        ("database", None),
    ],
)
def test_of_an_unknown_key_the_nearest_is_named(path: str, near: str | None) -> None:
    read = read_config(nested({path: 1}))
    assert read.unknown == {path: near}
    hint = f"{path!r} (did you mean {near!r}?)" if near else repr(path)
    assert read.warnings == [f"unknown in the configuration, without effect: {hint}"]


def test_keys_of_one_reason_share_a_sentence() -> None:
    read = read_config(shipped_config())
    tiles = [text for text in read.warnings if "how pictures are cut" in text]
    assert len(tiles) == 1
    assert tiles[0].count("tile_size") == 3
    assert any("temp_dir: a stream makes no temporary files" in text for text in read.warnings)


def test_files_of_either_kind_are_read(tmp_path: Path) -> None:
    as_json = tmp_path / "config.json"
    as_json.write_text(json.dumps(shipped_config()))
    assert read_config(as_json) == read_config(shipped_config())
    as_yaml = tmp_path / "config.yaml"
    as_yaml.write_text(SHIPPED_YAML)
    read = read_config(str(as_yaml))
    assert read.streaming_config(25.0) == StreamingConfig(
        model="nearest", max_frames_mb=512, segment_seconds=1, container="mkv", codec="hevc",
        crf=30, encoder_preset="ultrafast", device="cpu",
    )  # fmt: skip
    assert list(read.unused) == ["temp_dir"]


def test_yaml_without_its_package_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.yml"
    path.write_text(SHIPPED_YAML)
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ConfigError, match="pip install PyYAML"):
        read_config(path)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.json", "{", "no valid JSON"),
        ("a.json", "[1]", "must hold names and values, not a list"),
        ("a.json", "null", "must hold names and values"),
        ("a.json", "[" * 100000, "no valid JSON"),
        ("a.yaml", "a: [1", "no valid YAML"),
        ("a.yaml", "- 1", "must hold names and values"),
        ("a.yaml", "!!python/object:os.system {}", "no valid YAML"),
        ("a.toml", "a = 1", "ends in .json"),
        ("a.json", "\udcff", "no text in UTF-8"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, name: str, text: str, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError, match=words) as caught:
        read_config(path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match="no configuration file") as caught:
        read_config(tmp_path / "none.json")
    assert caught.value.filename == str(tmp_path / "none.json")


def test_an_empty_yaml_file_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert read_config(tmp_path / "empty.yaml") == HostConfig()
