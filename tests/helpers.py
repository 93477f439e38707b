"""What the tests share: FFmpeg's own programs as the outsider, and clips made on the spot.

Generated clips carry their frame number in the picture (16 black or white blocks along the top), so
a test can tell a lost, doubled or swapped frame from a right one after scaling and lossy coding.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

REPO = Path(__file__).resolve().parent.parent
NUMBER_BITS = 16
_BLACK, _WHITE = 40, 210

PathLike = str | os.PathLike[str]


def run(
    command: Sequence[str | os.PathLike[str]], stdin: bytes | None = None, timeout: float = 300
) -> subprocess.CompletedProcess[bytes]:
    """Runs a program to its end; its stderr becomes the failure's message when it fails."""
    done = subprocess.run(
        [os.fspath(word) for word in command], input=stdin, capture_output=True, timeout=timeout
    )
    if done.returncode != 0:
        words = " ".join(os.fspath(word) for word in command)
        raise AssertionError(
            f"{words}\nexit {done.returncode}\n{done.stderr.decode(errors='replace')}"
        )
    return done


@contextmanager
def busy_processor() -> Iterator[None]:
    """Keeps a processor busy with something else meanwhile.

    That sleeps now and then: on small virtual machines loops that never do starve all else. It ends
    with the tests, however they end.
    """
    loop = """
import os, time
parent = os.getppid()
while os.getppid() == parent:
    sum(range(200000)); time.sleep(0.002)
"""
    with subprocess.Popen([sys.executable, "-c", loop]) as load:
        try:
            yield
        finally:
            load.kill()


# --- what FFmpeg says of a file -------------------------------------------------------------------


def ffprobe(path: PathLike, *options: str) -> dict[str, Any]:
    """ffprobe's JSON answer; without options: format, streams and chapters."""
    asked = options or ("-show_format", "-show_streams", "-show_chapters")
    done = run(["ffprobe", "-v", "error", "-of", "json", *asked, os.fspath(path)])
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def streams(path: PathLike, kind: str = "") -> list[dict[str, Any]]:
    """The streams of a file, all or of one kind ("video", "audio", "subtitle", "data" ...)."""
    found: list[dict[str, Any]] = ffprobe(path, "-show_streams")["streams"]
    return [stream for stream in found if not kind or stream["codec_type"] == kind]


def is_cover(stream: dict[str, Any]) -> bool:
    """True for a picture that is attached to a file rather than played."""
    return bool(stream["disposition"]["attached_pic"])


def _version(path: PathLike) -> tuple[int, int, int]:
    known = os.stat(path)
    return known.st_ino, known.st_mtime_ns, known.st_size


def frame_times(path: PathLike, spec: str = "v:0") -> list[Fraction]:
    """Presentation time of each decoded frame in seconds, exact, in the order of the decoder.

    Edit lists are applied: a frame outside of them is not listed. A frame for which the container
    gives no time (MPEG program streams do so) follows the one before it by that one's duration.
    A file that has not changed is decoded once.
    """
    return list(_frame_times(os.fspath(path), spec, _version(path)))


@lru_cache(maxsize=64)
def _frame_times(path: str, spec: str, version: tuple[int, int, int]) -> list[Fraction]:
    answer = ffprobe(
        path, "-select_streams", spec, "-show_entries",
        "stream=time_base:frame=pts,best_effort_timestamp,pkt_duration,duration",
    )  # fmt: skip
    base = Fraction(answer["streams"][0]["time_base"])
    times: list[int] = []
    expected = None
    for frame in answer.get("frames", []):
        time = frame.get("pts", frame.get("best_effort_timestamp", expected))
        times.append(int(time))
        expected = times[-1] + int(frame.get("duration", frame.get("pkt_duration", 0)))
    return [base * time for time in times]


def packet_times(path: PathLike, spec: str) -> list[Fraction]:
    """Presentation time of each packet in seconds, exact, in the order of the file."""
    answer = ffprobe(path, "-select_streams", spec, "-show_entries", "stream=time_base:packet=pts")
    base = Fraction(answer["streams"][0]["time_base"])
    return [base * int(packet["pts"]) for packet in answer.get("packets", []) if "pts" in packet]


@dataclass(frozen=True)
class HashedFrame:
    """One line of FFmpeg's framemd5."""

    dts: Fraction  # seconds
    pts: Fraction  # seconds
    size: int  # bytes
    md5: str


def _framemd5(arguments: Sequence[str]) -> list[HashedFrame]:
    text = run(
        ["ffmpeg", "-v", "error", "-nostdin", *arguments, "-f", "framemd5", "-"]
    ).stdout.decode()
    base = Fraction(1)
    lines = []
    for line in text.splitlines():
        if line.startswith("#tb 0:"):
            base = Fraction(line.split(":", 1)[1].strip())
        elif line and not line.startswith("#"):
            _, dts, pts, _, size, md5 = (word.strip() for word in line.split(",")[:6])
            lines.append(HashedFrame(int(dts) * base, int(pts) * base, int(size), md5))
    return lines


def frame_hashes(path: PathLike, spec: str = "v:0", pixel_format: str = "") -> list[HashedFrame]:
    """Decoded frames of a stream: none added, none dropped, times as in the file."""
    options = ["-pix_fmt", pixel_format] if pixel_format else []
    passthrough = ["-fps_mode", "passthrough", "-enc_time_base", "-1"] if spec[0] == "v" else []
    return _framemd5(
        [
            "-copyts",
            "-noautorotate",
            "-i",
            os.fspath(path),
            "-map",
            f"0:{spec}",
            *passthrough,
            *options,
        ]
    )


def packet_hashes(path: PathLike, spec: str) -> list[HashedFrame]:
    """Coded packets of a stream, payload by payload."""
    return _framemd5(["-copyts", "-i", os.fspath(path), "-map", f"0:{spec}", "-c", "copy"])


def decoded_frames(path: PathLike, spec: str = "v:0") -> int:
    """How many frames FFmpeg decodes from a stream."""
    done = run(
        ["ffmpeg", "-v", "error", "-nostdin", "-i", os.fspath(path), "-map", f"0:{spec}",
         "-fps_mode", "passthrough", "-f", "null", "-progress", "-", "-"]
    )  # fmt: skip
    counts = [line for line in done.stdout.decode().splitlines() if line.startswith("frame=")]
    return int(counts[-1].split("=")[1]) if counts else 0


def decoder_complaints(path: PathLike) -> str:
    """What FFmpeg says, at level "warning", while it plays every stream of a file; at best ""."""
    done = run(
        ["ffmpeg", "-v", "warning", "-nostdin", "-i", os.fspath(path), "-map", "0:v",
         "-map", "0:a?", "-map", "0:s?", "-c:s", "copy", "-fps_mode", "passthrough",
         "-enc_time_base", "-1", "-f", "null", "-"]
    )  # fmt: skip
    return done.stderr.decode().strip()


def luma_frames(path: PathLike, spec: str = "v:0") -> Iterator[NDArray[np.uint8]]:
    """Luma of one frame after the other, shape (height, width), 8 bit, as coded (not rotated)."""
    video = streams(path, "video")[int(spec.split(":")[1])]
    height, width = int(video["height"]), int(video["width"])
    program = subprocess.Popen(
        ["ffmpeg", "-v", "error", "-nostdin", "-noautorotate", "-i", os.fspath(path),
         "-map", f"0:{spec}", "-fps_mode", "passthrough", "-vf", "extractplanes=y,format=gray",
         "-f", "rawvideo", "-"],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert program.stdout is not None
    with program:
        while data := program.stdout.read(height * width):
            yield np.frombuffer(data, np.uint8).reshape(height, width)
    if program.returncode:
        raise AssertionError(f"ffmpeg cannot decode {path}: exit {program.returncode}")


def luma(path: PathLike, spec: str = "v:0") -> NDArray[np.uint8]:
    """Luma of every frame, shape (frames, height, width), as luma_frames gives it."""
    return np.stack(list(luma_frames(path, spec)))


def psnr(first: NDArray[Any], second: NDArray[Any], peak: float = 255) -> float:
    """Peak signal-to-noise ratio in dB; infinite for equal pictures."""
    error = float(np.mean((first.astype(np.float64) - second.astype(np.float64)) ** 2))
    return float("inf") if error == 0 else float(10 * np.log10(peak * peak / error))


# --- clips made on the spot ---------------------------------------------------------------------


@dataclass(frozen=True)
class ClipRecipe:
    """A clip to generate. Frame n shows the number n and a pattern that moves with n.

    select keeps the frames for which the FFmpeg expression of n is not 0 (true VFR: the kept frames
    keep their times and their numbers). options go to FFmpeg's output side, before the file name.
    """

    frames: int = 50
    width: int = 64
    height: int = 48
    rate: str = "25"
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    select: str = ""
    audio: str = ""  # an encoder's name: a sine tone as long as the video; "" for none
    audio_streams: int = 1
    audio_offset: float = 0.0  # seconds by which the audio starts later than the video
    subtitles: str = ""  # an encoder's name ("srt", "mov_text"): one text a second; "" for none
    chapters: int = 0
    metadata: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()


def number_picture(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """A luma plane (height, width) that shows a number below 65536; width >= 32, height >= 4."""
    y, x = np.mgrid[0:height, 0:width]
    pattern = 96 + 64 * np.sin((x + 3 * number) / 7.0) * np.cos((y + number) / 5.0)
    picture: NDArray[np.uint8] = pattern.astype(np.uint8)
    for bit in range(NUMBER_BITS):
        left, right = bit * width // NUMBER_BITS, (bit + 1) * width // NUMBER_BITS
        picture[: height // 4, left:right] = _WHITE if number >> bit & 1 else _BLACK
    return picture


def read_number(picture: NDArray[np.uint8]) -> int:
    """The number that a luma plane of number_picture shows, also after scaling and lossy coding."""
    height, width = picture.shape
    rows = picture[height // 16 : max(height // 16 + 1, height * 3 // 16)].astype(np.float64)
    number = 0
    for bit in range(NUMBER_BITS):
        centre, reach = int((bit + 0.5) * width / NUMBER_BITS), width // 128
        block = rows[:, centre - reach : centre + reach + 1]
        number |= int(block.mean() > (_BLACK + _WHITE) / 2) << bit
    return number


def numbers(path: PathLike, spec: str = "v:0") -> list[int]:
    """The number shown by each frame of a generated clip, or of its enhanced version."""
    return [read_number(picture) for picture in luma_frames(path, spec)]


def _raw_frames(recipe: ClipRecipe) -> Iterator[bytes]:
    chroma_height, chroma_width = (recipe.height + 1) // 2, (recipe.width + 1) // 2
    for number in range(recipe.frames):
        yield number_picture(number, recipe.width, recipe.height).tobytes()
        yield bytes([112 + number % 32]) * (chroma_height * chroma_width)
        yield bytes([144 - number % 32]) * (chroma_height * chroma_width)


def make_clip(path: PathLike, recipe: ClipRecipe = ClipRecipe(), **changes: Any) -> Path:
    """Writes a clip and returns its path; changes replace fields of the recipe."""
    if changes:
        recipe = ClipRecipe(**{**recipe.__dict__, **changes})
    path = Path(path)
    seconds = recipe.frames / Fraction(recipe.rate)
    command = [
        "ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "yuv420p",
        "-s", f"{recipe.width}x{recipe.height}", "-r", recipe.rate, "-i", "-",
    ]  # fmt: skip
    maps = ["-map", "0:v"]
    inputs = 1
    if recipe.audio:
        for index in range(recipe.audio_streams):
            tone = f"sine=frequency={440 * (index + 1)}:duration={float(seconds)}"
            command += ["-itsoffset", str(recipe.audio_offset), "-f", "lavfi", "-i", tone]
            maps += ["-map", f"{inputs}:a"]
            inputs += 1
    side_files = []
    if recipe.subtitles:
        texts = path.with_name(path.name + ".texts.srt")
        texts.write_text(_srt(max(1, int(seconds))))
        side_files.append(texts)
        command += ["-i", os.fspath(texts)]
        maps += ["-map", f"{inputs}:s"]
        inputs += 1
    if recipe.chapters:
        marks = path.with_name(path.name + ".chapters.txt")
        marks.write_text(_chapters(recipe.chapters, float(seconds)))
        side_files.append(marks)
        command += ["-i", os.fspath(marks)]
        maps += ["-map_chapters", str(inputs), "-map_metadata", str(inputs)]
    command += [*maps, "-c:v", recipe.codec, "-pix_fmt", recipe.pixel_format]
    if recipe.select:
        command += ["-vf", f"select='{recipe.select}'", "-fps_mode", "passthrough"]
    if recipe.audio:
        command += ["-c:a", recipe.audio]
    if recipe.subtitles:
        command += ["-c:s", recipe.subtitles]
    for key, value in recipe.metadata.items():
        command += ["-metadata", f"{key}={value}"]
    try:
        run([*command, *recipe.options, os.fspath(path)], stdin=b"".join(_raw_frames(recipe)))
    finally:
        for file in side_files:
            file.unlink()
    return path


def _srt(texts: int) -> str:
    blocks = [
        f"{n + 1}\n00:{n // 60:02}:{n % 60:02},100 --> 00:{n // 60:02}:{n % 60:02},900\nText {n}\n"
        for n in range(texts)
    ]
    return "\n".join(blocks)


def _chapters(count: int, seconds: float) -> str:
    lines = [";FFMETADATA1"]
    for n in range(count):
        start, end = int(1000 * seconds * n / count), int(1000 * seconds * (n + 1) / count)
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", f"START={start}", f"END={end}", f"title=Part {n}"]
    return "\n".join(lines) + "\n"


# --- the program under test -----------------------------------------------------------------------


def cli_command(*arguments: PathLike) -> list[str]:
    """The command line of `streamvsr`, run by the Python that runs the tests."""
    return [sys.executable, "-m", "streamvsr", *(os.fspath(word) for word in arguments)]


def cli(
    *arguments: PathLike, timeout: float = 300, room: int | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Runs `streamvsr` to its end, whatever its exit code.

    room: no file may grow beyond so many bytes, as if the disk were full then: ends a job at a
    place that does not depend on speed; say --max-disk-fraction none, or the job is refused.
    options: of subprocess.run().
    """
    if room is not None:
        options["preexec_fn"] = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    return subprocess.run(
        cli_command(*arguments), capture_output=True, text=True, timeout=timeout, check=False,
        **options,
    )  # fmt: skip


def listing(folder: Path) -> dict[str, str]:
    """What lies under a folder: names, and for regular files a digest of the contents."""
    return {
        path.relative_to(folder).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "other"
        )
        for path in sorted(folder.rglob("*"))
    }
