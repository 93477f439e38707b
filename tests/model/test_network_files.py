"""Network files that cannot be used: one exception of the right class that names the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from network_oracle import container, raw, srvgg, write
from streamvsr import _core
from streamvsr.errors import ModelError, StreamvsrError

Change = Callable[[dict[str, Any], dict[str, Any]], object]


def spoiled(tmp_path: Path, change: Change) -> Path:
    net = srvgg(8, 1)
    about = json.loads(json.dumps(net.description()))
    tensors = {name: raw(value, "F32") for name, value in net.tensors.items()}
    change(about, tensors)
    path = tmp_path / "net.safetensors"
    path.write_bytes(container(about, tensors))
    return path


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a, t: a.update(format=2), "format is 2"),
        (lambda a, t: a["layers"][0].update(op="gelu"), "layer 0: unknown op 'gelu'"),
        (lambda a, t: t.pop("w2"), "layer 2 (conv3x3): tensor 'w2' is missing"),
        (
            lambda a, t: t.update(w2=raw(torch.zeros(8, 9, 3, 3), "F32")),
            "(8, 9, 3, 3), not",
        ),
        (lambda a, t: t.update(b0=raw(torch.full((8,), torch.nan), "F32")), "not finite"),
        (lambda a, t: a.update(scale=4), "scale is 4"),
        (lambda a, t: a["layers"].append({"op": "relu"}), "only come last"),
        (lambda a, t: t.update(w0=("I32", [8, 1, 3, 3], bytes(288))), "I32"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, change: Change, says: str) -> None:
    path = spoiled(tmp_path, change)
    for read in (_core.network_info, _core.RowsEngine):
        with pytest.raises(ModelError) as caught:
            read(str(path))
        assert says in str(caught.value)
        assert str(path) in str(caught.value)


def test_a_torn_file_is_refused(tmp_path: Path) -> None:
    path = write(srvgg(8, 1), tmp_path / "net.safetensors")
    whole = path.read_bytes()
    for length in (0, 7, 8, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError):
            _core.network_info(str(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StreamvsrError) as caught:
        _core.network_info(str(tmp_path / "none.safetensors"))
    assert isinstance(caught.value, FileNotFoundError)
    assert "none.safetensors" in str(caught.value)
