"""Other users of libtorch's information about a thread are left alone by the CPU's account."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
TORCH = Path(torch.__file__).parent

# In a process of its own: a wrong cast may end it.
PROGRAM = """
import ctypes, sys, torch
from streamvsr import GPUMemoryManager
foreign = ctypes.CDLL(sys.argv[1])
foreign.leave.restype = ctypes.c_bool
manager = GPUMemoryManager(device="cpu")
net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.PixelShuffle(2)).eval()
manager.load_model_once(net)
frame = torch.randint(0, 256, (1, 300, 400), dtype=torch.uint8)
before = manager.process_frame_tensor(frame)
held = manager.vram_usage_mb
foreign.enter()
small, large = torch.full((100,), 1.0), torch.full((1 << 20,), 2.0)
assert manager.vram_usage_mb == held
after = manager.process_frame_tensor(frame)
assert foreign.leave()
assert float(small.sum()) == 100 and float(large.sum()) == 2 << 20
assert bool((before == after).all())
assert manager.vram_usage_mb == held
"""


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("foreign") / "foreign.so"
    command = ["g++", "-std=c++20", "-shared", "-fPIC", "-o", str(library)]
    command += [str(HERE / "foreign_context.cpp"), f"-I{TORCH}/include"]
    subprocess.run([*command, f"-L{TORCH}/lib", "-lc10"], check=True)
    return library


def test_foreign_information_about_a_thread_is_left_alone(foreign: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(foreign)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
