"""The command line: `streamvsr upscale IN OUT`, `streamvsr probe IN`, `streamvsr models`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from streamvsr.config import StreamingConfig

OK, FAILED, REFUSED, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143

_EXIT_CODES = """\
exit codes:
  0    done
  1    the job failed while it ran
  2    refused before any work: usage, input, output or options
  130  interrupted by Ctrl-C; the unfinished output is removed
  143  terminated by SIGTERM; the unfinished output is removed
"""

_EXAMPLES = """\
examples:
  streamvsr upscale film.mkv film_2x.mkv
  streamvsr upscale film.mp4 film_4x.mp4 --scale 4 --codec hevc --crf 22
  streamvsr upscale film.mkv master.mkv --codec ffv1
  streamvsr upscale film.mp4 --encoder-option tune=film

"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    arguments: None means sys.argv[1:] and that this is the whole program, which then minds SIGTERM
    and, once its work is done, no longer SIGINT.
    """
    whole_program = arguments is None
    try:
        if whole_program:
            signal.signal(signal.SIGTERM, _terminate)
        code = _run(_parser().parse_args(arguments))
        if whole_program:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        if whole_program:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        _complain("interrupted; an unfinished output was removed")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(TERMINATED)


def _complain(message: str) -> None:
    print(f"streamvsr: {message}", file=sys.stderr)


def _run(options: argparse.Namespace) -> int:
    # The core is loaded only now, so that --help answers at once.
    from streamvsr.errors import StreamvsrError

    try:
        if options.command == "upscale":
            return _upscale(options)
        if options.command == "probe":
            return _probe(options)
        return _models()
    except (StreamvsrError, MemoryError) as error:
        _complain(" ".join(str(error).split()) or "out of memory")
        return REFUSED


def _parser() -> argparse.ArgumentParser:
    from streamvsr import __version__

    parser = argparse.ArgumentParser(
        prog="streamvsr",
        description="Video super-resolution as a stream:\n"
        "a film of any length in, the enhanced film with all its streams out.",
        epilog=_EXAMPLES + _EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"streamvsr {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_upscale(commands)
    probe = commands.add_parser(
        "probe", help="say what is in a file", description="Says what is in a media file."
    )
    probe.add_argument("input", metavar="IN")
    probe.add_argument("--json", action="store_true", help="everything there is, as JSON")
    commands.add_parser(
        "models",
        help="list the packaged networks",
        description="Lists the networks that come with streamvsr.",
    )
    return parser


def _add_upscale(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from streamvsr.config import CODECS, CONTAINERS, PRECISIONS, SCALES

    parser = commands.add_parser(
        "upscale",
        help="enhance a video",
        description="Enhances a video. Audio, subtitles, chapters and tags are copied, times kept.",
        epilog=_EXAMPLES + _EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("input", metavar="IN", help="the video, a regular file")
    add("output", metavar="OUT", nargs="?", help="default: beside IN, with _enhanced in its name")
    add("-y", "--overwrite", action="store_true", help="replace OUT where it exists")
    add("-q", "--quiet", action="store_true", help="print errors only")

    add = parser.add_argument_group("enhancement").add_argument
    add(
        "-s", "--scale", type=int, default=2, metavar="|".join(map(str, SCALES)),
        help="factor in both directions, as far as the model reaches (default: 2)",
    )  # fmt: skip
    add(
        "-m", "--model", metavar="MODEL", default=None,
        help='a name listed by "streamvsr models", a .safetensors file, or "nearest"',
    )  # fmt: skip
    add("--precision", default="auto", metavar="|".join(PRECISIONS), help="(default: auto)")

    add = parser.add_argument_group("video of the output").add_argument
    add("--codec", default="h264", metavar="|".join(CODECS), help="(default: h264)")
    add("--crf", type=float, metavar="0-51", help="quality, 0 best (default: h264 18, hevc 20)")
    add(
        "--encoder-preset", metavar="NAME",
        help="ultrafast to placebo (default: medium)",
    )  # fmt: skip
    add("--pixel-format", metavar="NAME", help="such as yuv420p10le (default: the source's)")
    add(
        "--encoder-option", metavar="NAME=VALUE", action="append", default=[], type=_pair,
        help="a further option of the encoder; may be repeated",
    )  # fmt: skip
    add("--container", metavar="|".join(CONTAINERS), help="(default: from OUT's suffix)")

    add = parser.add_argument_group("machine").add_argument
    add(
        "--max-memory-mb", type=int, default=1024, metavar="MB",
        help="most memory for frames in flight (default: 1024)",
    )  # fmt: skip
    add(
        "--segment-seconds", type=float, default=10.0, metavar="S",
        help="length of the spans encoded independently (default: 10)",
    )  # fmt: skip
    for stage in ("encoder", "decoder", "compute"):
        add(
            f"--{stage}-threads", type=int, default=0, metavar="N",
            help="(default: 0, from the cores)",
        )  # fmt: skip
    add("--strict", action="store_true", help="damage in the source is an error")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _config(options: argparse.Namespace) -> StreamingConfig:
    from streamvsr.config import StreamingConfig

    return StreamingConfig(
        scale=options.scale,
        model=options.model,
        precision=options.precision,
        codec=options.codec,
        crf=options.crf,
        encoder_preset=options.encoder_preset,
        pixel_format=options.pixel_format,
        encoder_options=dict(options.encoder_option),
        container=options.container,
        overwrite=options.overwrite,
        strict=options.strict,
        segment_seconds=options.segment_seconds,
        max_memory_mb=options.max_memory_mb,
        encoder_threads=options.encoder_threads,
        decoder_threads=options.decoder_threads,
        compute_threads=options.compute_threads,
    )


def _upscale(options: argparse.Namespace) -> int:
    from streamvsr import _core, api, display
    from streamvsr.errors import StreamvsrError

    config = _config(options)
    target = options.output or str(api.default_output_path(options.input, config.container))
    job = _core.Job(api.job_config(config, options.input, target))
    try:
        announced = list(job.plan.warnings)
        if not options.quiet:
            print(display.plan_text(options.input, target, job.plan), file=sys.stderr)
            for warning in announced:
                _complain(f"warning: {warning}")
        bar = not options.quiet and sys.stderr.isatty()
        try:
            result = api.run_job(job, target, progress=bar)
        except (StreamvsrError, MemoryError) as error:
            _complain(" ".join(str(error).split()) or "out of memory")
            return FAILED
    finally:
        job.close()
    if not options.quiet:
        for warning in result.warnings:
            if warning not in announced:
                _complain(f"warning: {warning}")
        print(display.summary_text(options.input, result))
    return OK


def _probe(options: argparse.Namespace) -> int:
    from streamvsr import api, display

    info = api.probe(options.input)
    if options.json:
        print(json.dumps(display.as_dict(info), indent=2, ensure_ascii=False))
    else:
        print(display.media_text(info))
    return OK


def _models() -> int:
    from streamvsr import display
    from streamvsr.models import packaged_models

    print(display.models_text(packaged_models()))
    return OK


if __name__ == "__main__":
    sys.exit(main())
