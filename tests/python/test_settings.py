"""Options from the command line, the environment and a file, and which of them counts."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import streamvsr
from helpers import REPO, cli, cli_command, listing, run
from hypothesis import given
from hypothesis import strategies as st
from streamvsr import cli as program
from streamvsr.config import StreamingConfig
from streamvsr.errors import ConfigError
from streamvsr.settings import (
    NOT_OPTIONS,
    PREFIX,
    configured,
    from_environment,
    from_file,
    unset_words,
)
from unfinished import LEFT, status_of

# For every option that a text can give: a value, as text and as it is.
VALUES: dict[str, tuple[str, Any]] = {
    "scale": ("4", 4),
    "model": ("nearest", "nearest"),
    "precision": ("fp32", "fp32"),
    "engine": ("rows", "rows"),
    "device": ("cuda:1", "cuda:1"),
    "temporal_window": ("5", 5),
    "temporal_strength": ("0.25", 0.25),
    "temporal_flow": ("half", "half"),
    "background_lock": ("off", False),
    "mask_strength": ("0.5", 0.5),
    "mask_highlights": ("0.75", 0.75),
    "mask_shadows": ("0.125", 0.125),
    "mask_edges": ("none", None),
    "mask_motion": ("0.0625", 0.0625),
    "codec": ("hevc", "hevc"),
    "crf": ("21.5", 21.5),
    "encoder_preset": ("slow", "slow"),
    "pixel_format": ("yuv420p10le", "yuv420p10le"),
    "width": ("1920", 1920),
    "height": ("1080", 1080),
    "color_matrix": ("bt601", "bt601"),
    "interlaced": ("refuse", "refuse"),
    "rotation": ("apply", "apply"),
    "size_change": ("refuse", "refuse"),
    "streams": ("a:0,s", ("a:0", "s")),
    "encoder_options": ("tune=film 'x265-params=a=1 b'", {"tune": "film", "x265-params": "a=1 b"}),
    "container": ("mkv", "mkv"),
    "resume": ("no", False),
    "overwrite": ("yes", True),
    "strict": ("1", True),
    "segment_seconds": ("2.5", 2.5),
    "max_memory_mb": ("512", 512),
    "max_frames_mb": ("none", None),
    "max_vram_mb": ("256", 256),
    "memory_warning_mb": ("900", 900),
    "disk_ratio": ("none", None),
    "max_disk_fraction": ("0.5", 0.5),
    "encoder_threads": ("1", 1),
    "decoder_threads": ("2", 2),
    "compute_threads": ("3", 3),
}
OTHERS: dict[str, Any] = {  # another valid value of each
    "scale": 8, "model": "default_x2", "precision": "bf16", "engine": "torch", "device": "cpu",
    "temporal_window": 2, "temporal_strength": 1.0, "temporal_flow": "off", "background_lock": True,
    "mask_strength": 0.0, "mask_highlights": 0.5, "mask_shadows": 0.5, "mask_edges": 0.01,
    "mask_motion": 0.5, "codec": "h264", "crf": 30, "encoder_preset": "fast",
    "pixel_format": "yuv420p",
    "width": 64, "height": 48, "color_matrix": "bt709", "interlaced": "keep", "rotation": "keep",
    "size_change": "scale", "streams": ("v",),
    "encoder_options": {"tune": "grain", "x265-params": ""}, "container": "mov", "resume": True,
    "overwrite": False, "strict": False, "segment_seconds": 10.0, "max_memory_mb": 1024,
    "max_frames_mb": 64,
    "max_vram_mb": 6144, "memory_warning_mb": 5, "disk_ratio": 3.0, "max_disk_fraction": 0.8,
    "encoder_threads": 0, "decoder_threads": 0, "compute_threads": 0,
}  # fmt: skip


def variables(options: dict[str, str]) -> dict[str, str]:
    return {PREFIX + name.upper(): text for name, text in options.items()}


def test_every_option_can_come_from_everywhere() -> None:
    names = {name for name in StreamingConfig().to_dict() if name != "model_id"}
    assert VALUES.keys() == OTHERS.keys() == names


_sources = st.lists(st.sampled_from(["file", "environment", "words"]), unique=True)


@given(where=st.fixed_dictionaries(dict.fromkeys(VALUES, _sources)))
def test_the_command_line_counts_before_environment_and_file(where: dict[str, Any]) -> None:
    wanted = StreamingConfig().to_dict()
    file: dict[str, Any] = {}
    given: dict[str, Any] = {}
    environment: dict[str, str] = {}
    for name, sources in where.items():
        text, value = VALUES[name]
        # The highest source holds the value, those below it the other one, which must not count.
        if "words" in sources:
            given[name] = wanted[name] = value
        if "environment" in sources and "words" in sources:
            environment |= variables({name: _text(OTHERS[name])})
        elif "environment" in sources:
            environment |= variables({name: text})
            wanted[name] = value
        if "file" in sources:
            file[name] = OTHERS[name] if len(sources) > 1 else value
            wanted[name] = value
    layers = configured_from(given, file, environment)
    assert layers == StreamingConfig.from_dict(wanted)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key}={setting}" for key, setting in value.items())
    return str(value)


def configured_from(
    given: dict[str, Any], file: dict[str, Any], environment: dict[str, str]
) -> StreamingConfig:
    path = Path(os.environ["XDG_CACHE_HOME"]) / "options.json"
    path.write_text(json.dumps(file))
    return configured(given, path, environment)


def test_further_options_of_the_encoder_are_put_together() -> None:
    config = configured_from(
        {"encoder_options": {"tune": "grain"}},
        {"encoder_options": {"tune": "film", "bf": 2}},
        {"STREAMVSR_ENCODER_OPTIONS": "refs=3 bf=1"},
    )
    assert config.encoder_options == {"tune": "grain", "refs": "3", "bf": "1"}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("crf", "none", None),
        ("disk_ratio", "None", None),
        ("model", "none", None),
        ("resume", "frames", "frames"),
        ("resume", "auto", "auto"),
        ("resume", "true", True),
        ("overwrite", "off", False),
        ("strict", "TRUE", True),
        ("scale", " 3 ", 3),
    ],
)
def test_a_variable_is_read_as_its_option_is(name: str, text: str, value: Any) -> None:
    assert from_environment(variables({name: text})) == {name: value}


def test_empty_variables_and_those_of_others_are_nothing() -> None:
    others = {PREFIX + name: "7" for name in NOT_OPTIONS}
    assert from_environment({"STREAMVSR_CODEC": "", "CODEC": "hevc", **others}) == {}


def test_the_variables_that_are_no_options_are_known() -> None:
    found: set[str] = set()
    for path in [*(REPO / "tests").rglob("*.py"), *(REPO / "python").rglob("*.py")]:
        found.update(re.findall(r'environ\.get\("STREAMVSR_(\w+)"', path.read_text()))
    assert found == set(NOT_OPTIONS)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"STREAMVSR_CODEK": "h264"}, "'STREAMVSR_CODEK'; did you mean 'STREAMVSR_CODEC'"),
        ({"STREAMVSR_MODEL_ID": "mine"}, "unknown environment variable"),
        ({"STREAMVSR_SCALE": "two"}, "STREAMVSR_SCALE must be a whole number, not 'two'"),
        ({"STREAMVSR_CRF": "good"}, "STREAMVSR_CRF must be a number"),
        ({"STREAMVSR_STRICT": "perhaps"}, "STREAMVSR_STRICT must be yes or no"),
        ({"STREAMVSR_ENCODER_OPTIONS": "tune"}, "must be NAME=VALUE NAME=VALUE"),
        ({"STREAMVSR_ENCODER_OPTIONS": "'tune"}, "must be NAME=VALUE NAME=VALUE"),
        ({"STREAMVSR_CRF": "99"}, r"crf must be from 0 to 51, not 99 \(STREAMVSR_CRF\)"),
        ({"STREAMVSR_CODEC": "h265"}, r"did you mean 'hevc'.*\(STREAMVSR_CODEC\)"),
        ({"STREAMVSR_RESUME": "perhaps"}, r"unknown resume.*\(STREAMVSR_RESUME\)"),
    ],
)
def test_a_variable_that_cannot_work_is_named(environment: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        configured({}, None, environment)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_in_a_file_is_refused_with_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "options.json"
    path.write_text('{"codek": "hevc"}')
    with pytest.raises(ConfigError, match=r"options\.json.*'codek'; did you mean 'codec'"):
        from_file(path)
    path.write_text('{"crf": 99}')
    with pytest.raises(ConfigError, match=r"not 99 \('.*options\.json'\)"):
        configured({}, path, {})
    with pytest.raises(ConfigError, match=r"not 98$"):
        configured({"crf": 98}, path, {})


def test_a_network_is_seen_from_the_folder_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "options.yaml"
    path.write_text("model: nets/mine.ts\ndisk_ratio: null\n")
    assert from_file(path) == {"model": f"{tmp_path}/nets/mine.ts", "disk_ratio": None}
    path.write_text("model: nearest\n")
    assert from_file(path) == {"model": "nearest"}


def test_the_command_line_reads_all_three(tmp_path: Path, small_clip: Path) -> None:
    path = tmp_path / "options.yaml"
    path.write_text("model: nearest\ncodec: hevc\nscale: 3\ncontainer: mkv\npixel_format: gray\n")
    environment = {
        **os.environ,
        "STREAMVSR_PIXEL_FORMAT": "yuv444p",
        "STREAMVSR_SCALE": "4",
        "STREAMVSR_CODEC": "ffv1",
    }
    done = cli(
        "upscale", small_clip, tmp_path / "out", "--config", path, "--scale", "2", "--codec",
        "h264", "--overwrite", env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = streamvsr.probe(tmp_path / "out")
    assert "matroska" in found.format
    video = found.streams[0]
    assert (video.codec, video.width, video.pixel_format) == ("h264", 128, "yuv444p")


def test_what_cannot_work_is_2_and_one_line(tmp_path: Path, small_clip: Path) -> None:
    target = tmp_path / "out.mp4"
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"scael": 2}')
    for words, environment in (
        (["--config", str(tmp_path / "none.json")], {}),
        (["--config", str(wrong)], {}),
        ([], {"STREAMVSR_CODEK": "hevc"}),
        ([], {"STREAMVSR_CRF": "99"}),
    ):
        done = cli("upscale", small_clip, target, *words, env={**os.environ, **environment})
        assert done.returncode == 2, done
        assert done.stderr.startswith("streamvsr: ")
        assert len(done.stderr.splitlines()) == 1
    assert listing(tmp_path).keys() == {"wrong.json"}


def test_no_option_of_the_command_line_has_a_default_of_its_own() -> None:
    read = program._parser().parse_args(["upscale", "in.mp4"])
    assert program._config(read) == configured({}, None, {})


def test_a_switch_can_be_taken_back() -> None:
    given = ["upscale", "in.mp4", "--no-overwrite", "--strict", "--no-strict"]
    read = program._parser().parse_args(given)
    environment = variables({"overwrite": "yes", "strict": "yes"})
    config = configured({"overwrite": read.overwrite, "strict": read.strict}, None, environment)
    assert (config.overwrite, config.strict) == (False, False)
    assert from_environment(environment) == {"overwrite": True, "strict": True}


def test_other_commands_mind_no_variables(small_clip: Path) -> None:
    done = run(["env", "STREAMVSR_CODEK=x", *cli_command("probe", small_clip)])
    assert b"h264" in done.stdout


def test_the_command_that_goes_on_is_not_changed_by_variables(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMVSR_CODEC", "hevc")
    monkeypatch.setenv("STREAMVSR_SEED", "7")
    assert unset_words({"PATH": "/bin", "STREAMVSR_CRF": ""}) == []
    command = status_of(target).command
    assert command is not None
    words = shlex.split(command)
    assert words[:4] == ["env", "-u", "STREAMVSR_CODEC", "streamvsr"]
    assert listing(target.parent).keys() == LEFT
    run([*words[:3], *cli_command(*words[4:])])
    assert listing(target.parent).keys() == {"out.mp4"}
    assert streamvsr.probe(target).streams[0].codec == "h264"
