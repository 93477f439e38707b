"""The command `streamvsr compare`."""

from __future__ import annotations

import argparse
import json
import sys

from streamvsr.terminal import FAILED, OK, complain, sentence

_COMPARE = """\
Says how near VIDEO comes to REFERENCE: PSNR, SSIM, XPSNR, VMAF and VMAF NEG, of those what an
ffmpeg program here can compute: the one that STREAMVSR_FFMPEG names, the one on PATH, or that of
the package imageio-ffmpeg, which can all. Frames are paired by their order.
"""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds it to the command line."""
    _add_compare(commands)


def _add_compare(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "compare",
        help="say how near a video comes to a reference",
        description=_COMPARE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("video", metavar="VIDEO", help="the video to be judged, such as an enhanced one")
    add("reference", metavar="REFERENCE", help="what it should look like")
    add(
        "--metrics", metavar="NAME,...", type=lambda text: text.split(","),
        help="of psnr, ssim, xpsnr, vmaf, vmaf_neg (default: all that can be computed here)",
    )  # fmt: skip
    add(
        "--resize", metavar="KERNEL",
        help="scale VIDEO to REFERENCE's size where they differ: bicubic, lanczos, spline, "
        "bilinear, area or neighbor (default: refuse)",
    )  # fmt: skip
    add("--json", metavar="FILE", help="write everything, each frame's figures included")
    add("--plot", metavar="FILE", help="draw the figures over the frames: .png, .svg or .pdf")
    add("-y", "--overwrite", action="store_true", help="replace FILEs that exist")
    add("-q", "--quiet", action="store_true", help="print errors only")
    parser.set_defaults(run=_compare)


def _compare(options: argparse.Namespace) -> int:
    from streamvsr import comparison, display, files, pairing, plots
    from streamvsr.errors import StreamvsrError

    for path in filter(None, (options.json, options.plot)):
        files.refuse_file(path, options.overwrite)
    if options.plot:
        plots.picture_format(options.plot)
        plots.figure_module("--plot")
    videos = pairing.pair(options.video, options.reference, options.metrics, options.resize)
    bar = not options.quiet and sys.stderr.isatty()
    try:
        found = comparison.measure(videos, bar)
        if options.json:
            text = json.dumps(found.to_dict(), indent=1)
            files.write_file(options.json, f"{text}\n".encode(), options.overwrite)
        if options.plot:
            found.plot(options.plot, overwrite=options.overwrite)
    except (StreamvsrError, MemoryError) as error:
        complain(sentence(error))
        return FAILED
    if not options.quiet:
        for warning in found.warnings:
            complain(f"warning: {warning}")
        print(display.comparison_text(found))
    return OK
