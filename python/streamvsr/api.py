"""The Python face of a job: StreamingVideoProcessor reports failures, upscale() raises them."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from streamvsr import _core
from streamvsr.async_api import StopSwitch, in_thread
from streamvsr.command import RESUME
from streamvsr.config import COLOR_MATRICES, CONTAINERS, StreamingConfig
from streamvsr.errors import ConfigError, StreamvsrError
from streamvsr.models import (
    ModelChoice,
    choose_model,
    choose_object,
    microkernel_path,
    runs_on_torch,
    torch_path,
)
from streamvsr.monitor import StreamingMonitor, Ticker
from streamvsr.networks import is_module
from streamvsr.presets import DEFAULT_PRESET, DEFAULT_QUALITY, with_preset
from streamvsr.progress import LOGGER, ProgressBar, ProgressCallback
from streamvsr.remains import PathInput, kept_checkpoint, options_text
from streamvsr.result import ProcessResult, failure, performance_report
from streamvsr.temporal import steady_options


class StreamingVideoProcessor:
    """Purpose: enhances videos as streams: frame by frame, in memory, every other stream copied.

    Thread-safety: process() may run in several threads at once, stop() may come from any thread;
    process_async() belongs to the event loop it is awaited in.
    Ownership: nothing outlives a call of process() but its figures.

    Attributes:
        config: The configuration.
        monitor: The StreamingMonitor of the process() that was begun last.
    """

    def __init__(self, config: StreamingConfig | Mapping[str, Any] | None = None) -> None:
        """Checks the configuration and that its network can be used.

        Args:
            config: A StreamingConfig, a mapping of its options, or None for the defaults.

        Raises:
            ConfigError: An option is unknown or cannot work, or the model's name is unknown.
            ModelError: The network file cannot be used (TorchScript archives, modules and functions
                are only tried by process()).
            TypeError: config is something else.
        """
        if config is None:
            config = StreamingConfig()
        elif not isinstance(config, StreamingConfig):
            config = StreamingConfig.from_dict(config)
        self.config = config
        if not callable(config.model):
            choose_model(config.model, config.scale)
        self._lock = threading.Lock()
        self._running: set[StopSwitch] = set()
        self.monitor = StreamingMonitor(config.memory_warning_mb)

    def process(
        self,
        input_path: PathInput,
        output_path: PathInput | None = None,
        preset: str | None = DEFAULT_PRESET,
        quality: str | None = DEFAULT_QUALITY,
        *,
        progress: ProgressCallback | bool = False,
    ) -> ProcessResult:
        """Enhances one video. A failure comes back as a result with success=False.

        What an interrupted call on the same output had done is not done again, see
        StreamingConfig.resume; the output is, byte for byte, that of one uninterrupted call.

        Args:
            input_path: A seekable regular file with video in it.
            output_path: Where the result goes; None: default_output_path(input_path).
            preset: "theater_small", "theater_medium" or "theater_large": how pictures are steadied
                and masked where the configuration leaves it open (docs/temporal.md). None for both,
                preset and quality: as the configuration says, no more.
            quality: "fast", "balanced" or "high": how much work that may be.
            progress: True shows a bar; a callable gets a Progress about four times a second; its
                monitor is this call's StreamingMonitor.

        Raises:
            KeyboardInterrupt: Ctrl-C; the whole segments are kept, and the same call goes on with
                them.
            TypeError: An argument of the wrong type.
            Exception: Whatever progress raises.
        """
        with self._begun() as switch:
            return self._process(switch, input_path, output_path, preset, quality, progress)

    async def process_async(
        self,
        input_path: PathInput,
        output_path: PathInput | None = None,
        preset: str | None = DEFAULT_PRESET,
        quality: str | None = DEFAULT_QUALITY,
        *,
        progress: ProgressCallback | bool = False,
    ) -> ProcessResult:
        """The same as process(), in a thread of its own, while the event loop goes on.

        When the awaiting task is cancelled, this job is stopped, and no other; the cancellation
        goes on once it has ended, within a second. Ctrl-C under asyncio.run() takes that way.

        Args:
            input_path: As for process().
            output_path: As for process().
            preset: As for process().
            quality: As for process().
            progress: As for process(); a callable is called in the job's thread.

        Raises:
            asyncio.CancelledError: The whole segments are kept, and the same call goes on with
                them.
            TypeError: An argument of the wrong type.
            Exception: Whatever progress raises.
        """
        arguments = (input_path, output_path, preset, quality, progress)
        with self._begun() as switch:
            return await in_thread(lambda: self._process(switch, *arguments), switch.stop)

    @contextmanager
    def _begun(self) -> Iterator[StopSwitch]:
        """Lets stop() find a call from its first moment on, before it has a job."""
        switch = StopSwitch()
        with self._lock:
            self._running.add(switch)
        try:
            yield switch
        finally:
            with self._lock:
                self._running.discard(switch)

    def _process(
        self,
        switch: StopSwitch,
        input_path: PathInput,
        output_path: PathInput | None,
        preset: str | None,
        quality: str | None,
        progress: ProgressCallback | bool,
    ) -> ProcessResult:
        started = time.monotonic()
        source = os.fspath(input_path)
        target = None if output_path is None else os.fspath(output_path)
        monitor = StreamingMonitor(self.config.memory_warning_mb)
        with self._lock:
            self.monitor = monitor
        try:
            config = with_preset(self.config, preset, quality)
            if target is None:
                target = os.fspath(default_output_path(source, self.config.container))
            if (note := begins_anew(config, target)) is not None:
                monitor.warn(note)
            job = _core.Job(job_config(config, source, target))
        except (StreamvsrError, MemoryError) as error:
            result = failure(error, time.monotonic() - started, kept_checkpoint(target))
        else:
            try:
                for warning in job.plan.warnings:
                    LOGGER.warning("%s", warning)
                switch.attach(job)
                result = run_job(job, source, target, progress, monitor)
                result.picture_options = _picture_options(config, job.plan)
            except (StreamvsrError, MemoryError) as error:
                result = failure(error, time.monotonic() - started, kept_checkpoint(target))
                result.warnings = [*job.plan.warnings, *monitor.warnings]
            finally:
                job.close()
        result.processing_time = time.monotonic() - started
        result.preset, result.quality = preset or "", quality or ""
        return result

    def stop(self) -> None:
        """Stops every call that runs now, within a second; they report StoppedError.

        Their whole segments are kept: the same call of process() goes on with them.
        """
        with self._lock:
            for switch in self._running:
                switch.stop()


def upscale(
    input_path: PathInput,
    output_path: PathInput,
    scale: int = 2,
    *,
    preset: str | None = None,
    quality: str | None = None,
    progress: ProgressCallback | bool = False,
    **options: Any,
) -> ProcessResult:
    """Enhances one video and raises what goes wrong.

    What an interrupted call on the same output had done is not done again, see
    StreamingConfig.resume; the output is, byte for byte, that of one uninterrupted call.

    Args:
        input_path: A seekable regular file with video in it.
        output_path: Where the result goes.
        scale: Factor in both directions, see StreamingConfig.scale.
        preset: A preset of StreamingVideoProcessor.process(). None, the default: each picture is
            the network's own, but for what the options say.
        quality: A quality of process(); None: "balanced" where there is a preset.
        progress: True shows a bar; a callable gets a Progress about four times a second.
        **options: The other options of StreamingConfig by name.

    Raises:
        StreamvsrError: See streamvsr.errors for the kinds.
        KeyboardInterrupt: Ctrl-C; what was done is kept, and the same call goes on with it.
        TypeError: An argument of the wrong type.
        Exception: Whatever progress raises.

    Example:
        >>> streamvsr.upscale("in.mp4", "out.mp4", codec="hevc", crf=22)  # doctest: +SKIP
    """
    processor = StreamingVideoProcessor({**options, "scale": scale})
    result = processor.process(input_path, output_path, preset, quality, progress=progress)
    result.raise_for_error()
    return result


def probe(path: PathInput) -> _core.MediaInfo:
    """What is in a file: container, streams, chapters and tags.

    Raises:
        InputNotFoundError: Nothing is there.
        InputError: It is no media file.
    """
    return _core.probe(os.fspath(path))


def default_output_path(input_path: PathInput, container: str | None = None) -> Path:
    """Beside the input: its name, "_enhanced", and the suffix of the container.

    Without a container the input's suffix is kept where it names one of mp4, mov and mkv; any other
    input becomes mkv, which holds everything.
    """
    path = Path(input_path)
    if container is not None:
        suffix = f".{container}"
    elif path.suffix.lower().lstrip(".") in CONTAINERS:
        suffix = path.suffix
    else:
        suffix = ".mkv"
    return path.with_name(f"{path.stem}_enhanced{suffix}")


def chosen(config: StreamingConfig) -> ModelChoice:
    """The network of a configuration.

    Raises:
        ConfigError: Nothing tells it from others, and the job is to go on with an earlier one.
    """
    if not callable(config.model):
        return choose_model(config.model, config.scale)
    choice = choose_object(config.model, config.model_id)
    if choice.identity is None and config.resume not in ("auto", False):
        raise ConfigError(
            f"going on with resume={config.resume!r} needs a model_id, which tells the function "
            "given as model from others"
        )
    return choice


def begins_anew(config: StreamingConfig, target: str) -> str | None:
    """A warning where an interrupted job is there and nothing tells whether it is the same."""
    nameless = callable(config.model) and config.model_id is None and not is_module(config.model)
    if not nameless or config.resume != "auto" or kept_checkpoint(target) is None:
        return None
    return (
        "what an interrupted run had done is done again: a function as model without model_id "
        "cannot be known again"
    )


def job_config(config: StreamingConfig, source: str, target: str) -> _core.JobConfig:
    """The core's form of a configuration for one input and output."""
    choice = chosen(config)
    job = _core.JobConfig()
    job.input, job.output = source, target
    job.resume = next(name for name in RESUME if RESUME[name] == config.resume)
    job.options = options_text(config)
    job.overwrite, job.strict = config.overwrite, config.strict
    job.container = config.container or ""
    job.video_codec = config.codec
    job.crf = -1.0 if config.crf is None else float(config.crf)
    job.encoder_preset = config.encoder_preset or ""
    job.pixel_format = config.pixel_format or ""
    job.width, job.height = config.width or 0, config.height or 0
    job.color_matrix = config.color_matrix or ""
    job.interlaced = config.interlaced
    job.apply_rotation = config.rotation == "apply"
    job.refuse_resized = config.size_change == "refuse"
    job.streams = list(config.streams)
    job.encoder_options = dict(config.encoder_options)
    job.encoder_threads = config.encoder_threads
    job.decoder_threads = config.decoder_threads
    job.compute_threads = config.compute_threads
    job.segment_seconds = float(config.segment_seconds)
    job.max_memory_mb, job.max_frames_mb = config.max_memory_mb or 0, config.max_frames_mb or 0
    job.max_vram_mb = config.max_vram_mb
    job.disk_ratio = config.disk_ratio or 0.0
    job.max_disk_fraction = config.max_disk_fraction or 0.0
    job.network_path, job.passes = choice.network_path, choice.passes
    if choice.identity is None and choice.function is not None and job.resume == "auto":
        job.resume = "no"
    identity = choice.identity or f"function without model_id, {uuid.uuid4()}"
    if choice.archive is not None:
        job.set_archive(choice.network_path, identity, choice.archive)
    elif choice.function is not None:
        job.set_function(choice.network_path, identity, choice.function)
    job.brgemm_path = microkernel_path()
    job.torch_path = torch_path() if runs_on_torch(choice, config.engine, config.device) else ""
    job.engine = config.engine
    job.device = config.device
    job.precision = config.precision
    job.scale = config.scale
    job.steady = steady_options(config)
    return job


def _picture_options(config: StreamingConfig, plan: _core.Plan) -> dict[str, str]:
    options = {"interlaced": config.interlaced, "size_change": config.size_change}
    matrix = plan.color_matrix.lower().replace(".", "")
    return options | ({"color_matrix": matrix} if matrix in COLOR_MATRICES else {})


def run_job(
    job: _core.Job,
    source: str,
    target: str,
    progress: ProgressCallback | bool,
    monitor: StreamingMonitor,
) -> ProcessResult:
    """Runs an opened job to its end; raises what goes wrong."""
    plan = job.plan
    monitor.attach(job, source, target)
    if progress is True:
        with ProgressBar(plan) as bar:
            report = job.run(Ticker(monitor, bar), 0.0, monitor)
            bar.finish(report.frames)
    else:
        report = job.run(Ticker(monitor, progress or None), 0.0, monitor)
    monitor.note_warnings(report.run_warnings)
    warnings = list(report.warnings)
    warnings += [text for text in monitor.warnings if text not in warnings]
    return ProcessResult(
        success=True,
        output_path=target,
        processing_time=report.seconds,
        frames_processed=report.frames,
        memory_peak_mb=report.peak_rss_mb,
        warnings=warnings,
        performance_report=performance_report(plan, report) | monitor.report(),
        input_path=source,
    )
