"""The commands `streamvsr compare` and `streamvsr preview`."""

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
    """Adds both to the command line."""
    _add_preview(commands)
    _add_compare(commands)


def _add_preview(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from streamvsr.command import (
        add_enhancement,
        add_max_vram,
        add_reading,
        add_steadying,
        add_threads,
        crop,
        seconds,
    )
    from streamvsr.settings import UNGIVEN

    parser = commands.add_parser(
        "preview",
        help="show one picture before and after, as a PNG file",
        description="Writes the picture that is shown at a time as a PNG file: on the left "
        "interpolated, on the right as upscale with the same options would enhance it.",
    )
    add = parser.add_argument
    add("input", metavar="IN", help="the video, a regular file")
    add(
        "--at", metavar="TIME", type=seconds, required=True,
        help="since the file's start: seconds, or H:MM:SS",
    )  # fmt: skip
    add(
        "-o", "--output", metavar="FILE.png",
        help="default: beside IN, with _before_after in its name",
    )  # fmt: skip
    add(
        "--crop", metavar="X,Y,W,H", type=crop,
        help="show this part only, in pixels of the enhanced picture",
    )  # fmt: skip
    add(
        "-y", "--overwrite", action=argparse.BooleanOptionalAction,
        help="replace FILE where it exists",
    )  # fmt: skip
    add("--config", metavar="FILE", help="options by name, as upscale takes them")
    add("-q", "--quiet", action="store_true", help="print errors only")
    add_enhancement(parser)
    add_steadying(parser)
    add_reading(parser.add_argument_group("source").add_argument)
    add = parser.add_argument_group("machine").add_argument
    add_max_vram(add)
    add_threads(add, "decoder", "compute")
    parser.set_defaults(run=_preview, encoder_option=[], **UNGIVEN)


def _preview(options: argparse.Namespace) -> int:
    from streamvsr import before_after, files
    from streamvsr.errors import OutputError
    from streamvsr.settings import command_config

    target = options.output or str(before_after.default_picture_path(options.input))
    before_after.check_name(target)
    config = command_config(options)
    files.refuse_file(target, config.overwrite)
    found = before_after.preview_by(config, options.input, options.at)
    try:
        found.save(target, crop=options.crop, overwrite=config.overwrite)
    except OutputError as error:
        complain(sentence(error))
        return FAILED
    if not options.quiet:
        for warning in found.warnings:
            complain(f"warning: {warning}")
        height, width, _ = found.after.shape
        print(f"{target}: the picture at {found.time:.3f} s, {width}x{height}; {found.enhancer}")
    return OK


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
