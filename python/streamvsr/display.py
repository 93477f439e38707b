"""Text for people: what is in a file, what a job will do, what it did."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamvsr._core import MediaInfo, Plan, StreamInfo
    from streamvsr.models import Model
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
    """What a job is about to do, in two lines."""
    return (
        f"{source}: {plan.source_codec} {plan.width}x{plan.height}, about {plan.frames} frames, "
        f"{time_text(plan.duration)}\n"
        f"{target}: {plan.output_width}x{plan.output_height} {plan.pixel_format}, "
        f"{plan.encoder}; {plan.enhancer}"
    )


def summary_text(source: str, result: ProcessResult) -> str:
    """What a job did: frames, speed, memory and sizes."""
    report = result.performance_report
    lines = [
        f"{result.output_path}: {report['output_width']}x{report['output_height']}, "
        f"{report['frames']} frames in {time_text(report['seconds'])} "
        f"({report['frames_per_second']:.2f} frames/s)",
        f"  busy    read {report['read_seconds']:.1f} s, "
        f"compute {report['compute_seconds']:.1f} s, "
        f"write {report['write_seconds']:.1f} s; {report['cpu_seconds']:.1f} CPU seconds",
        f"  memory  at most {report['peak_memory_mb']:.0f} MB, "
        f"{report['peak_frames_mb']:.0f} MB of it frames and packets",
        f"  size    {size_text(os.path.getsize(source))} in, "
        f"{size_text(report['output_bytes'])} out",
    ]
    if report["damaged_frames"]:
        lines.append(f"  damage  {report['damaged_frames']} frames of the source")
    return "\n".join(lines)


def models_text(models: Sequence[Model]) -> str:
    """The networks, a paragraph each."""
    paragraphs = [
        f"{model.name}: x{model.scale}, {model.planes}, {model.parameters} weights, "
        f"{model.flops_per_pixel:.0f} operations a pixel, {model.licence}\n"
        f"  inputs: {', '.join(model.inputs)}\n"
        f"  trained on: {model.trained_on}\n  {model.path}"
        for model in models
    ]
    paragraphs.append("nearest: any scale; repeats samples, runs no network\n")
    return "\n".join(paragraphs).rstrip()
