"""The package as a user sees it: names, version, and that a look at it costs little."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import streamvsr
from helpers import REPO


def test_every_name_is_there() -> None:
    for name in streamvsr.__all__:
        assert getattr(streamvsr, name) is not None
    assert set(streamvsr.__all__) <= set(dir(streamvsr))


def test_another_name_is_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'upscail'"):
        _ = streamvsr.upscail


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("pyproject.toml", r'^version = "(.+)"$'),
        ("CMakeLists.txt", r"^project\(streamvsr VERSION ([\d.]+) "),
    ],
)
def test_the_version_is_the_projects(file: str, pattern: str) -> None:
    found = re.search(pattern, (REPO / file).read_text(), re.MULTILINE)
    assert found is not None
    assert streamvsr.__version__ == found.group(1)


def test_torch_is_never_imported() -> None:
    # It alone would cost some 200 MB.
    script = (
        "import sys, streamvsr, streamvsr.api, streamvsr.models as m; m.microkernel_path();"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
