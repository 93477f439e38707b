"""The notebooks run from first cell to last, and lie in the repository without outputs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from conftest import every_clip
from helpers import REPO
from nbclient import NotebookClient

FOLDER = REPO / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def _read(path: Path) -> Any:
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    return notebook


def _executed(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The notebook with its outputs; a cell that fails raises what it said."""
    film = next(clip for clip in every_clip() if clip.name == "bigbuckbunny.mp4")
    monkeypatch.setenv("EXAMPLE_FILM", os.fspath(film))
    monkeypatch.setenv("TMPDIR", os.fspath(folder))
    notebook = _read(FOLDER / name)
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute(cwd=os.fspath(folder))
    assert os.listdir(folder) == []
    return notebook


def _shown(notebook: Any, kind: str) -> list[str]:
    """What the cells show in one format; "stream" is what they print."""
    return [
        output["text"] if kind == "stream" else output["data"][kind]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if (
            output["output_type"] == "stream"
            if kind == "stream"
            else kind in output.get("data", {})
        )
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_kept_without_outputs(path: Path) -> None:
    for cell in _read(path).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_quickstart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = _executed("quickstart.ipynb", tmp_path, monkeypatch)
    preview, result, comparison = (
        html for html in _shown(notebook, "text/html") if 'class="streamvsr"' in html
    )
    assert preview.count("data:image/png") == result.count("data:image/png") == 2
    assert "320x180 to 640x360" in result
    assert "<svg" in result
    assert "PSNR" in comparison
    assert len(_shown(notebook, "image/png")) == 1


def test_streaming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = _executed("streaming.ipynb", tmp_path, monkeypatch)
    said = "".join(_shown(notebook, "stream"))
    assert "the same bytes: True" in said
    if "cancelled" in said:  # a fast machine may be done before
        assert "streamvsr upscale" in said
        assert "resumed frames: 0" not in said
