"""Pictures of figures over time, drawn by matplotlib, which need not be installed."""

from __future__ import annotations

import importlib
import io
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from streamvsr.errors import ConfigError, MissingToolError
from streamvsr.metrics import METRICS

if TYPE_CHECKING:
    from streamvsr.comparison import Comparison

_FORMATS = ("png", "svg", "pdf")


def figure_module(who: str) -> Any:
    """matplotlib's module of figures; who: what wants to draw, for the error.

    Raises:
        MissingToolError: matplotlib is not installed.
    """
    try:
        return importlib.import_module("matplotlib.figure")
    except ImportError as error:
        raise MissingToolError(
            f"{who} draws with matplotlib, which is not installed: pip install matplotlib"
        ) from error


def picture_format(path: str) -> str:
    """The format that a picture's suffix names.

    Raises:
        ConfigError: It names none of png, svg and pdf.
    """
    suffix = os.path.splitext(path)[1].lower().lstrip(".")
    if suffix not in _FORMATS:
        raise ConfigError(f"{path!r} must end with .png, .svg or .pdf", path)
    return suffix


def comparison_picture(comparison: Comparison, path: str) -> bytes:
    """Draws each metric of a comparison over the frames.

    Args:
        comparison: What is drawn: of each metric luma, where it has planes.
        path: Its suffix decides the format.

    Raises:
        ConfigError: The suffix names no format.
        MissingToolError: matplotlib is not installed.
    """
    kind = picture_format(path)
    figures = figure_module("a comparison's plot")
    rows: dict[str, list[str]] = {}
    for name in comparison.metrics:
        rows.setdefault(METRICS[name].filter, []).append(name)
    figure = figures.Figure(figsize=(9, 1 + 2.2 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), sharex=True, squeeze=False)[:, 0]
    for axis, names in zip(axes, rows.values(), strict=True):
        for name in names:
            result, metric = comparison.metrics[name], METRICS[name]
            plane = "score" if "score" in result.frames else "y"
            # An infinite value is a gap: the pictures are equal there.
            values = np.where(np.isfinite(result.frames[plane]), result.frames[plane], np.nan)
            if name == "xpsnr":  # takes the first frame for motion out of black, far off the rest
                values[0] = np.nan
            axis.plot(
                values,
                linewidth=1,
                label=f"{metric.title} {result.overall['mean' if metric.model else plane]:.4g}",
            )
        metric = METRICS[names[0]]
        plane = "" if metric.model else "-Y"
        axis.set_ylabel(f"{metric.title}{plane}" + (f" ({metric.unit})" if metric.unit else ""))
        axis.grid(alpha=0.3)
        axis.legend(loc="lower left")
    axes[-1].set_xlabel("frame")
    figure.suptitle(
        f"{os.path.basename(comparison.distorted)} against {os.path.basename(comparison.reference)}"
    )
    data = io.BytesIO()
    figure.savefig(data, format=kind)
    return data.getvalue()
