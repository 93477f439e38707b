"""The check of the notes finds what it is there to find."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from helpers import REPO


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_notes", REPO / "tools/check_notes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("citation", "fault"),
    [
        ("// See Note [here].", None),
        ("// See Note [here] in a.h.", None),
        ("// See Note [here] in cpp/base/a.h.", None),
        ("// See Note [gone].", "no Note [gone]"),
        ("int x;  // Note [gone]", "no Note [gone]"),
        ("// See Note [here] in b.h.", "not in b.h"),
        ("// See Note [here]\n// in b.h.", "not in b.h"),
        ("// Note [here]: once more.", "is in cpp/base/a.h, too"),
    ],
)
def test_a_citation_is_judged(
    check: ModuleType, tmp_path: Path, citation: str, fault: str | None
) -> None:
    base = tmp_path / "cpp" / "base"
    base.mkdir(parents=True)
    (base / "a.h").write_text("// Purpose: none.\n//\n// Note [here]: why it is so.\n")
    (base / "b.h").write_text(f"{citation}\n")
    found = check.faults(tmp_path)
    assert len(found) == (fault is not None)
    assert all(fault in line for line in found)


def test_every_note_that_is_cited_exists() -> None:
    done = subprocess.run(
        [sys.executable, REPO / "tools/check_notes.py"], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("", 0)
