"""What Jupyter shows of results: HTML without anything from outside, every text in it escaped."""

from __future__ import annotations

import base64
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from streamvsr.display import comparison_gaps, comparison_rows, size_text, time_text
from streamvsr.errors import StreamvsrError
from streamvsr.pictures import RgbPicture, png

if TYPE_CHECKING:
    from streamvsr._core import MediaInfo
    from streamvsr.before_after import Preview
    from streamvsr.comparison import Comparison
    from streamvsr.result import ProcessResult

# Of both pictures of a slider as they stand in the HTML.
MOST_PICTURE_BYTES = 1_000_000
_MOST_SIZE = (1280, 720)  # width and height shown at most: the middle of larger pictures
_SIZES = (("width", "height"), ("output_width", "output_height"))
_ROUNDING = 0.0015  # s, by which a container may move a frame; Matroska counts milliseconds
_COLOURS = ("#1f77b4", "#ff7f0e")


def result_html(result: ProcessResult) -> str:
    """A job's figures, its course over time, and one frame before and after where both are there.

    The frame is decoded from the files as they lie on the disk, which takes a moment. An output
    that is no longer of the job's size is not shown.
    """
    report = result.performance_report
    if not result.success or not report:
        rows = [("failed", result.error or "for an unknown reason")]
        if result.checkpoint_path is not None:
            rows.append(("kept", f"{result.checkpoint_path}: the same call goes on"))
        return _box(_table(rows) + _sentences(result.warnings))
    shown = _frame_slider(result)
    samples = report.get("samples") or {}
    charts = "".join(
        _chart(title, unit, samples, names)
        for title, unit, names in (
            ("speed", "frames/s", {"frames_per_second": ""}),
            ("memory", "MB", {"memory_mb": "the process", "frames_mb": "frames in flight"}),
        )
    )
    return _box(_table(_figures(result)) + _sentences(result.warnings) + charts + shown)


def preview_html(preview: Preview) -> str:
    """A slider over the picture before and after, and what made it."""
    rows = [(preview.path, f"at {preview.time:.3f} s"), ("by", preview.enhancer)]
    slider = _slider(preview.before, preview.after, "interpolated", "enhanced")
    return _box(_table(rows) + _sentences(preview.warnings) + slider)


def comparison_html(comparison: Comparison) -> str:
    """A row a metric, as `streamvsr compare` prints it."""
    head = (
        f"{comparison.distorted} against {comparison.reference}: {comparison.frames} frames, "
        f"{comparison.width}x{comparison.height} {comparison.pixel_format}"
    )
    rows: list[Sequence[str]] = [("", "overall", "worst", "took"), *comparison_rows(comparison)]
    rows += [(title, f"not computed: {why}", "", "") for title, why in comparison_gaps(comparison)]
    return _box(f"<div>{escape(head)}</div>" + _table(rows) + _sentences(comparison.warnings))


def _figures(result: ProcessResult) -> list[tuple[str, str]]:
    report = result.performance_report
    frames = f"{report['frames']}"
    if report["resumed_frames"]:
        frames += f", {report['resumed_frames']} of them by an earlier run"
    before, after = (f"{report[w]}x{report[h]}" for w, h in _SIZES)
    memory = (
        f"at most {report['peak_memory_mb']:.0f} MB, "
        f"{report['peak_frames_mb']:.0f} MB of it frames and packets"
    )
    if report.get("peak_vram_mb"):
        memory += f"; {report['peak_vram_mb']:.0f} MB on the device"
    source = result.input_path
    read = f"{size_text(os.path.getsize(source))} in, " if source and os.path.isfile(source) else ""
    rows = [
        ("output", result.output_path or ""),
        ("frames", frames),
        ("time", f"{time_text(report['seconds'])}, {report['frames_per_second']:.2f} frames/s"),
        ("picture", f"{before} to {after}"),
        ("size", f"{read}{size_text(report['output_bytes'])} out"),
        ("memory", memory),
        ("network", report["enhancer"]),
        ("encoder", report["encoder"]),
    ]
    if report["damaged_frames"]:
        rows.append(("damage", f"{report['damaged_frames']} frames of the source"))
    return rows


def _frame_slider(result: ProcessResult) -> str:
    source, target = result.input_path, result.output_path
    try:
        if source is None or target is None:
            return ""
        if os.path.getsize(target) != result.performance_report["output_bytes"]:
            return ""
        found = _same_frame(source, target, result.picture_options)
    except (OSError, StreamvsrError):  # gone or changed since; the figures stay
        return ""
    return "" if found is None else _slider(*found, "source", "output")


def _same_frame(
    source: str, target: str, read_by: Mapping[str, str]
) -> tuple[RgbPicture, RgbPicture] | None:
    """The frame in the middle of both files; None where it is not at the same time in them.

    read_by: how the job read the source. The colours of both are shown by its matrix: an output
    that names none would else be taken for another one, by its size.
    """
    from streamvsr.api import probe
    from streamvsr.before_after import preview

    info = probe(target)
    video = info.streams[info.video_index]
    step = 1 / video.frame_rate if video.frame_rate > 0 else 0.0
    # A file begins with whichever stream is first: that may differ, the video's own times do not.
    shift = _video_start(info) - _video_start(probe(source))
    plain: dict[str, Any] = {"scale": 1, "model": "nearest"}
    as_read: dict[str, Any] = plain | dict(read_by)
    before = preview(source, max(0.0, info.duration / 2 - step), **as_read)
    time = before.time + shift
    plain["color_matrix"] = read_by.get("color_matrix")
    after = preview(target, max(0.0, time + _ROUNDING), **plain)
    if abs(after.time - time) > _ROUNDING:
        return None
    return before.before, after.before


def _video_start(info: MediaInfo) -> float:
    return info.streams[info.video_index].start_time - info.start_time


def _slider(before: RgbPicture, after: RgbPicture, left: str, right: str) -> str:
    """Two pictures, one over the other, with a border between them that can be dragged.

    Args:
        before: Shown left of the border, stretched by the browser to the size of after.
        after: Shown right of it.
        left: What the left one is, in a word.
        right: What the right one is.
    """
    images, note = _fitting(before, after)
    width = round(images[2])
    layer = "position:absolute;top:0;left:0;width:100%;height:100%;margin:0;max-width:none"
    drag = (
        "var c=this.parentNode.children;c[1].style.clipPath='inset(0 '+(100-this.value)+'% 0 0)';"
        "c[2].style.left=this.value+'%'"
    )
    line = "position:absolute;top:0;bottom:0;left:50%;width:1px;pointer-events:none"
    # Without scripts both halves are still there.
    return (
        f'<div style="position:relative;max-width:{width}px;margin:8px 0 2px">'
        f'<img alt="{escape(right)}" src="data:image/png;base64,{images[1]}" '
        'style="display:block;width:100%;max-width:none;margin:0">'
        f'<img alt="{escape(left)}" src="data:image/png;base64,{images[0]}" '
        f'style="{layer};clip-path:inset(0 50% 0 0)">'
        f'<div style="{line};background:#fff;box-shadow:0 0 2px #000"></div>'
        '<input type="range" min="0" max="100" step="0.1" value="50" '
        f'aria-label="border between {escape(left)} and {escape(right)}" oninput="{drag}" '
        'style="position:absolute;bottom:4px;left:0;width:100%;margin:0;cursor:ew-resize">'
        f"</div><div>{escape(left)} | {escape(right)}{escape(note)}</div>"
    )


def _fitting(before: RgbPicture, after: RgbPicture) -> tuple[tuple[str, str, int], str]:
    """Both as PNG files in base64, the width shown, and a note where only the middle fits."""
    height, width, _ = after.shape
    share = min(1.0, _MOST_SIZE[0] / width, _MOST_SIZE[1] / height)
    while True:
        first, second = _middles(before, after, share)
        images = [base64.b64encode(png(picture)).decode() for picture in (first, second)]
        taken = sum(map(len, images))
        if taken <= MOST_PICTURE_BYTES or min(*first.shape[:2], *second.shape[:2]) < 2:
            break
        share *= 0.95 * math.sqrt(MOST_PICTURE_BYTES / taken)
    size = f"{second.shape[1]}x{second.shape[0]}"
    note = "" if share == 1.0 else f"; the middle, {size} of {width}x{height}"
    return (images[0], images[1], second.shape[1]), note


def _middles(before: RgbPicture, after: RgbPicture, share: float) -> tuple[RgbPicture, RgbPicture]:
    """The same middle part of both, whole pixels of before."""
    first, second = before, after
    for axis in (0, 1):
        length, factor = before.shape[axis], after.shape[axis] / before.shape[axis]
        part = max(1, round(share * length))
        begin = (length - part) // 2
        first = first.take(range(begin, begin + part), axis)
        second = second.take(
            range(round(begin * factor), max(1, round((begin + part) * factor))), axis
        )
    return first, second


def _chart(
    title: str, unit: str, samples: Mapping[str, Sequence[float]], names: Mapping[str, str]
) -> str:
    """Figures over time as lines of SVG; names: keys of samples, and what each line is called."""
    seconds = samples.get("seconds") or ()
    if len(seconds) < 2 or any(name not in samples for name in names):
        return ""
    width, height, left, top = 420, 130, 8, 22
    most = max(max(samples[name]) for name in names)
    if most <= 0:  # the run was too short to have a pace
        return ""
    end = seconds[-1] or 1.0
    lines, legend = [], [f"{title}, {unit}, up to {most:.4g}"]
    for colour, (name, words) in zip(_COLOURS, names.items(), strict=False):
        points = " ".join(
            f"{left + (width - 2 * left) * at / end:.1f},"
            f"{height - 18 - (height - 18 - top) * value / most:.1f}"
            for at, value in zip(seconds, samples[name], strict=True)
        )
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        )
        if words:
            legend.append(f'<tspan fill="{colour}">{escape(words)}</tspan>')
    floor = height - 18
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)} over time" '
        'font-family="sans-serif" font-size="11" fill="currentColor" style="max-width:100%">'
        f'<text x="{left}" y="14">{"; ".join(legend)}</text>'
        f'<path d="M{left} {top}V{floor}H{width - left}" fill="none" stroke="currentColor" '
        f'opacity="0.4"/>{"".join(lines)}'
        f'<text x="{left}" y="{height - 4}">0</text>'
        f'<text x="{width - left}" y="{height - 4}" text-anchor="end">{time_text(end)}</text>'
        "</svg>"
    )


def _table(rows: Iterable[Sequence[str]]) -> str:
    style = 'style="text-align:left;vertical-align:top"'
    body = "".join(
        f"<tr><th {style}>{escape(row[0])}</th>"
        + "".join(f"<td {style}>{escape(cell.strip())}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return f"<table><tbody>{body}</tbody></table>"


def _sentences(warnings: Iterable[Any]) -> str:
    items = "".join(f"<li>{escape(str(text))}</li>" for text in warnings)
    return f"<ul>{items}</ul>" if items else ""


def _box(content: str) -> str:
    return f'<div class="streamvsr">{content}</div>'
