"""Options that come from a file or from the environment, and whose word counts."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from streamvsr._names import check_name, unknown
from streamvsr.command import RESUME, listed, pair
from streamvsr.config import StreamingConfig
from streamvsr.errors import ConfigError, InputError, InputNotFoundError
from streamvsr.presets import with_preset

PREFIX = "STREAMVSR_"
# What else bears the prefix: the program of compare(), and the settings of the tests
# (tests/README.md).
NOT_OPTIONS: tuple[str, ...] = (
    "CLIPS", "FAULTS", "FFMPEG", "FIDELITY", "INTERRUPTS", "PROPERTIES", "SEED",
)  # fmt: skip
YAML_SUFFIXES: tuple[str, ...] = (".yaml", ".yml")
_WORDS = {"1": True, "true": True, "yes": True, "on": True,
          "0": False, "false": False, "no": False, "off": False}  # fmt: skip
_VARIABLES = "the environment"


class _NotGiven:
    """The value of an option that the command line does not name."""


NOT_GIVEN = _NotGiven()
# Options by name, that a text can give: model_id is for functions alone.
_KINDS = {item.name: str(item.type) for item in fields(StreamingConfig) if item.name != "model_id"}
# As argparse calls them; encoder_option is a list, which is empty where nothing is given.
UNGIVEN: dict[str, object] = dict.fromkeys(_KINDS.keys() - {"encoder_options"}, NOT_GIVEN)


def read_mapping(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a JSON file (.json) or a YAML file (.yaml, .yml) holds; an empty YAML file: nothing.

    Raises:
        InputNotFoundError: Nothing is there.
        InputError: It cannot be read.
        ConfigError: It is none of the two, or holds something else than names and values, or is
            YAML, and PyYAML is not installed.
    """
    name = os.fspath(path)
    suffix = Path(name).suffix.lower()
    if suffix not in (".json", *YAML_SUFFIXES):
        raise ConfigError(f"{name!r}: a configuration file ends in .json, .yaml or .yml", name)
    try:
        text = Path(name).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputNotFoundError(f"there is no configuration file {name!r}", name) from None
    except OSError as error:
        raise InputError(f"cannot read {name!r}: {error.strerror}", name) from error
    except UnicodeDecodeError:
        raise ConfigError(f"{name!r} is no text in UTF-8", name) from None
    found = _json(text, name) if suffix == ".json" else _yaml(text, name)
    if found is None and suffix != ".json":
        return {}
    if not isinstance(found, dict):
        raise ConfigError(
            f"{name!r} must hold names and values, not a {type(found).__name__}", name
        )
    return {str(key): value for key, value in found.items()}


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name!r} is no valid JSON: {error}", name) from None


def _yaml(text: str, name: str) -> Any:
    try:
        yaml: Any = importlib.import_module("yaml")
    except ImportError:
        raise ConfigError(
            f"{name!r} is YAML, and reading it needs PyYAML, which is not installed: pip install "
            "PyYAML; or write it as JSON",
            name,
        ) from None
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split())
        raise ConfigError(f"{name!r} is no valid YAML: {said}", name) from None


def from_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The options of StreamingConfig in a file; a network's path is seen from the file's folder.

    Raises:
        StreamvsrError: As read_mapping().
        ConfigError: A name is unknown; the nearest one is named.
    """
    from streamvsr.models import is_path  # brings the core, which --help does without

    options = read_mapping(path)
    for name in options:
        if name not in _KINDS:
            raise unknown(f"option in {os.fspath(path)!r}:", name, _KINDS)
    model = options.get("model")
    if isinstance(model, str) and is_path(model):
        options["model"] = os.path.join(os.path.dirname(os.fspath(path)), model)
    return options


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The options of StreamingConfig that variables STREAMVSR_<OPTION> name; empty ones do not.

    Numbers and names are written as on the command line, "none" stands for None, switches take 1,
    true, yes, on and their opposites, encoder_options is NAME=VALUE NAME=VALUE, quoted as for a
    shell.

    Raises:
        ConfigError: A name is unknown (the nearest one is named) or a value cannot be read.
    """
    return {
        option: _value(variable, option, environment[variable])
        for option, variable in _named(environment).items()
    }


def unset_words(environment: Mapping[str, str]) -> list[str]:
    """What goes before a command line that must not be changed by the variables of now."""
    names = sorted(name for name in environment if _is_option(name) and environment[name])
    words = [word for name in names for word in ("-u", name)]
    return ["env", *words] if words else []


def configured(
    given: Mapping[str, Any],
    path: str | os.PathLike[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> StreamingConfig:
    """The configuration of a command: what it names itself, else the environment, else the file.

    The encoder's further options are put together name by name, in the same order of rank.

    Args:
        given: Options of StreamingConfig.
        path: The file, or None.
        environment: The variables; None: os.environ.

    Raises:
        StreamvsrError: As from_file() and from_environment().
        ConfigError: A value cannot work; the message says where it comes from.
    """
    variables = os.environ if environment is None else environment
    layers: list[tuple[dict[str, Any], str]] = [
        ({}, "") if path is None else (from_file(path), repr(os.fspath(path))),
        (from_environment(variables), _VARIABLES),
        (dict(given), ""),
    ]
    options: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for layer, source in layers:
        for name, value in layer.items():
            if name == "encoder_options" and isinstance(value, Mapping):
                before = options.get(name)
                value = {**(before if isinstance(before, Mapping) else {}), **value}
            options[name] = value
            sources[name] = PREFIX + name.upper() if source == _VARIABLES else source
    return made(options, sources)


def made(options: Mapping[str, Any], sources: Mapping[str, str]) -> StreamingConfig:
    """A configuration; an error about an option says where that one comes from.

    Args:
        options: By name; all known.
        sources: Of options by name; "" where the user sees it himself.

    Raises:
        ConfigError: A value cannot work.
    """
    try:
        return StreamingConfig(**options)
    except ConfigError as error:
        words = str(error).replace("[", " ").split()
        named = next((word for word in words[:2] if sources.get(word)), None)
        if named is None:
            raise
        raise ConfigError(f"{error} ({sources[named]})") from None


def command_config(options: argparse.Namespace) -> StreamingConfig:
    """The configuration of `streamvsr upscale`: its words, the environment, and --config's file.

    What they leave open is as --preset and --quality say, where either is given.

    Args:
        options: Parsed, with NOT_GIVEN for what was not named.

    Raises:
        StreamvsrError: As configured().
    """
    named = {name: getattr(options, name, NOT_GIVEN) for name in _KINDS}
    given: dict[str, Any] = {name: value for name, value in named.items() if value is not NOT_GIVEN}
    if "resume" in given:
        given["resume"] = RESUME[check_name("resume", given["resume"], RESUME)]
    if options.encoder_option:
        given["encoder_options"] = dict(options.encoder_option)
    config = configured(given, getattr(options, "config", None))
    return with_preset(config, getattr(options, "preset", None), getattr(options, "quality", None))


def _is_option(variable: str) -> bool:
    return variable.startswith(PREFIX) and variable.removeprefix(PREFIX) not in NOT_OPTIONS


def _named(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables by the option they name."""
    valid = {PREFIX + name.upper(): name for name in _KINDS}
    found = {}
    for variable, text in environment.items():
        if not _is_option(variable) or not text:
            continue
        if variable not in valid:
            raise unknown("environment variable", variable, valid)
        found[valid[variable]] = variable
    return found


def _value(variable: str, option: str, text: str) -> Any:
    kind = _KINDS[option]
    word = text.strip().lower()
    if word == "none" and "None" in kind:
        return None
    try:
        if option == "resume":
            return RESUME[word] if word in RESUME else _WORDS.get(word, text)
        if kind.startswith("bool"):
            return _WORDS[word]
        if kind.startswith("int"):
            return int(word)
        if kind.startswith("float"):
            return float(word)
        if kind.startswith("Sequence"):
            return listed(text)
        if kind.startswith("Mapping"):
            return dict(pair(item) for item in shlex.split(text))
    except (KeyError, ValueError, argparse.ArgumentTypeError):
        wanted = {"b": "yes or no", "i": "a whole number", "f": "a number"}
        hint = wanted.get(kind[0], "NAME=VALUE NAME=VALUE")
        raise ConfigError(f"{variable} must be {hint}, not {text!r}") from None
    return text
