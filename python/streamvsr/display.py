"""Text for people: what is in a file, what a job will do, what it did."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from streamvsr.remains import is_object

if TYPE_CHECKING:
    from streamvsr._core import MediaInfo, Plan, StreamInfo
    from streamvsr.comparison import Comparison, MetricResult
    from streamvsr.models import Model
    from streamvsr.remains import JobStatus
    from streamvsr.result import ProcessResult


def as_dict(value: Any) -> Any:
    """An object of the core as plain dicts, lists and scalars, fit for JSON."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): as_dict(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [as_dict(item) for item in value]
    names = [name for name, kind in vars(type(value)).items() if isinstance(kind, property)]
    return {name: as_dict(getattr(value, name)) for name in names}


def size_text(size: float) -> str:
    """A count of bytes with its unit: "980 B", "1.2 MB"; 1 MB = 1000000 bytes."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.4g} GB"


def time_text(seconds: float) -> str:
    """A time such as "7.4 s", "3:05" or "1:02:10"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def media_text(info: MediaInfo) -> str:
    """What is in a file, one line a stream."""
    lines = [
        f"{info.path}: {info.format}, {time_text(info.duration)}, {size_text(info.size_bytes)}"
    ]
    for stream in info.streams:
        mark = "  <- the video" if stream.index == info.video_index else ""
        lines.append(f"  {stream.index:2} {stream.type:10} {_stream_text(stream)}{mark}")
    for number, chapter in enumerate(info.chapters, 1):
        title = f"  {chapter.title}" if chapter.title else ""
        lines.append(f"  chapter {number}: {chapter.start:.3f} - {chapter.end:.3f} s{title}")
    for key, value in info.metadata.items():
        lines.append(f"  {key}: {value}")
    return "\n".join(lines)


def _stream_text(stream: StreamInfo) -> str:
    parts = [stream.codec + (f" ({stream.profile})" if stream.profile else "")]
    if stream.type == "video":
        parts += [f"{stream.width}x{stream.height}", stream.pixel_format]
        if stream.frame_rate > 0:
            parts.append(f"{stream.frame_rate:.6g} frames/s")
        if stream.frames >= 0:
            parts.append(f"{stream.frames} frames")
        if stream.sample_aspect_ratio not in ("", "0:1", "1:1"):
            parts.append(f"SAR {stream.sample_aspect_ratio}")
        if stream.rotation:
            parts.append(f"rotated {stream.rotation:g} degrees")
        if stream.attached_picture:
            parts.append("cover picture")
    elif stream.type == "audio":
        parts += [f"{stream.sample_rate} Hz", f"{stream.channels} channels"]
    parts += [text for text in (stream.language, stream.title) if text]
    return ", ".join(part for part in parts if part)


def plan_text(source: str, target: str, plan: Plan) -> str:
    """What a job is about to do, a line each for input, output and an earlier run's work."""
    text = (
        f"{source}: {plan.source_codec} {plan.width}x{plan.height}, about {plan.frames} frames, "
        f"{time_text(plan.duration)}\n"
        f"{target}: {plan.output_width}x{plan.output_height} {plan.pixel_format}, "
        f"{plan.encoder}; {plan.enhancer}"
    )
    if plan.resumed_frames:
        text += f"\ngoing on with an interrupted run: {plan.resumed_frames} frames are done"
    return text


def summary_text(source: str, result: ProcessResult) -> str:
    """What a job did: frames, speed, memory and sizes."""
    report = result.performance_report
    earlier = report["resumed_frames"]
    done = f"{report['frames']} frames"
    if earlier:
        done += f", {earlier} of them by an earlier run and {report['frames'] - earlier}"
    lines = [
        f"{result.output_path}: {report['output_width']}x{report['output_height']}, "
        f"{done} in {time_text(report['seconds'])} "
        f"({report['frames_per_second']:.2f} frames/s)",
        f"  busy    read {report['read_seconds']:.1f} s, "
        f"compute {report['compute_seconds']:.1f} s, "
        f"write {report['write_seconds']:.1f} s; {report['cpu_seconds']:.1f} CPU seconds",
        f"  memory  at most {report['peak_memory_mb']:.0f} MB, "
        f"{report['peak_frames_mb']:.0f} MB of it frames and packets",
        f"  size    {size_text(os.path.getsize(source))} in, "
        f"{size_text(report['output_bytes'])} out",
    ]
    budget = report["disk_budget"]
    if budget["bound_segments"]:
        crfs = [passage["crf"] for passage in budget["bound"]]
        lines.append(
            f"  budget  {budget['bound_segments']} of {budget['segments']} segments are coarser "
            f"than asked for, up to crf {max(crfs):.1f}, "
            f"to stay within {size_text(budget['limit_bytes'])}"
        )
    if report["damaged_frames"]:
        lines.append(f"  damage  {report['damaged_frames']} frames of the source")
    return "\n".join(lines)


_INPUT_STATES = {
    "unchanged": "of the same size as then",
    "changed": "its size is not what it was: the job cannot go on with it",
    "missing": "not there: the job needs it to go on",
}
_STAGES = {
    "running": "unfinished",
    "finishing": "all frames are in the file, which is not finished",
    "committed": "finished, but not yet under its name",
}


def status_text(status: JobStatus) -> str:
    """What an unfinished job has done and needs, and the command that goes on with it."""
    saved = status.saved.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    decides = (f"{name} {_short(value)}" for name, value in status.parameters.items())
    lines = [
        f"{status.output}: {_STAGES[status.stage]}; {status.frames_done} of about "
        f"{status.frames_total} frames ({status.percent:.1f} %), "
        f"{status.segments_done} of about {status.segments_total} segments",
        f"  input    {status.input}, {_INPUT_STATES[status.input_state]}",
        f"  file     {status.part_path}, {size_text(status.part_bytes)}, "
        f"{size_text(status.durable_bytes)} of it whole segments",
        f"  saved    {saved}, {status.checkpoint_path}",
        f"  job      {', '.join(decides)}",
    ]
    if status.remaining_bytes:
        lines.append(f"  space    the rest needs about {size_text(status.remaining_bytes)}")
    if status.mixed:
        lines.append("  mixed    runs under different libraries or processors added to it")
    if status.writer is not None:
        who = f"process {status.writer}" if status.writer > 0 else "another process"
        lines.append(f"  writer   {who} is writing it now")
        if (live := status.live) is not None:
            doing = "finishing" if live.finishing else "running"
            lines.append(
                f"  now      {doing} for {time_text(live.seconds)}: the network has done "
                f"{live.frames_done} frames, {live.frames_written} of them are encoded"
            )
        return "\n".join(lines)
    lines.append("  writer   none")
    if status.part_bytes < status.durable_bytes:
        lines.append("the file lost its end: the job cannot go on; --resume no starts it over")
    elif is_object(status.options):
        lines.append(
            "its network is an object of Python's: the same call in Python goes on with it"
        )
    elif status.command is None:
        lines.append("its options are not known to this version, which cannot say what goes on")
    else:
        goes_on = "this goes on" if status.keeps_work else "no segment is whole: this starts over"
        lines += [f"{goes_on}:", f"  {status.command}"]
    return "\n".join(lines)


def _short(value: str) -> str:
    is_digest = len(value) == 64 and set(value) <= set("0123456789abcdef")
    return f"{value[:12]}..." if is_digest else value


def kept_text(status: JobStatus | None) -> str:
    """What a run that was ended leaves, for the end of a sentence, and what goes on with it."""
    if status is None or not status.keeps_work:
        return "; nothing is kept: no segment was whole"
    if status.writer is not None:
        return ""
    text = (
        f"; the first {status.frames_done} of about {status.frames_total} frames are safe in "
        f"{status.part_path!r}"
    )
    return text if status.command is None else f"{text}. This goes on:\n  {status.command}"


def lost_text(status: JobStatus | None) -> str:
    """What is lost when an unfinished job's files are removed."""
    if status is None or not status.keeps_work:
        return "no frame that is done would be lost"
    return f"the {status.frames_done} of about {status.frames_total} frames done would be lost"


def comparison_text(comparison: Comparison) -> str:
    """How near a video comes to its reference, a line a metric, and what could not be said."""
    lines = [
        f"{comparison.distorted} against {comparison.reference}: {comparison.frames} frames, "
        f"{comparison.width}x{comparison.height} {comparison.pixel_format}"
    ]
    rows = [
        (title, overall, f"worst {worst}", seconds)
        for title, overall, worst, seconds in comparison_rows(comparison)
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        lines.append("  " + "  ".join(cells))
    lines += [f"  {title}: {why}" for title, why in comparison_gaps(comparison)]
    return "\n".join(line.rstrip() for line in lines)


def comparison_rows(comparison: Comparison) -> list[tuple[str, str, str, str]]:
    """Of each metric its title, its overall figures, its worst frame and the time it took."""
    from streamvsr.metrics import METRICS

    return [
        (
            METRICS[name].title,
            f"{_overall_text(result)} {METRICS[name].unit}",
            _worst_text(result),
            time_text(result.seconds),
        )
        for name, result in comparison.metrics.items()
    ]


def comparison_gaps(comparison: Comparison) -> list[tuple[str, str]]:
    """The titles of the metrics that were left out, and why."""
    from streamvsr.metrics import METRICS

    return [(METRICS[name].title, why) for name, why in comparison.missing.items()]


def _overall_text(result: MetricResult) -> str:
    names = {"mean": "mean", "harmonic_mean": "harmonic", "all": "all"}
    return "  ".join(
        f"{names.get(name, name.upper())} {_figure(result, value)}"
        for name, value in result.overall.items()
        if name != "min"
    )


def _worst_text(result: MetricResult) -> str:
    values = next(iter(result.frames.values()))
    worst = int(values.argmin())
    return f"{_figure(result, values[worst])} in frame {worst}"


def _figure(result: MetricResult, value: float) -> str:
    return f"{value:.4f}" if result.metric == "ssim" else f"{value:.2f}"


def models_text(models: Sequence[Model]) -> str:
    """The networks, a paragraph each."""
    from streamvsr.models import numeric_type

    paragraphs = [
        f"{model.name}: x{model.scale}, {model.planes}, {model.parameters} weights, "
        f"{model.flops_per_pixel:.0f} operations a pixel, {model.licence}\n"
        f"  inputs: {', '.join(model.inputs)}\n"
        f"  on this CPU: computes in {numeric_type(model.path)}\n"
        f"  trained on: {model.trained_on}\n  {model.path}"
        for model in models
    ]
    paragraphs.append("nearest: any scale; repeats samples, runs no network\n")
    return "\n".join(paragraphs).rstrip()
