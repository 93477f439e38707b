"""Checkpoints whose checksum is right and that no run wrote: a ResumeError, or what they say."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
import streamvsr
from hypothesis import given, settings
from hypothesis import strategies as st
from streamvsr import CheckpointManager, ResumeError
from unfinished import FAST, Unfinished

_leaf = (
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.sampled_from(["", "\0", "/", "x" * 64, "a" * 64]) | st.just(1.5)
)  # fmt: skip
_value = _leaf | st.lists(_leaf, max_size=3) | st.dictionaries(st.text(max_size=3), _leaf)


def sealed(entries: dict[str, Any]) -> str:
    """A checkpoint's text with its checksum."""
    entries = {key: value for key, value in entries.items() if key != "checksum"}
    text = json.dumps(entries, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return json.dumps({**entries, "checksum": hashlib.sha256(text.encode()).hexdigest()})


def _places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [path] if path else []
    if isinstance(value, (dict, list)):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            found += _places(inner, (*path, name))
    return found


def _with(entries: dict[str, Any], place: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    changed: Any = json.loads(json.dumps(entries))
    inner = changed
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    return dict(changed)


@settings(max_examples=150)
@given(st.data())
def test_status_of_a_wrong_checkpoint(unfinished: Unfinished, data: st.DataObject) -> None:
    name = "out.mp4.streamvsr.json"
    entries = json.loads((unfinished.folder / name).read_text())
    place = data.draw(st.sampled_from(_places(entries)))
    changed = _with(entries, place, data.draw(_value))
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "out.mp4"
        Path(f"{target}.part").write_bytes(b"x")
        target.with_name(name).write_text(sealed(changed))
        allowed: tuple[type[Exception], ...] = (
            (ResumeError, streamvsr.OutputExistsError) if place == ("magic",) else (ResumeError,)
        )
        with contextlib.suppress(*allowed):
            found = streamvsr.status(target)
            assert found is None or json.dumps(found.to_dict())


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("part", "ends"), []),
        (("part", "last_durations"), [0]),
        (("video", "recent_pts"), [7]),
        (("source", "window"), -1),
        (("source", "next_frame"), 1.5),
        (("part", "fragments"), 1 << 40),
    ],
)
def test_a_wrong_checkpoint_is_refused_before_work(
    unfinished: Unfinished, target: Path, place: tuple[str, ...], value: Any
) -> None:
    checkpoint = Path(f"{target}.streamvsr.json")
    entries = json.loads(checkpoint.read_text())
    checkpoint.write_text(sealed(_with(entries, place, value)))
    kept = Path(f"{target}.part").read_bytes()
    with pytest.raises(ResumeError) as caught:
        streamvsr.upscale(unfinished.clip, target, **FAST)
    assert caught.value.path == str(target)
    assert Path(f"{target}.part").read_bytes() == kept
    streamvsr.upscale(unfinished.clip, target, resume=False, **FAST)
    assert target.read_bytes() == unfinished.whole


@given(st.dictionaries(st.sampled_from(["frame_index", "params", "other"]), _value))
def test_an_application_checkpoint_that_was_never_saved(entries: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        manager = CheckpointManager(Path(folder) / "job.json")
        manager.save_checkpoint(1, {})
        saved = json.loads(Path(manager.path).read_text())
        kept = {name: saved[name] for name in ("magic", "version")}
        Path(manager.path).write_text(sealed({**entries, **kept}))
        with contextlib.suppress(ResumeError):
            found = manager.load_checkpoint()
            assert found is not None
            assert type(found["frame_index"]) is int
            assert 0 <= found["frame_index"] < 1 << 63
            assert isinstance(found["params"], dict)
        manager.clear_checkpoint()
