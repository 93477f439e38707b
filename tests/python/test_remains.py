"""What an interrupted job leaves: what is said of it, what goes on with it, how it is removed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import streamvsr
from helpers import cli, cli_command, listing, numbers
from streamvsr import StreamingVideoProcessor, errors
from unfinished import FAST, FRAMES, LEFT, WORDS, Unfinished, run_command, running_job, status_of

# --- status ---------------------------------------------------------------------------------------


def test_status_says_what_is_done(unfinished: Unfinished, target: Path) -> None:
    found = status_of(target)
    assert (found.output, found.input) == (str(target), str(unfinished.clip))
    assert (found.stage, found.input_state, found.writer, found.mixed) == (
        "running", "unchanged", None, False,
    )  # fmt: skip
    assert (found.frames_total, found.segments_total) == (FRAMES, 4)
    assert 1 <= found.segments_done <= 3
    assert found.frames_done == 25 * found.segments_done
    assert found.percent == found.frames_done
    assert found.part_bytes == found.durable_bytes == Path(found.part_path).stat().st_size
    assert {Path(found.part_path).name, Path(found.checkpoint_path).name} == LEFT
    assert found.saved.timestamp() == pytest.approx(Path(found.checkpoint_path).stat().st_mtime)
    assert found.parameters["codec"] == "h264"
    assert found.environment["streamvsr"] == streamvsr.__version__
    assert found.options == streamvsr.StreamingConfig(**FAST).to_dict()
    rest = len(unfinished.whole) - found.durable_bytes
    assert found.remaining_bytes == pytest.approx(rest, rel=0.5)
    assert json.loads(json.dumps(found.to_dict()))["percent"] == found.percent


def test_the_command_goes_on(unfinished: Unfinished, target: Path) -> None:
    done = status_of(target).frames_done
    result = streamvsr.upscale(unfinished.clip, target, resume=True, **FAST)
    assert result.performance_report["resumed_frames"] == done
    assert target.read_bytes() == unfinished.whole
    for name in LEFT:
        shutil.copy(unfinished.folder / name, target.with_name(name))
    target.unlink()
    run_command(status_of(target).command)
    assert target.read_bytes() == unfinished.whole
    assert listing(target.parent).keys() == {"out.mp4"}


def test_the_command_goes_on_from_another_folder(
    unfinished: Unfinished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    shutil.copy(unfinished.clip, there / "-in film.mp4")
    (network,) = (model.path for model in streamvsr.packaged_models())
    shutil.copy(network, there / "net's.safetensors")
    words = ["--model", "net's.safetensors", "--encoder-option", "bf=0", "--codec", "hevc",
             "--crf", "22.5", "--container", "mkv", "--resume", "no", *WORDS[2:]]  # fmt: skip
    assert cli("upscale", "./-in film.mp4", "whole", *words, cwd=there).returncode == 0
    room = (there / "whole").stat().st_size * 6 // 10
    assert cli("upscale", "./-in film.mp4", "out", *words, cwd=there, room=room).returncode == 1
    monkeypatch.chdir(tmp_path)
    found = status_of(Path("there/out"))
    assert found.keeps_work
    assert found.input_state == "unchanged"
    assert "--resume" not in str(found.command)
    monkeypatch.chdir(there)
    assert "upscale './-in film.mp4' out " in str(status_of(Path("out")).command)
    monkeypatch.chdir("/")
    report = json.loads(cli("status", there / "out", "--json").stdout)
    run_command(report["command"])
    assert (there / "out").read_bytes() == (there / "whole").read_bytes()
    assert streamvsr.status(there / "out") is None


def test_status_on_the_command_line(unfinished: Unfinished, target: Path) -> None:
    found = status_of(target)
    done = cli("status", target)
    assert done.returncode == 0
    assert done.stderr == ""
    for word in (
        f"{found.frames_done} of about 100 frames", f"{found.percent:.1f} %",
        f"{found.segments_done} of about 4 segments", "of the same size", "crf", "writer   none",
    ):  # fmt: skip
        assert word in done.stdout
    assert done.stdout.splitlines()[-1].strip() == found.command
    for name in LEFT:  # what tab completion offers
        assert cli("status", target.with_name(name)).stdout == done.stdout
    told = json.loads(cli("status", target, "--json").stdout)
    assert told == {"output_bytes": None, "unfinished": True, **found.to_dict()}


def test_nothing_unfinished(tmp_path: Path, small_clip: Path) -> None:
    target = tmp_path / "out.mp4"
    assert streamvsr.status(target) is None
    assert streamvsr.clean(target) == []
    for is_there in (False, True):
        if is_there:
            streamvsr.upscale(small_clip, target, **FAST)
        for command in ("status", "clean"):
            done = cli(command, target)
            assert (done.returncode, done.stderr) == (0, "")
            assert "nothing unfinished" in done.stdout
            assert ("complete" in done.stdout) == is_there
        told = json.loads(cli("status", target, "--json").stdout)
        size = target.stat().st_size if is_there else None
        assert told == {"output": str(target), "output_bytes": size, "unfinished": False}


def test_status_minds_the_input(unfinished: Unfinished, tmp_path: Path) -> None:
    clip = Path(shutil.copy(unfinished.clip, tmp_path / "in.mp4"))
    target = tmp_path / "out.mp4"
    assert cli("upscale", clip, target, *WORDS, room=len(unfinished.whole) // 2).returncode == 1
    data = clip.read_bytes()
    clip.write_bytes(data[:-1])
    assert status_of(target).input_state == "changed"
    assert "size is not what it was" in cli("status", target).stdout
    clip.unlink()
    assert status_of(target).input_state == "missing"
    assert "not there" in cli("status", target).stdout
    clip.write_bytes(data)
    run_command(status_of(target).command)
    assert target.read_bytes() == unfinished.whole


def test_a_part_that_lost_its_end(unfinished: Unfinished, target: Path) -> None:
    part = Path(status_of(target).part_path)
    os.truncate(part, part.stat().st_size - 1)
    assert not status_of(target).keeps_work
    said = cli("status", target).stdout
    assert "lost its end" in said
    assert "streamvsr upscale" not in said
    result = StreamingVideoProcessor(FAST).process(unfinished.clip, target)
    assert isinstance(result.exception, errors.ResumeError)
    assert result.checkpoint_path is None
    assert listing(target.parent).keys() == LEFT


# --- going on -------------------------------------------------------------------------------------


def test_a_failure_names_its_checkpoint(unfinished: Unfinished, target: Path) -> None:
    result = StreamingVideoProcessor({**FAST, "crf": 30}).process(unfinished.clip, target)
    assert isinstance(result.exception, errors.ResumeError)
    assert "crf was 'the codec's default' and is '30'" in str(result.error)
    assert "resume=False" in str(result.error)
    assert result.checkpoint_path == status_of(target).checkpoint_path
    done = cli("upscale", unfinished.clip, target, *WORDS, "--crf", "30")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    result = StreamingVideoProcessor({**FAST, "crf": 30, "resume": False}).process(
        unfinished.clip, target
    )
    assert result.success, result.error
    assert result.performance_report["resumed_frames"] == 0
    assert result.checkpoint_path is None


def test_resume_yes_demands_something(unfinished: Unfinished, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    with pytest.raises(errors.ResumeError, match="nothing to go on with"):
        streamvsr.upscale(unfinished.clip, target, resume=True, **FAST)
    done = cli("upscale", unfinished.clip, target, *WORDS, "--resume", "yes")
    assert done.returncode == 2
    assert listing(tmp_path) == {}


def test_another_processor_needs_frames(unfinished: Unfinished, target: Path) -> None:
    elsewhere = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = cli("upscale", unfinished.clip, target, *WORDS, env=elsewhere)
    assert done.returncode == 2
    assert "--resume frames" in done.stderr
    done = cli("upscale", unfinished.clip, target, *WORDS, "--resume", "frames", env=elsewhere)
    assert done.returncode == 0, done.stderr
    assert "different libraries or processors" in done.stderr
    assert numbers(target) == list(range(FRAMES))


def test_the_summary_and_the_bar_tell_old_from_new(
    unfinished: Unfinished, target: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = status_of(target).frames_done
    kept = {name: target.with_name(name).read_bytes() for name in LEFT}
    done = cli("upscale", unfinished.clip, target, *WORDS)
    assert f"100 frames, {before} of them by an earlier run" in done.stdout
    assert f"{before} frames are done" in done.stderr
    target.unlink()
    for name, data in kept.items():
        target.with_name(name).write_bytes(data)
    result = streamvsr.upscale(unfinished.clip, target, progress=True, **FAST)
    report = result.performance_report
    assert report["frames_per_second"] == pytest.approx((FRAMES - before) / report["seconds"])
    shown = capfd.readouterr().err
    assert f"going on at frame {before}" in shown
    assert f"| {before}/100" in shown
    assert "| 0/100" not in shown
    assert "100/100" in shown


# --- a job that is under way ----------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_says_what_goes_on(
    tmp_path: Path, long_clip: Path, number: signal.Signals, code: int
) -> None:
    target = tmp_path / "out.mp4"
    with running_job(long_clip, target) as program:
        program.send_signal(number)
        _, said = program.communicate(timeout=60)
    assert program.returncode == code
    found = status_of(target)
    assert f"the first {found.frames_done} of about 400 frames are safe in" in said
    assert said.splitlines()[-1].strip() == found.command
    run_command(found.command)
    assert numbers(target) == list(range(400))
    assert listing(tmp_path).keys() == {"out.mp4"}


def test_an_interrupt_before_the_first_segment_says_so(tmp_path: Path, long_clip: Path) -> None:
    words = cli_command("upscale", long_clip, tmp_path / "out.mp4", "--segment-seconds", "600")
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr is not None
        assert program.stderr.readline()  # it is planned
        program.send_signal(signal.SIGINT)
        _, said = program.communicate(timeout=60)
    assert program.returncode == 130
    assert "nothing is kept" in said
    assert listing(tmp_path) == {}


def test_a_writer_is_left_alone(tmp_path: Path, long_clip: Path) -> None:
    target = tmp_path / "out.mp4"
    with running_job(long_clip, target) as program:
        program.send_signal(signal.SIGSTOP)
        assert status_of(target).writer == program.pid
        said = cli("status", target).stdout
        assert f"process {program.pid} is writing it now" in said
        assert "this goes on" not in said
        with pytest.raises(errors.OutputBusyError, match=f"pid {program.pid}"):
            streamvsr.clean(target)
        with pytest.raises(errors.OutputBusyError, match=f"pid {program.pid}"):
            streamvsr.upscale(long_clip, target, **FAST)
        done = cli("clean", target, "-y")
        assert done.returncode == 2
        assert str(program.pid) in done.stderr
        assert "end it first" in done.stderr
        result = StreamingVideoProcessor(FAST).process(long_clip, target)
        assert result.checkpoint_path is None  # it is the other process's
        assert listing(tmp_path).keys() == LEFT
    assert status_of(target).writer is None
    run_command(status_of(target).command)
    assert numbers(target) == list(range(400))
