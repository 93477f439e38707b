"""Interruption at any moment: no hang, and the same call ends in the bytes of a run that was left
alone. Several jobs in one process.

STREAMVSR_INTERRUPTS sets how often Ctrl-C is tried (5 by default); STREAMVSR_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from helpers import cli_command, listing, make_clip, numbers
from streamvsr import ProcessResult, StoppedError, StreamingVideoProcessor

INTERRUPTS = int(os.environ.get("STREAMVSR_INTERRUPTS", "5"))
SEED = int(os.environ.get("STREAMVSR_SEED", str(random.SystemRandom().randrange(1 << 32))))
# Without a disk budget: it encodes noise like this clip's several times.
FAST: dict[str, Any] = {
    "model": "nearest", "encoder_preset": "ultrafast", "segment_seconds": 1, "disk_ratio": None,
}  # fmt: skip
FRAMES = 400


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Long enough to be interrupted anywhere: a few seconds of work."""
    folder = tmp_path_factory.mktemp("interrupt")
    return make_clip(
        folder / "in.mp4", frames=FRAMES, width=480, height=270, audio="aac", chapters=2
    )


@dataclass(frozen=True)
class WholeRun:
    """Undisturbed runs of the program."""

    seconds: float  # of the quicker one
    files: dict[str, bytes]  # what they made, by container


@pytest.fixture(scope="module")
def whole_run(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> WholeRun:
    seconds, files = [], {}
    for container in ("mp4", "mkv"):
        target = tmp_path_factory.mktemp("whole") / f"out.{container}"
        begun = time.monotonic()
        subprocess.run(_command(clip, target), check=True, capture_output=True, timeout=300)
        seconds.append(time.monotonic() - begun)
        files[container] = target.read_bytes()
        assert numbers(target) == list(range(FRAMES))
    return WholeRun(min(seconds), files)


def _command(source: Path, target: Path) -> list[str]:
    return cli_command(
        "upscale", source, target, "--model", "nearest", "--encoder-preset", "ultrafast",
        "--segment-seconds", "1", "--disk-ratio", "none",
    )  # fmt: skip


@pytest.mark.parametrize("attempt", range(INTERRUPTS))
@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_ctrl_c_at_any_moment(
    clip: Path, whole_run: WholeRun, tmp_path: Path, container: str, attempt: int
) -> None:
    print(f"STREAMVSR_SEED={SEED}")
    moment = random.Random(f"{SEED} {container} {attempt}").uniform(0.0, whole_run.seconds)
    target = tmp_path / f"out.{container}"
    program = subprocess.Popen(
        _command(clip, target), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        # The first line comes when the job is planned; before it Python itself is still starting.
        assert program.stderr is not None
        assert program.stderr.readline()
        time.sleep(moment)
        program.send_signal(signal.SIGINT)
        asked = time.monotonic()
        _, said = program.communicate(timeout=20)
        took = time.monotonic() - asked
    finally:
        program.kill()
        program.wait()
    assert "Traceback" not in said
    if program.returncode != 0:
        assert program.returncode == 130, said
        assert "interrupted" in said
        assert took < 5, f"{took:.2f} s to stop after {moment:.2f} s"
    left = _remains(tmp_path, target)
    if not target.exists():  # else the output was complete before the interrupt came
        assert program.returncode == 130
        assert ("are safe in" if left else "nothing is kept") in said
        again = subprocess.run(_command(clip, target), capture_output=True, text=True, timeout=300)
        assert again.returncode == 0, again.stderr
        assert ("by an earlier run" in again.stdout) == left
    elif program.returncode != 0:
        assert "was complete by then" in said
    assert listing(tmp_path).keys() == {target.name}
    assert target.read_bytes() == whole_run.files[container]


def _remains(folder: Path, target: Path) -> bool:
    """Whether a job left something to go on with; holds that nothing else lies in its folder."""
    left = listing(folder).keys() - {target.name}
    assert left in (set(), {f"{target.name}.part", f"{target.name}.streamvsr.json"})
    return bool(left)


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.5])
def test_stop_from_another_thread(
    clip: Path, whole_run: WholeRun, tmp_path: Path, delay: float
) -> None:
    processor = StreamingVideoProcessor(FAST)
    results: list[ProcessResult] = []
    before = _threads()
    worker = threading.Thread(
        target=lambda: results.append(processor.process(clip, tmp_path / "out.mp4", None, None))
    )
    worker.start()
    time.sleep(delay)
    asked = time.monotonic()
    processor.stop()
    worker.join(timeout=20)
    took = time.monotonic() - asked
    assert not worker.is_alive()
    if results[0].success:  # stop() came before the job had begun
        assert delay == 0
        return
    assert took < 1, f"{took:.2f} s to stop"
    assert isinstance(results[0].exception, StoppedError)
    left = _remains(tmp_path, tmp_path / "out.mp4")
    kept = f"{tmp_path / 'out.mp4'}.streamvsr.json" if left else None
    assert results[0].checkpoint_path == kept
    patience = time.monotonic() + 1
    while _threads() - before and time.monotonic() < patience:
        time.sleep(0.01)
    assert _threads() - before == set()
    again = processor.process(clip, tmp_path / "out.mp4", None, None)
    assert again.success, again.error
    assert (again.performance_report["resumed_frames"] > 0) == left
    assert listing(tmp_path).keys() == {"out.mp4"}
    assert (tmp_path / "out.mp4").read_bytes() == whole_run.files["mp4"]


def _threads() -> set[str]:
    """The threads of this process, by the system's numbers."""
    return set(os.listdir("/proc/self/task"))


def test_a_stopped_processor_works_again(clip: Path, tmp_path: Path) -> None:
    processor = StreamingVideoProcessor(FAST)
    processor.stop()
    result = processor.process(clip, tmp_path / "out.mp4", None, None)
    assert result.success, result.error


def test_several_at_once_give_what_one_gives(clip: Path, tmp_path: Path) -> None:
    processor = StreamingVideoProcessor(FAST)
    alone = processor.process(clip, tmp_path / "alone.mp4")
    assert alone.success, alone.error
    results: dict[str, ProcessResult] = {}

    def work(name: str, own: bool) -> None:
        worker = StreamingVideoProcessor(FAST) if own else processor
        results[name] = worker.process(clip, tmp_path / name)

    threads = [
        threading.Thread(target=work, args=(f"{n}.mp4", n % 2 == 0), daemon=True) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=300)
    assert [results[f"{n}.mp4"].error for n in range(4)] == [None] * 4
    expected = (tmp_path / "alone.mp4").read_bytes()
    for n in range(4):
        assert (tmp_path / f"{n}.mp4").read_bytes() == expected


def test_stopping_one_leaves_the_other(clip: Path, tmp_path: Path) -> None:
    first, second = StreamingVideoProcessor(FAST), StreamingVideoProcessor(FAST)
    results: dict[str, ProcessResult] = {}
    threads = [
        threading.Thread(
            target=lambda p=processor, n=name: results.update({n: p.process(clip, tmp_path / n)}),
            daemon=True,
        )
        for processor, name in ((first, "1.mp4"), (second, "2.mp4"))
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    first.stop()
    for thread in threads:
        thread.join(timeout=300)
    assert isinstance(results["1.mp4"].exception, StoppedError)
    assert results["2.mp4"].success, results["2.mp4"].error
    assert results["2.mp4"].checkpoint_path is None
    assert listing(tmp_path).keys() - {"1.mp4.part", "1.mp4.streamvsr.json"} == {"2.mp4"}
