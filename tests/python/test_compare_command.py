"""compare(): what it refuses, which programs it runs, what they leave, and its command."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import streamvsr
from helpers import cli, cli_command, listing, make_clip, run
from quality import LOSSLESS, full_program
from streamvsr import errors
from streamvsr.programs import find_programs

# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"metrics": ["psnr", "vmfa"]}, "unknown metric 'vmfa'; did you mean 'vmaf'"),
        ({"metrics": []}, "names none"),
        ({"metrics": "psnr"}, "sequence of names"),
        ({"resize": "cubic"}, "did you mean 'bicubic'"),
    ],
)
def test_an_option_that_cannot_work_is_refused(
    pristine: Path, options: dict[str, object], words: str
) -> None:
    with pytest.raises(errors.ConfigError, match=words):
        streamvsr.compare(pristine, pristine, **options)  # type: ignore[arg-type]


def test_videos_that_cannot_be_compared_are_refused(tmp_path: Path, pristine: Path) -> None:
    def other(name: str, *options: str) -> Path:
        run(["ffmpeg", "-v", "error", "-i", pristine, *options, tmp_path / name])
        return tmp_path / name

    with pytest.raises(errors.ConfigError, match=r"yuv444p and the reference .* yuv420p"):
        streamvsr.compare(other("444.mkv", "-pix_fmt", "yuv444p", *LOSSLESS), pristine)
    with pytest.raises(errors.InputError, match="convert it to yuv444p"):
        streamvsr.compare(other("rgb.mkv", "-pix_fmt", "bgr0", *LOSSLESS), pristine)
    with pytest.raises(errors.InputNotFoundError, match="does not exist"):
        streamvsr.compare(pristine, tmp_path / "missing.mkv")
    sound = make_clip(tmp_path / "in.mkv", frames=5, audio="aac")
    with pytest.raises(errors.InputError, match="no video stream"):
        streamvsr.compare(pristine, _without_video(sound))
    gray = other("gray.mkv", "-pix_fmt", "gray", *LOSSLESS)
    with pytest.raises(errors.MissingToolError, match="libvmaf does not take gray"):
        streamvsr.compare(gray, gray, metrics=["vmaf"])
    assert list(streamvsr.compare(gray, gray, metrics=["psnr"]).metrics["psnr"].overall) == [
        "y",
        "all",
    ]


def _without_video(path: Path) -> Path:
    sound = path.with_name("sound.mkv")
    run(["ffmpeg", "-v", "error", "-i", path, "-vn", "-c", "copy", sound])
    return sound


def test_a_size_that_changes_is_an_error(tmp_path: Path) -> None:
    parts = [
        make_clip(tmp_path / f"{width}.ts", frames=10, width=width) for width in (64, 96)
    ]  # fmt: skip
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    with pytest.raises(errors.InputError, match="change their size"):
        streamvsr.compare(joined, joined, metrics=["psnr"])


# --- the programs ---------------------------------------------------------------------------------


def _program_without(folder: Path, full: str, *filters: str) -> Path:
    """The full program, but for some filters: as systems' packages of ffmpeg are."""
    path = folder / "ffmpeg"
    hidden = "|".join(f" {name} " for name in filters) or "^$"
    path.write_text(
        f'#!/bin/sh\ncase "$*" in *-filters) "{full}" "$@" | grep -vE "{hidden}";; '
        f'*) exec "{full}" "$@";; esac\n'
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def full() -> str:
    return full_program()


def test_a_metric_without_a_program_is_named(
    full: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pristine: Path
) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    program = _program_without(tmp_path, full, "libvmaf", "xpsnr")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    found = streamvsr.compare(pristine, pristine)
    assert list(found.metrics) == ["psnr", "ssim"]
    assert set(found.missing) == {"xpsnr", "vmaf", "vmaf_neg"}
    assert found.missing["vmaf"] == (f"{program} has no filter libvmaf: pip install imageio-ffmpeg")
    with pytest.raises(errors.MissingToolError, match=r"XPSNR .* pip install imageio-ffmpeg"):
        streamvsr.compare(pristine, pristine, metrics=["psnr", "xpsnr"])


def test_no_program_at_all_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pristine: Path
) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(errors.MissingToolError, match="no ffmpeg program is there"):
        streamvsr.compare(pristine, pristine)
    monkeypatch.setenv("STREAMVSR_FFMPEG", str(tmp_path / "nothing"))
    with pytest.raises(errors.MissingToolError, match="STREAMVSR_FFMPEG names"):
        streamvsr.compare(pristine, pristine)


def test_the_first_program_that_can_is_used(
    full: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pristine: Path
) -> None:
    folders = [tmp_path / name for name in ("named", "path")]
    for folder in folders:
        folder.mkdir()
    named = _program_without(folders[0], full, "ssim", "xpsnr", "libvmaf")
    on_path = _program_without(folders[1], full, "xpsnr", "libvmaf")
    packaged = find_programs()[-1].path
    monkeypatch.setenv("STREAMVSR_FFMPEG", str(named))
    monkeypatch.setenv("PATH", f"{folders[1]}:{os.environ['PATH']}")
    found = streamvsr.compare(pristine, pristine, metrics=["psnr", "ssim", "xpsnr"])
    used = [result.program for result in found.metrics.values()]
    assert used == [str(named), str(on_path), packaged]


# --- what is left, shown and written --------------------------------------------------------------


def _children(pid: int) -> list[int]:
    """The ffmpeg programs that a process started."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(word) for word in (task / "children").read_text().split()]
    return [child for child in found if b"ffmpeg" in _words(child).split(b"\0")[0]]


def _written_files(pid: int) -> set[str]:
    """Regular files that a process has open for writing."""
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            flags = int(Path(f"/proc/{pid}/fdinfo/{link.name}").read_text().split()[3], 8)
            if stat.S_ISREG(link.stat().st_mode) and flags & os.O_ACCMODE != os.O_RDONLY:
                found.add(os.readlink(link))
        except OSError:  # closed meanwhile
            continue
    return found


def test_nothing_is_written_to_disk(tmp_path: Path, long_clip: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    written: set[str] = set()

    def progress(title: str, done: int, expected: int) -> None:
        seen.append((title, done, expected))
        for child in _children(os.getpid()):
            written.update(_written_files(child))

    before = listing(tmp_path), os.getcwd()
    os.chdir(tmp_path)
    try:
        found = streamvsr.compare(long_clip, long_clip, metrics=["ssim", "vmaf"], progress=progress)
    finally:
        os.chdir(before[1])
    assert found.frames == 400
    assert listing(tmp_path) == before[0]
    assert written == set()
    for title in ("SSIM", "VMAF"):
        done = [count for name, count, _ in seen if name == title]
        assert done == sorted(done)
        assert done[-1] == 400
        assert len(done) > 1
    assert {expected for _, _, expected in seen} == {400}
    assert all(result.seconds > 0 for result in found.metrics.values())
    assert all(result.cpu_seconds > 0 for result in found.metrics.values())


def test_an_error_in_the_callback_ends_the_program(long_clip: Path) -> None:
    class Enough(Exception):
        pass

    children: list[int] = []

    def progress(title: str, done: int, expected: int) -> None:
        children.extend(_children(os.getpid()))
        raise Enough

    with pytest.raises(Enough):
        streamvsr.compare(long_clip, long_clip, progress=progress)
    assert children
    assert not any(Path(f"/proc/{child}").exists() for child in children)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_program_too(
    long_clip: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    target = tmp_path / "figures.json"
    command = cli_command(
        "compare", long_clip, long_clip, "--metrics", "vmaf_neg", "--json", target
    )
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        running: list[int] = []
        while not running and process.poll() is None:
            running = [pid for pid in _children(process.pid) if b"libvmaf=" in _words(pid)]
            time.sleep(0.005)
        assert running
        os.kill(process.pid, number)  # to it alone, as a terminal would not
        _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert said.strip() in ("streamvsr: interrupted", "streamvsr: terminated")
    assert not any(b"libvmaf=" in _words(pid) for pid in running)
    assert listing(tmp_path) == {}


def _words(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_the_command_prints_a_table_and_writes_json(
    tmp_path: Path, pristine: Path, coded: Path
) -> None:
    target = tmp_path / "figures.json"
    done = cli("compare", coded, pristine, "--metrics", "ssim,psnr", "--json", target)
    assert (done.returncode, done.stderr) == (0, "")
    first, psnr, ssim = done.stdout.splitlines()
    assert first == f"{coded} against {pristine}: 12 frames, 352x288 yuv420p"
    found = streamvsr.compare(coded, pristine, metrics=["psnr", "ssim"])
    assert psnr.split()[:3] == ["PSNR", "Y", f"{found.metrics['psnr'].overall['y']:.2f}"]
    assert ssim.split()[:3] == ["SSIM", "Y", f"{found.metrics['ssim'].overall['y']:.4f}"]
    told = json.loads(target.read_text())
    for name, result in found.metrics.items():
        assert told["metrics"][name]["overall"] == result.overall
        assert told["metrics"][name]["frames"]["y"] == result.frames["y"].tolist()

    kept = target.read_bytes()
    again = cli("compare", coded, pristine, "--metrics", "psnr", "--json", target)
    assert (again.returncode, again.stdout) == (2, "")
    assert "exists already" in again.stderr
    assert target.read_bytes() == kept
    more = cli("compare", coded, pristine, "--metrics", "psnr", "--json", target, "-y", "--quiet")
    assert (more.returncode, more.stdout, more.stderr) == (0, "", "")
    assert list(json.loads(target.read_text())["metrics"]) == ["psnr"]
    assert listing(tmp_path).keys() == {"figures.json"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--metrics", "psnr,"],
        ["--json", "nowhere/figures.json"],
        ["--json", "."],
        ["--plot", "figures.txt"],
    ],
)
def test_the_command_refuses_before_work(
    tmp_path: Path, pristine: Path, arguments: list[str]
) -> None:
    done = cli("compare", pristine, pristine, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert listing(tmp_path) == {}


def test_drawing_needs_matplotlib(
    tmp_path: Path, pristine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = streamvsr.compare(pristine, pristine, metrics=["psnr"])
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(errors.MissingToolError, match="pip install matplotlib"):
        found.plot(tmp_path / "plot.png")
    assert listing(tmp_path) == {}


def test_a_comparison_is_drawn(tmp_path: Path, pristine: Path, coded: Path) -> None:
    pytest.importorskip("matplotlib")
    found = streamvsr.compare(coded, pristine)
    found.plot(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(errors.OutputExistsError):
        found.plot(tmp_path / "plot.png")
    with pytest.raises(errors.ConfigError, match=r"\.png, \.svg or \.pdf"):
        found.plot(tmp_path / "plot.gif")
