"""CheckpointManager: what was saved comes back equal, or nothing does."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import string
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from faults.shim import Faults, build, operations, read_log
from helpers import listing
from hypothesis import given
from hypothesis import strategies as st
from streamvsr import CheckpointManager, ConfigError, OutputError, OutputExistsError, ResumeError

MOST = 64 << 10  # bytes

_text = st.text(max_size=30)
_leaf = (
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | _text
    | st.floats(allow_nan=False, allow_infinity=False)
)  # fmt: skip
_value = st.recursive(
    _leaf, lambda inner: st.lists(inner) | st.dictionaries(_text, inner), max_leaves=20
)
_params = st.dictionaries(_text, _value, max_size=6)


def _exactly(value: Any) -> str:
    """Tells 1 from 1.0 and from True, and 0.0 from -0.0, unlike ==."""
    return json.dumps(value, sort_keys=True)


@pytest.fixture
def manager(tmp_path: Path) -> CheckpointManager:
    return CheckpointManager(tmp_path / "job.json")


@given(st.integers(0, (1 << 63) - 1), _params)
def test_what_was_saved_comes_back_equal(frame: int, params: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        manager = CheckpointManager(Path(folder) / "job.json")
        assert manager.load_checkpoint() is None
        manager.save_checkpoint(0, {"older": True})
        manager.save_checkpoint(frame, params)
        loaded = CheckpointManager(manager.path).load_checkpoint()
        assert _exactly(loaded) == _exactly({"frame_index": frame, "params": params})
        assert os.listdir(folder) == ["job.json"]
        manager.clear_checkpoint()
        assert manager.load_checkpoint() is None
        assert os.listdir(folder) == []
        manager.clear_checkpoint()


def test_the_file_is_what_the_documents_say(manager: CheckpointManager) -> None:
    manager.save_checkpoint(np.int64(250), {"b": (1, "zwölf"), "a": {"x": 0.1}})
    entries = json.loads(Path(manager.path).read_bytes())
    checksum = entries.pop("checksum")
    assert entries == {
        "magic": "streamvsr application checkpoint",
        "version": 1,
        "frame_index": 250,
        "params": {"a": {"x": 0.1}, "b": [1, "zwölf"]},
    }
    text = json.dumps(entries, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert checksum == hashlib.sha256(text.encode()).hexdigest()


def test_the_limit_of_its_size_is_met_to_the_byte(manager: CheckpointManager) -> None:
    manager.save_checkpoint(0, {"x": ""})
    room = MOST - os.path.getsize(manager.path)
    manager.save_checkpoint(1, {"x": "y" * room})
    assert os.path.getsize(manager.path) == MOST
    with pytest.raises(ConfigError, match=f"{MOST + 1} bytes, above the limit of {MOST}"):
        manager.save_checkpoint(2, {"x": "y" * (room + 1)})
    loaded = manager.load_checkpoint()
    assert loaded is not None
    assert loaded["frame_index"] == 1


@pytest.mark.parametrize(
    "data",
    [b"frame", bytearray(4), memoryview(b"x"), np.zeros((2, 2), np.uint8), torch.zeros(2, 2)],
    ids=lambda data: type(data).__name__,
)
def test_frames_are_refused(manager: CheckpointManager, data: Any) -> None:
    for params in ({"frame": data}, {"deep": [{"er": (data,)}]}):
        with pytest.raises(TypeError, match=r"params\['(frame|deep)'\].* is data .*never frames"):
            manager.save_checkpoint(0, params)
    assert manager.load_checkpoint() is None


_LOOP: list[Any] = []
_LOOP.append(_LOOP)


@pytest.mark.parametrize(
    ("frame", "params", "error", "words"),
    [
        (-1, {}, ConfigError, "not -1"),
        (1 << 63, {}, ConfigError, "below 2"),
        (True, {}, TypeError, "not bool"),
        (1.0, {}, TypeError, "not float"),
        (0, [1], TypeError, "must be a mapping"),
        (0, {1: 2}, TypeError, "names in params must be str"),
        (0, {"x": {"y": {2: 3}}}, TypeError, r"names in params\['x'\]\['y'\]"),
        (0, {"x": float("nan")}, ConfigError, r"params\['x'\] is nan"),
        (0, {"x": [1 << 64]}, ConfigError, r"params\['x'\]\[0\] must fit into 64 bits"),
        (0, {"x": "\udcff"}, ConfigError, "no Unicode text"),
        (0, {"\udcff": 1}, ConfigError, "no Unicode text"),
        (0, {"x": Path("a")}, TypeError, "Path, which JSON cannot hold"),
        (0, {"x": _LOOP}, ConfigError, "nested deeper"),
    ],
)
def test_what_has_no_place_in_it(
    manager: CheckpointManager, frame: Any, params: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        manager.save_checkpoint(frame, params)
    assert not os.path.exists(manager.path)


def test_a_torn_or_altered_file_never_loads_as_something_else(manager: CheckpointManager) -> None:
    path = Path(manager.path)
    saved = {"frame_index": 77, "params": {"crf": 17.5, "names": ["a", "b"], "deep": {"x": None}}}
    manager.save_checkpoint(77, saved["params"])  # type: ignore[arg-type]
    whole = path.read_bytes()
    damaged = [whole[:length] for length in range(len(whole) - 1)]
    damaged += [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(len(whole))]
    damaged += [bytes(len(whole)), whole[:-20] + bytes(20), whole + whole]
    refused = []
    for data in damaged:
        path.write_bytes(data)
        try:
            assert manager.load_checkpoint() == saved
        except ResumeError as error:
            refused.append(str(error))
    for words in refused:
        assert manager.path in words
        assert "clear_checkpoint()" in words or "another path" in words
    assert len(refused) > len(damaged) - 20  # white space does not count
    path.write_bytes(whole[: len(whole) // 2])
    Path(f"{path}.tmp").write_bytes(whole[:30])
    manager.clear_checkpoint()
    assert listing(path.parent) == {}


def test_another_version_is_refused_by_its_number(manager: CheckpointManager) -> None:
    manager.save_checkpoint(1, {})
    path = Path(manager.path)
    path.write_text(path.read_text().replace('"version": 1', '"version": 9'))
    with pytest.raises(ResumeError, match=r"version 9, .* reads version 1; clear_checkpoint"):
        manager.load_checkpoint()


@pytest.mark.parametrize("name", ["job.json", "job.json.tmp"])
@pytest.mark.parametrize(
    "text", ['{"half": "a download"}', '{\n "magic": "streamvsr checkpoint",\n "version": 2\n}\n']
)
def test_foreign_files_are_untouched(manager: CheckpointManager, name: str, text: str) -> None:
    folder = Path(manager.path).parent
    (folder / name).write_text(text)
    before = listing(folder)
    with pytest.raises(OutputExistsError, match="is in the way"):
        manager.save_checkpoint(0, {})
    with pytest.raises(OutputExistsError, match="is in the way"):
        manager.clear_checkpoint()
    if name == "job.json":
        with pytest.raises(ResumeError, match="give another path"):
            manager.load_checkpoint()
    assert listing(folder) == before


def test_a_path_must_name_a_file(tmp_path: Path) -> None:
    for path in ("", tmp_path, f"{tmp_path}/new/"):
        with pytest.raises(ConfigError, match="must name a file"):
            CheckpointManager(path)
    with pytest.raises(OutputError, match="missing"):
        CheckpointManager(tmp_path / "missing" / "job.json").save_checkpoint(0, {})
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputExistsError):
        CheckpointManager(link).save_checkpoint(0, {})
    assert not (tmp_path / "elsewhere").exists()


_SAVE = f"""
import sys, streamvsr
streamvsr.CheckpointManager(sys.argv[1]).save_checkpoint(2, {{"new": {string.ascii_letters!r}}})
"""


def test_a_kill_leaves_the_old_or_the_new_one(tmp_path: Path) -> None:
    library = build(tmp_path)
    folder = tmp_path / "job"
    folder.mkdir()
    manager = CheckpointManager(folder / "job.json")
    old = {"frame_index": 1, "params": {"old": True}}
    new = {"frame_index": 2, "params": {"new": string.ascii_letters}}

    def save(plan: str = "", log: Path | None = None) -> int:
        faults = Faults((plan,) if plan else (), log)
        return subprocess.run(
            [sys.executable, "-c", _SAVE, manager.path],
            env={**os.environ, **faults.environment(library, folder, tmp_path / "none")},
        ).returncode

    log = tmp_path / "log"
    assert save(log=log) == 0
    calls = [call.kind for call in operations(read_log(log))]
    # The data is durable before it has the name, and the name before the call returns.
    written = max(at for at, kind in enumerate(calls) if kind.endswith("write"))
    rename = next(at for at, kind in enumerate(calls) if kind.startswith("rename"))
    assert "fsync" in calls[written:rename]
    assert "fsync" in calls[rename:]
    for number in range(1, len(calls) + 1):
        for moment in ("before", "torn", "after"):
            if moment == "torn" and number - 1 != written:
                continue
            manager.save_checkpoint(1, {"old": True})
            assert save(f"op {number} kill-{moment}") == -signal.SIGKILL
            renamed = number - 1 > rename or (number - 1 == rename and moment == "after")
            assert manager.load_checkpoint() == (new if renamed else old)
    manager.clear_checkpoint()
    assert listing(folder) == {}
