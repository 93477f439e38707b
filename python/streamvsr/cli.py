"""The command line: `streamvsr` itself, and its commands `upscale`, `probe` and `models`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from streamvsr.terminal import FAILED, INTERRUPTED, OK, REFUSED, TERMINATED, complain, sentence

if TYPE_CHECKING:
    from streamvsr.config import StreamingConfig

_EXIT_CODES = """\
exit codes:
  0    done
  1    the job failed while it ran, or the question of "clean" was answered with no
  2    refused before any work: usage, input, output or options
  130  interrupted by Ctrl-C
  143  terminated by SIGTERM

A job that fails, is interrupted or is killed keeps its whole segments in OUT.part: the same command
goes on with them, and the output is the one of an uninterrupted run.
"""

_EXAMPLES = """\
examples:
  streamvsr upscale film.mkv film_2x.mkv
  streamvsr upscale film.mp4 film_4x.mp4 --scale 4 --codec hevc --crf 22
  streamvsr upscale film.mkv master.mkv --codec ffv1
  streamvsr upscale film.mp4 --encoder-option tune=film
  streamvsr status film_2x.mkv

"""


class _Terminated(SystemExit):
    """SIGTERM came."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    arguments: None means sys.argv[1:] and that this is the whole program, which then minds SIGTERM
    and, once its work is done, no longer SIGINT.
    """
    whole_program = arguments is None
    options = argparse.Namespace()
    try:
        if whole_program:
            signal.signal(signal.SIGTERM, _terminate)
        code = _run(_parser().parse_args(arguments, options))
        if whole_program:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.stdout.flush()
        return code
    except (KeyboardInterrupt, _Terminated) as end:
        if whole_program:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        terminated = isinstance(end, _Terminated)
        complain(("terminated" if terminated else "interrupted") + _what_is_kept(options))
        return TERMINATED if terminated else INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise _Terminated(TERMINATED)


def _what_is_kept(options: argparse.Namespace) -> str:
    """What an upscale that was ended leaves, for the end of a sentence."""
    target = getattr(options, "target", None)
    if target is None:  # another command, or no work has begun
        return ""
    from streamvsr import display, remains
    from streamvsr.errors import StreamvsrError

    try:
        found = remains.status(target)
    except StreamvsrError:
        return ""
    if found is None and _identity(target) not in (None, options.target_before):
        return f"; {target!r} was complete by then"
    return display.kept_text(found)


def _identity(path: str) -> tuple[int, int] | None:
    """Tells whether a path still leads to the same file; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _run(options: argparse.Namespace) -> int:
    # The core is loaded only by the commands, so that --help answers at once.
    from streamvsr.errors import StreamvsrError

    try:
        code: int = options.run(options)
        return code
    except (StreamvsrError, MemoryError) as error:
        complain(sentence(error))
        return REFUSED


def _parser() -> argparse.ArgumentParser:
    from streamvsr import __version__, cli_quality, cli_remains

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
    cli_remains.add_commands(commands)
    probe = commands.add_parser(
        "probe", help="say what is in a file", description="Says what is in a media file."
    )
    probe.add_argument("input", metavar="IN")
    probe.add_argument("--json", action="store_true", help="everything there is, as JSON")
    probe.set_defaults(run=_probe)
    models = commands.add_parser(
        "models",
        help="list the packaged networks",
        description="Lists the networks that come with streamvsr.",
    )
    models.set_defaults(run=_models)
    cli_quality.add_commands(commands)
    return parser


def _add_upscale(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from streamvsr.command import (
        add_enhancement,
        add_max_vram,
        add_reading,
        add_steadying,
        add_threads,
        listed,
        number_or_none,
        pair,
        whole_or_none,
    )
    from streamvsr.config import CODECS, CONTAINERS
    from streamvsr.settings import UNGIVEN

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
    switch = argparse.BooleanOptionalAction  # so that one of a file can be taken back
    add("-y", "--overwrite", action=switch, help="replace OUT where it exists")
    add(
        "--resume", default="auto", metavar="auto|yes|no|frames",
        help="what an interrupted job on OUT has done: auto goes on with it where there is one, "
        "yes demands one, no starts over, frames goes on even where libraries or processor changed "
        "(default: auto)",
    )  # fmt: skip
    add(
        "--config", metavar="FILE",
        help="options by name, as JSON or YAML; STREAMVSR_<OPTION> in the environment stands above "
        "it, the command line above both",
    )  # fmt: skip
    add("-q", "--quiet", action="store_true", help="print errors only")

    add_enhancement(parser)
    add_steadying(parser)
    add = parser.add_argument_group("video of the output").add_argument
    add("--codec", default="h264", metavar="|".join(CODECS), help="(default: h264)")
    add(
        "--crf",
        type=float,
        metavar="0-51",
        help="quality, 0 best; av1 1-63 (default: h264 18, hevc 20, av1 25)",
    )
    add(
        "--encoder-preset", metavar="NAME",
        help="ultrafast to placebo, av1 also 0 to 13 (default: medium)",
    )  # fmt: skip
    add("--pixel-format", metavar="NAME", help="such as yuv420p10le (default: the source's)")
    for side, other in (("width", "height"), ("height", "width")):
        add(
            f"--{side}", type=int, metavar="SAMPLES",
            help=f"of the output (default: as {other} and scale say)",
        )  # fmt: skip
    add_reading(add)
    add(
        "--streams", default=[], type=listed, metavar="SPEC,...",
        help="what is carried beside the video, as FFmpeg writes it: a:0,s:m:language:eng "
        "(default: all)",
    )  # fmt: skip
    add(
        "--encoder-option", metavar="NAME=VALUE", action="append", default=[], type=pair,
        help="a further option of the encoder; may be repeated",
    )  # fmt: skip
    add("--container", metavar="|".join(CONTAINERS), help="(default: from OUT's suffix)")

    add = parser.add_argument_group("machine").add_argument
    add(
        "--max-memory-mb", type=whole_or_none, metavar="MB|none",
        help="most memory for frames and packets in flight (default: none: what the job needs, at "
        "most half of what is free)",
    )  # fmt: skip
    add(
        "--max-frames-mb", type=whole_or_none, metavar="MB|none",
        help="most memory for pictures between decoder, network and encoder (default: none)",
    )  # fmt: skip
    add_max_vram(add)
    add(
        "--memory-warning-mb", type=int, metavar="MB",
        help="warn and take less beyond so much memory (default: 90 %% of what there is)",
    )  # fmt: skip
    add(
        "--disk-ratio", type=number_or_none, default=3.0, metavar="X|none",
        help="most that input and output together may take, as a multiple of the input "
        "(default: 3.0); none: any size",
    )  # fmt: skip
    add(
        "--max-disk-fraction", type=number_or_none, default=0.8, metavar="0-1|none",
        help="most of the free disk space that the job may take (default: 0.8); none: not checked",
    )  # fmt: skip
    add(
        "--segment-seconds", type=float, default=10.0, metavar="S",
        help="length of the spans encoded independently (default: 10)",
    )  # fmt: skip
    add_threads(add, "encoder", "decoder", "compute")
    add("--strict", action=switch, help="damage in the source is an error")
    # An option that is not named leaves the word to the environment and the file.
    parser.set_defaults(run=_upscale, **UNGIVEN)


def _config(options: argparse.Namespace) -> StreamingConfig:
    from streamvsr.settings import command_config

    return command_config(options)


def _upscale(options: argparse.Namespace) -> int:
    from streamvsr import _core, api, display, monitor, progress
    from streamvsr.errors import StreamvsrError

    config = _config(options)
    target = options.output or str(api.default_output_path(options.input, config.container))
    options.target_before = _identity(target)
    options.target = target
    job = _core.Job(api.job_config(config, options.input, target))
    try:
        announced = list(job.plan.warnings)
        if not options.quiet:
            print(display.plan_text(options.input, target, job.plan), file=sys.stderr)
            for warning in announced:
                complain(f"warning: {warning}")
        bar = not options.quiet and sys.stderr.isatty()
        try:
            with progress.announcing(announced, None if options.quiet else complain):
                watch = monitor.StreamingMonitor(config.memory_warning_mb)
                result = api.run_job(job, options.input, target, bar, watch)
        except (StreamvsrError, MemoryError) as error:
            complain(sentence(error))
            return FAILED
    finally:
        job.close()
    if not options.quiet:
        for warning in result.warnings:
            if warning not in announced:
                complain(f"warning: {warning}")
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


def _models(options: argparse.Namespace) -> int:
    from streamvsr import display
    from streamvsr.models import packaged_models

    print(display.models_text(packaged_models()))
    return OK


if __name__ == "__main__":
    sys.exit(main())
