"""What an interrupted job left beside its output: how far it is, what goes on with it, its removal.

docs/checkpoint.md says what these files hold.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timezone
from typing import Any

from streamvsr import _core
from streamvsr.command import upscale_command
from streamvsr.config import StreamingConfig
from streamvsr.errors import ConfigError, StreamvsrError
from streamvsr.models import is_path
from streamvsr.networks import described
from streamvsr.settings import unset_words

PathInput = str | os.PathLike[str]


@dataclass(frozen=True, kw_only=True)
class LiveProgress:
    """How far a job is that runs now, as its process says.

    Attributes:
        frames_done: Frames that the network has done, in this run and earlier ones.
        frames_written: Of them, frames that are encoded.
        frames_total: Estimate of all frames.
        resumed_frames: Of frames_done, frames of earlier runs.
        segments_done: Whole segments in the file.
        finishing: True once the network has done all frames.
        seconds: Time since the run began.
    """

    frames_done: int
    frames_written: int
    frames_total: int
    resumed_frames: int
    segments_done: int
    finishing: bool
    seconds: float


@dataclass(frozen=True, kw_only=True)
class JobStatus:
    """An unfinished job: what it has done and what it needs.

    Attributes:
        output: The output as it was asked for.
        stage: "running": segments are missing. "finishing": every frame is in the file, which is
            to become an ordinary one. "committed": it is one, and only its name is missing.
        input: Path of the source; as the run was given it, or absolute where another folder is the
            current one.
        input_state: "unchanged": it has the size it had; the next run compares its content.
            "changed": another size. "missing": nothing is there.
        frames_done: Frames that a later run need not do again.
        frames_total: Estimate.
        segments_done: Segments that are whole.
        segments_total: Estimate.
        part_path: The growing file.
        part_bytes: Its size, a torn tail included; 0 where it is gone.
        durable_bytes: Bytes of it that later runs keep.
        checkpoint_path: The checkpoint.
        saved: When the checkpoint was last written, UTC.
        writer: Number of the process that is writing it now; None where the system names none.
        live: How far that process is; None where none is writing, and where
            it cannot be asked: on another machine, in another container, of another user.
        parameters: What decides the output, by name.
        environment: Libraries and processor, which may change its bytes, by name.
        mixed: True when runs under different environments added to it.
        options: The options of StreamingConfig that the run was given.
        remaining_bytes: Estimate of the space that the rest needs; None while nothing is done.
        command: The command line that goes on with it; None where the network was an object of
            Python's, and where the options are those of another
            version.
    """

    output: str
    stage: str
    input: str
    input_state: str
    frames_done: int
    frames_total: int
    segments_done: int
    segments_total: int
    part_path: str
    part_bytes: int
    durable_bytes: int
    checkpoint_path: str
    saved: datetime
    writer: int | None
    live: LiveProgress | None
    parameters: Mapping[str, str]
    environment: Mapping[str, str]
    mixed: bool
    options: Mapping[str, Any]
    remaining_bytes: int | None
    command: str | None

    @property
    def percent(self) -> float:
        """Frames done, in per cent of the estimate: of a running job those that the network has
        done, else those that later runs keep.
        """
        if self.stage != "running":
            return 100.0
        done = self.frames_done if self.live is None else self.live.frames_done
        return min(100.0, 100.0 * done / max(1, self.frames_total))

    @property
    def keeps_work(self) -> bool:
        """True when a later run has something to go on with: a whole segment in the file."""
        return 0 < self.durable_bytes <= self.part_bytes

    def to_dict(self) -> dict[str, Any]:
        """Everything by name, fit for JSON."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        values["live"] = None if self.live is None else asdict(self.live)
        return {**values, "saved": self.saved.isoformat(), "percent": round(self.percent, 2)}


def status(output: PathInput) -> JobStatus | None:
    """What an unfinished job on an output has done and needs; None where there is none.

    Changes nothing, and may be asked while the job runs.

    Raises:
        ResumeError: There is a checkpoint, but it is torn, altered or of another version.
        OutputExistsError: What lies where an unfinished output would is none of streamvsr's.
    """
    core = _core.job_status(os.fspath(output))
    if core is None or (core.stage == "committed" and core.part_bytes == 0):
        return None  # killed behind the rename: only the checkpoint is left
    try:
        saved = os.stat(core.checkpoint_path).st_mtime
    except FileNotFoundError:  # it was finished meanwhile
        return None
    options = json.loads(core.options)
    folder = options.pop("directory", "")
    # Nobody's folder: a run wrote it as text without a zero byte.
    if not isinstance(folder, str) or "\0" in folder:
        folder = ""
    source = _seen_from_here(core.input, folder)
    rest = max(0, core.frames_total - core.frames_done) if core.stage == "running" else 0
    return JobStatus(
        output=core.output,
        stage=core.stage,
        input=source,
        input_state=_input_state(source, core.input_identity["size"]),
        frames_done=core.frames_done,
        frames_total=core.frames_total,
        segments_done=core.segments_done,
        segments_total=core.segments_total,
        part_path=core.part_path,
        part_bytes=core.part_bytes,
        durable_bytes=core.durable_bytes,
        checkpoint_path=core.checkpoint_path,
        saved=datetime.fromtimestamp(saved, timezone.utc),
        writer=core.writer or None,
        live=_live(core.live),
        parameters=core.job,
        environment=core.environment,
        mixed=core.mixed,
        options=options,
        remaining_bytes=core.durable_bytes * rest // core.frames_done if core.frames_done else None,
        command=_command(source, core.output, options, folder),
    )


def _live(state: _core.LiveState | None) -> LiveProgress | None:
    if state is None:
        return None
    return LiveProgress(**{item.name: getattr(state, item.name) for item in fields(LiveProgress)})


def clean(output: PathInput) -> list[str]:
    """Removes what an unfinished job left beside an output, never the output itself.

    Returns the paths that were removed; none where nothing was left.

    Raises:
        OutputBusyError: A process is writing it.
        OutputExistsError: What lies there is none of streamvsr's; it stays.
        OutputError: The system refused.
    """
    return _core.remove_remains(os.fspath(output))


def leftovers(output: PathInput) -> dict[str, int]:
    """The files that clean() would remove, with their sizes in bytes."""
    checkpoint = _core.checkpoint_path(os.fspath(output))
    sizes = {}
    for path in (_core.part_path(os.fspath(output)), checkpoint, f"{checkpoint}.tmp"):
        if os.path.lexists(path):
            sizes[path] = os.lstat(path).st_size
    return sizes


def kept_checkpoint(output: str | None) -> str | None:
    """The checkpoint from which a job that has just failed goes on; None where there is none."""
    if output is None:
        return None
    try:
        found = status(output)
    except StreamvsrError:
        return None
    if found is None or found.writer is not None or not found.keeps_work:
        return None
    return found.checkpoint_path


def options_text(config: StreamingConfig) -> str:
    """What a checkpoint keeps of a configuration, as JSON: the options and the current folder."""
    options = described(config.to_dict())
    if isinstance(config.model, os.PathLike) and not is_path(options["model"]):
        options["model"] = os.path.join(os.curdir, options["model"])
    with contextlib.suppress(FileNotFoundError):  # it was removed: relative paths mean nothing
        options["directory"] = os.getcwd()
    # A checkpoint is UTF-8; paths need not be.
    return json.dumps(options, ensure_ascii=False).encode(errors="replace").decode()


def _seen_from_here(path: str, folder: str) -> str:
    """A path that a run in a folder was given, as it must be given in the current one."""
    try:
        here = os.getcwd()
    except FileNotFoundError:
        here = ""
    return path if folder == here else os.path.join(folder, path)


def _input_state(path: str, size: str) -> str:
    try:
        now = os.stat(path).st_size
    except OSError:
        return "missing"
    return "unchanged" if size == f"{now} bytes" else "changed"


def is_object(options: Mapping[str, Any]) -> bool:
    """Whether a job's network is an object of Python's, which no command line can name."""
    return str(options.get("model", "")).startswith("python:")


def _command(source: str, target: str, options: Mapping[str, Any], folder: str) -> str | None:
    try:
        config = StreamingConfig.from_dict(options)
    except (ConfigError, TypeError, ValueError):  # another version's, or nobody's
        return None
    model = config.model
    if is_object(options):
        return None
    if isinstance(model, str) and is_path(model):
        config = replace(config, model=_seen_from_here(model, folder))
    # What was asked of the earlier run about a still earlier one is done with.
    if config.resume != "frames":
        config = replace(config, resume="auto")
    return shlex.join([*unset_words(os.environ), *upscale_command(source, target, config)])
