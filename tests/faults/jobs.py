"""Small jobs for fault injection: clips, reference runs, the program under the shim, the verdict.

A case is one folder with a clip and the place of its output. Whatever happens to the program there,
running the same command again must end with the file that an undisturbed run writes, and with
nothing beside it and the input.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers import ClipRecipe, cli_command, make_clip

from faults.shim import Call, Faults, build, operations, read_log

CONTAINERS = ("mp4", "mkv")
PATIENCE = 120.0  # seconds until a process counts as hung
CHECKPOINT_LIMIT = 64 << 10  # bytes


@dataclass(frozen=True)
class Job:
    """A clip and the options it is enhanced with."""

    name: str
    suffix: str  # of the input
    recipe: ClipRecipe
    options: tuple[str, ...]


def make_job(name: str, suffix: str, preset: str, seconds: str, *more: str, **recipe: Any) -> Job:
    options = ("--encoder-preset", preset, "--segment-seconds", seconds, *more)
    return Job(name, suffix, ClipRecipe(width=96, height=64, **recipe), options)


JOBS = {
    job.name: job
    for job in (
        make_job("plain", "mp4", "ultrafast", "0.5", frames=150, audio="aac", subtitles="mov_text"),
        make_job(
            "bframes", "mkv", "fast", "1", frames=150, audio="ac3", subtitles="srt", chapters=2,
            options=("-bf", "3", "-g", "40"),
        ),
        make_job(
            "vfr", "mkv", "fast", "0.5", frames=150, audio="aac", audio_offset=0.25,
            select="mod(n,7)-3", options=("-bf", "2"),
        ),
        make_job(
            "tenbit", "mkv", "fast", "0.5", frames=100, audio="aac", audio_streams=2,
            codec="libx265", pixel_format="yuv420p10le",
            options=("-x265-params", "log-level=none:keyint=30"),
        ),
        make_job("hevc", "mp4", "ultrafast", "1", "--codec", "hevc", frames=125, audio="aac"),
        # Pictures that depend on their neighbours, in another size.
        make_job(
            "fields", "mkv", "ultrafast", "0.5", "--width", "150", frames=200, audio="ac3",
            codec="mpeg2video",
            options=(
                "-vf", "tinterlace=interleave_top,setfield=tff", "-flags", "+ildct+ilme", "-g", "12"
            ),
        ),
        # Held within a disk budget all the way.
        make_job(
            "tight", "mp4", "ultrafast", "0.5", "--disk-ratio", "1.05", frames=100, audio="aac",
            options=("-vf", "noise=alls=60:allf=t", "-preset", "ultrafast"),
        ),
        # Inputs that take many reads.
        # Every picture depends on those before it: mask and temporal window.
        make_job(
            "steady", "mkv", "ultrafast", "0.5", "--preset", "theater_medium", "--quality", "high",
            frames=100, audio="aac", options=("-bf", "2"),
        ),
        make_job("wide", "mkv", "ultrafast", "0.5", frames=150, audio="aac", codec="ffv1"),
        make_job(
            "intra", "mp4", "ultrafast", "1", frames=125, audio="aac", subtitles="mov_text",
            options=("-g", "1", "-qp", "1"),
        ),
        # Sound long after the last picture.
        make_job(
            "tail", "mkv", "ultrafast", "0.5", frames=50, audio="ac3", audio_offset=3.0,
            options=("-b:a", "640k"),
        ),
        # The fewest calls that still have several segments: where every call is tried.
        make_job("short", "mp4", "ultrafast", "0.5", frames=45, audio="aac", subtitles="mov_text"),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How a process ended."""

    code: int  # negative: the signal that killed it
    said: str  # stderr


@dataclass(frozen=True)
class Reference:
    """An undisturbed run."""

    sha256: str
    size: int
    seconds: float
    calls: tuple[Call, ...]

    @property
    def operations(self) -> int:
        """How many calls change the disk or make it durable."""
        return len(operations(self.calls))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Case:
    """One folder in which a job is run, disturbed, and run again.

    Thread-safety: none. Ownership: the bench removes the folder when the case went well.
    """

    def __init__(
        self, bench: Bench, job: Job, container: str, folder: Path, clip: Path, older: bytes | None
    ) -> None:
        self.bench, self.job, self.container, self.folder = bench, job, container, folder
        self.source = folder / f"in.{clip.suffix[1:]}"
        self.output = folder / f"out.{container}"
        self.part = folder / f"out.{container}.part"
        self.checkpoint = folder / f"out.{container}.streamvsr.json"
        self.temporary = folder / f"out.{container}.streamvsr.json.tmp"
        self.log = bench.folder / f"{folder.name}.log"
        self.runs = 0
        self.clip = clip
        self.older = older
        self.damaged_sha = ""  # what an undisturbed run gives, where it is not the job's own clip
        self.restore_input()
        if older is not None:
            self.output.write_bytes(older)

    def restore_input(self) -> None:
        shutil.copy2(self.clip, self.source)

    def command(self, *more: str) -> list[str]:
        return cli_command(
            "upscale", self.source, self.output, "--quiet", "--model", "nearest",
            "--max-disk-fraction", "none",
            *self.job.options, *more, *(("--overwrite",) if self.older is not None else ()),
        )  # fmt: skip

    def start(
        self, faults: Faults | None = None, *more: str, shell: str = ""
    ) -> subprocess.Popen[str]:
        """Starts the program. shell: words of sh before it, such as "ulimit -f 8;"."""
        self.runs += 1
        command = self.command(*more)
        if shell:
            command = ["/bin/sh", "-c", f'{shell} exec "$@"', "sh", *command]
        environment = dict(os.environ)
        if faults is not None:
            environment |= faults.environment(self.bench.library, self.folder, self.source)
        return subprocess.Popen(
            command, env=environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(
        self, *plan: str, log: bool = False, data: bool = False, shell: str = "",
        more: tuple[str, ...] = (),
    ) -> Outcome:  # fmt: skip
        """Runs the program to its end, whatever that is.

        plan: what the shim does to it. log: the calls are logged, data: with what they write.
        shell: see start(). more: further options of the program.
        """
        faults = None
        if plan or log or data:
            self.log.unlink(missing_ok=True)
            faults = Faults(plan, self.log if log or data else None, data)
        return self.end(self.start(faults, *more, shell=shell))

    def end(self, program: subprocess.Popen[str]) -> Outcome:
        try:
            _, said = program.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            program.kill()
            program.communicate()
            raise AssertionError(f"{self}: no end after {PATIENCE:.0f} s") from None
        return Outcome(program.returncode, said)

    def calls(self) -> list[Call]:
        return read_log(self.log)

    def names(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}

    def __str__(self) -> str:
        return f"{self.job.name} to {self.container} in {self.folder}"

    # --- the verdict ------------------------------------------------------------------------------

    def finish(self) -> None:
        """Runs the command again and expects the undisturbed run's file, and nothing beside it.

        Where the output was in its place already, the program may say so instead.
        """
        done = self.older is None and self.output.exists()
        end = self.run()
        if end.code != 0:
            assert done, f"{self}: a clean run failed with {end.code}: {end.said}"
            assert end.code == 2, f"{self}: {end.code}: {end.said}"
            assert "exists already" in end.said, f"{self}: {end.said}"
        self.check_finished()

    def check_finished(self) -> None:
        names = self.names()
        assert names == {self.source.name, self.output.name}, f"{self}: left: {sorted(names)}"
        self.check_output()

    def check_output(self) -> None:
        assert self._is_whole(), f"{self}: other bytes than the undisturbed run's"

    def _is_whole(self) -> bool:
        expected = self.damaged_sha or self.bench.reference(self.job, self.container).sha256
        return sha256(self.output) == expected

    def check_remains(self) -> dict[str, Any] | None:
        """What must hold after any death; returns the checkpoint where there is one."""
        allowed = {self.source, self.output, self.part, self.checkpoint, self.temporary}
        foreign = self.names() - {path.name for path in allowed}
        assert not foreign, f"{self}: {sorted(foreign)}"
        if self.output.exists():
            whole = self._is_whole()
            assert whole or self.output.read_bytes() == self.older, f"{self}: an unfinished output"
        else:
            assert self.older is None, f"{self}: the older output is gone"
        if not self.checkpoint.exists():
            return None
        content = read_checkpoint(self.checkpoint)
        if self.part.exists():
            promised, there = durable_bytes(content), self.part.stat().st_size
            assert promised <= there, f"{self}: {promised} bytes promised, {there} in the .part"
        return content

    def check_complaint(self, end: Outcome) -> None:
        """A failure must be one line that names a file of the job, or its folder."""
        assert end.code > 0, f"{self}: exit {end.code}: {end.said}"
        lines = end.said.splitlines()
        assert len(lines) == 1, f"{self}: {end.said}"
        assert lines[0].startswith("streamvsr: "), f"{self}: {end.said}"
        assert os.fspath(self.folder) in lines[0], f"{self}: {end.said}"


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint as docs/checkpoint.md describes it; fails where it is anything else."""
    text = path.read_bytes()
    assert len(text) <= CHECKPOINT_LIMIT, f"{path}: {len(text)} bytes"
    try:
        content: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise AssertionError(f"{path}: {error}: {text[:100]!r}") from error
    body = {key: value for key, value in content.items() if key != "checksum"}
    compact = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert content.get("checksum") == hashlib.sha256(compact.encode()).hexdigest(), (
        f"{path}: {content}"
    )
    assert content["magic"] == "streamvsr checkpoint"
    return content


def durable_bytes(checkpoint: dict[str, Any]) -> int:
    """How much of the `.part` a checkpoint promises."""
    return max(int(checkpoint["part"]["bytes"]), int(checkpoint["final_bytes"]))


class Bench:
    """Purpose: the shim, the clips and the reference runs that cases share.

    Thread-safety: everything may be called from several threads.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.library = build(folder)
        self._lock = threading.RLock()
        self._clips: dict[str, Path] = {}
        self._references: dict[tuple[str, str], Reference] = {}

    def clip(self, job: Job) -> Path:
        with self._lock:
            if job.name not in self._clips:
                path = self.folder / f"clip-{job.name}.{job.suffix}"
                self._clips[job.name] = make_clip(path, job.recipe)
            return self._clips[job.name]

    @contextmanager
    def case(
        self, job: Job, container: str, clip: Path | None = None, older: bytes | None = None,
        parent: Path | None = None,
    ) -> Iterator[Case]:  # fmt: skip
        """A fresh folder; it stays behind where something goes wrong.

        clip: instead of the job's own. older: what the output holds before, to be overwritten.
        parent: where the folder is made instead of in the bench's own.
        """
        place = parent or self.folder
        folder = Path(tempfile.mkdtemp(prefix=f"{job.name}-{container}-", dir=place))
        case = Case(self, job, container, folder, clip or self.clip(job), older)
        yield case
        shutil.rmtree(folder)
        case.log.unlink(missing_ok=True)

    def reference(self, job: Job, container: str) -> Reference:
        """The undisturbed run of a job, made when first asked for."""
        with self._lock:
            key = (job.name, container)
            if key not in self._references:
                self._references[key] = self._undisturbed(job, container)
            return self._references[key]

    def _undisturbed(self, job: Job, container: str) -> Reference:
        with self.case(job, container) as case:
            begun = time.monotonic()
            end = case.run(log=True)
            seconds = time.monotonic() - begun
            assert end.code == 0, f"{case}: {end.said}"
            assert case.names() == {case.source.name, case.output.name}
            return Reference(
                sha256(case.output), case.output.stat().st_size, seconds, tuple(case.calls())
            )
