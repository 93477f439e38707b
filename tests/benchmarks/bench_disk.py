"""The disk budget held, used, and beside the encoder's own rate control at the same size.

    python tests/benchmarks/bench_disk.py [NAME...] [--films 30] [--clips FOLDER]
                              [--codecs h264 hevc av1] [--size 480x270] [--part 0.6]
                              [--rate-control] [--seconds 10] [--memory 12288]

Films are generated: pictures of very different content and bitrate, eight seconds each. Every one
is enlarged (nearest) twice: without a budget, and with a disk_ratio that leaves the video about
`part` of what it took then. An attachment in each film and clip uses up the 1 MiB that is free in
any case, so that small outputs are bound too. Printed are the file's size and limit, and how much
of what it might have the video took, where it was bound.

--rate-control also encodes the same enlarged frames by FFmpeg with the same encoder and preset
under its own limit (x264 and x265: crf with maxrate and bufsize of two seconds; SVT-AV1: variable
bitrate), searched until the video's size is ours within 1 %, or the nearest of seven, and compares
PSNR-Y and, where an ffmpeg with libvmaf is found, VMAF; ours minus the other's, dB and points.
--seconds takes no more than so much of each clip. --memory is max_memory_mb: with too little of it
for a draft (4096 for AV1 to 3840x2160), pictures are encoded again from their own packets.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import streamvsr
from helpers import ffprobe, run

LEAST_IN_ALL = 1 << 20  # what input, output and checkpoint may take, whatever the ratio
_BALLAST = LEAST_IN_ALL  # so that the ratio alone counts
PRESETS = {"h264": "veryfast", "hevc": "ultrafast", "av1": "10"}
ENCODERS = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1"}
CRF = {"h264": 18, "hevc": 20, "av1": 25}
_CONTENT = (
    "testsrc2=s={s}:r={r}",
    "mandelbrot=s={s}:r={r}",
    "life=s={s}:r={r}:mold=10:ratio=0.1:death_color=#C83232:life_color=#00ff00",
    "cellauto=s={s}:r={r}:rule=110",
    "gradients=s={s}:r={r}:speed=0.02",
    "smptehdbars=s={s}:r={r}",
    "testsrc=s={s}:r={r},hue=h=40*t:b=sin(t)",
    "mandelbrot=s={s}:r={r},noise=alls=25:allf=t",
    "color=gray:s={s}:r={r},noise=alls=60:allf=t+u",
    "testsrc2=s={s}:r={r},boxblur=6,noise=alls=8:allf=t,fade=in:0:30,fade=out:100:30",
)
_CODING = (
    ("libx264", "-preset", "veryfast", "-crf", "18"),
    ("libx264", "-preset", "veryfast", "-crf", "30"),
    ("libx265", "-preset", "ultrafast", "-crf", "26", "-x265-params", "log-level=none"),
)


def make_film(folder: Path, number: int, size: str) -> Path:
    """The film of a number: a content and a coding."""
    content = _CONTENT[number % len(_CONTENT)].format(s=size, r=(24, 30, 25)[number % 3])
    codec, *options = _CODING[number // len(_CONTENT) % len(_CODING)]
    path = folder / f"film{number:02d}.mkv"
    run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", content, "-t", "8", "-pix_fmt", "yuv420p",
         "-c:v", codec, *options, *ballast(folder), path]
    )  # fmt: skip
    return path


def ballast(folder: Path) -> list[str]:
    """FFmpeg's options for the attachment."""
    path = folder / "ballast"
    path.write_bytes(bytes(_BALLAST))
    return ["-attach", str(path), "-metadata:s:t", "mimetype=application/octet-stream"]


def with_ballast(clip: Path, folder: Path, seconds: float = 1e6) -> Path:
    """The clip's pictures with the attachment; the clip where Matroska cannot hold its packets."""
    path = folder / f"{clip.stem}.mkv"
    try:
        run(
            ["ffmpeg", "-v", "error", "-i", clip, "-t", str(seconds), "-map", "0:v:0", "-c", "copy",
             *ballast(folder), path]
        )  # fmt: skip
    except AssertionError:
        return clip
    return path


@dataclass(frozen=True)
class Held:
    """A job under a budget that binds."""

    output: Path
    ratio: float
    limit: int  # bytes that the output might have
    size: int
    use: float  # of the shares of the segments that were bound
    bound: bool


def options_for(codec: str, memory: int) -> dict[str, Any]:
    return {
        "model": "nearest", "codec": codec, "encoder_preset": PRESETS[codec], "overwrite": True,
        "resume": False, "segment_seconds": 10.0, "streams": ("v",), "max_memory_mb": memory,
    }  # fmt: skip


def hold(source: Path, folder: Path, codec: str, part: float, memory: int) -> Held | None:
    """Both runs; nothing where no budget of that part can be held."""
    output = folder / f"{source.stem}_{codec}.mkv"
    options = options_for(codec, memory)
    streamvsr.upscale(source, output, disk_ratio=None, **options)
    before = source.stat().st_size
    packets = packet_sizes(output)
    # As docs/disk-budget.md has it: what else the output is, and two checkpoints.
    reserved = before - sum(packet_sizes(source)) + 40 * len(packets) + (147 << 10)
    ratio = 1 + (part * sum(packets) + reserved) / before
    try:
        result = streamvsr.upscale(source, output, disk_ratio=ratio, **options)
    except streamvsr.errors.ConfigError as error:
        print(f"{source.name} {codec}: refused: {str(error)[:120]}", file=sys.stderr)
        return None
    report = result.performance_report["disk_budget"]
    share = report["bound_share_bytes"]
    return Held(
        output, ratio, int((ratio - 1) * before), output.stat().st_size,
        report["bound_bytes"] / share if share else 0.0, share > 0,
    )  # fmt: skip


def packet_sizes(path: Path) -> list[int]:
    """Of the first video stream."""
    answer = ffprobe(path, "-select_streams", "v:0", "-show_entries", "packet=size")
    return [int(packet["size"]) for packet in answer["packets"]]


def video_bytes(path: Path) -> int:
    return sum(packet_sizes(path))


def quality(path: Path, reference: Path) -> tuple[float, float]:
    """PSNR-Y, dB, and VMAF (0 where there is no program for it)."""
    try:
        found = streamvsr.compare(path, reference, metrics=["psnr", "vmaf"])
    except streamvsr.errors.MissingToolError:
        found = streamvsr.compare(path, reference, metrics=["psnr"])
    vmaf = found.metrics.get("vmaf")
    return (
        found.metrics["psnr"].overall["y"],
        vmaf.overall["mean"] if vmaf is not None else 0.0,
    )


def beside(reference: Path, folder: Path, codec: str, wanted: int, seconds: float) -> Path:
    """The same frames under the encoder's own limit, at the same size within 1 %."""
    path = folder / f"own_{codec}.mkv"
    best = folder / f"best_{codec}.mkv"
    target, nearest = float(wanted), 1e9
    for _ in range(7):
        rate = max(1000, int(8 * target / seconds))
        limit = ["-crf", str(CRF[codec]), "-maxrate", str(rate), "-bufsize", str(2 * rate)]
        if codec == "av1":
            limit = ["-b:v", str(rate)]
        quiet = ["-x265-params", "log-level=none"] if codec == "hevc" else []
        run(
            ["ffmpeg", "-v", "error", "-y", "-i", reference, "-vsync", "passthrough",
             "-enc_time_base", "-1", "-c:v",
             ENCODERS[codec], "-preset", PRESETS[codec], "-g", "9999", *limit, *quiet, path]
        )  # fmt: skip
        size = video_bytes(path)
        if abs(size / wanted - 1) < nearest:
            nearest = abs(size / wanted - 1)
            path.replace(best)
        if nearest < 0.01:
            break
        target *= min(3.0, max(0.3, wanted / size))
    return best


def compare(source: Path, folder: Path, codec: str, held: Held) -> tuple[float, float]:
    """Ours minus the encoder's own: PSNR-Y and VMAF at one size."""
    frames = folder / "frames.mkv"
    streamvsr.upscale(
        source, frames, model="nearest", codec="ffv1", disk_ratio=None, overwrite=True,
        resume=False, streams=("v",), max_memory_mb=4096,
    )  # fmt: skip
    seconds = float(ffprobe(held.output)["format"]["duration"])
    own = beside(frames, folder, codec, video_bytes(held.output), seconds)
    ours, theirs = quality(held.output, frames), quality(own, frames)
    print(
        f"    {video_bytes(held.output)} bytes, own {video_bytes(own)}: PSNR-Y {ours[0]:.2f} / "
        f"{theirs[0]:.2f}, VMAF {ours[1]:.2f} / {theirs[1]:.2f}",
        flush=True,
    )
    return ours[0] - theirs[0], ours[1] - theirs[1]


def main() -> int:
    """Prints a line a job and the sums."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="of clips; default: all of the folder")
    parser.add_argument("--films", type=int, default=30)
    parser.add_argument("--size", default="480x270", help="of the films")
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--codecs", nargs="+", default=["h264", "hevc", "av1"])
    parser.add_argument("--part", type=float, default=0.6)
    parser.add_argument("--rate-control", action="store_true")
    parser.add_argument("--seconds", type=float, default=1e6, help="of each clip, at most")
    parser.add_argument("--memory", type=int, default=4096, help="MiB; max_memory_mb")
    o = parser.parse_args()
    uses: dict[str, list[float]] = {codec: [] for codec in o.codecs}
    gains: dict[str, list[tuple[float, float]]] = {codec: [] for codec in o.codecs}
    broken = 0
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        folder = Path(name)
        clips = sorted(p for p in o.clips.iterdir() if p.is_file()) if o.clips else []
        sources = [make_film(folder, n, o.size) for n in range(o.films)]
        sources += [
            with_ballast(clip, folder, o.seconds)
            for clip in clips
            if not o.names or clip.name in o.names
        ]
        for source in sources:
            for codec in o.codecs:
                held = hold(source, folder, codec, o.part, o.memory)
                if held is None:
                    continue
                broken += held.size > held.limit
                print(
                    f"{source.name} {codec}: ratio {held.ratio:.3f}, {held.size} of {held.limit} "
                    f"bytes{'' if held.size <= held.limit else ' BROKEN'}, "
                    + (f"use where bound {100 * held.use:.1f} %" if held.bound else "not bound"),
                    flush=True,
                )
                if held.bound:
                    uses[codec].append(held.use)
                if held.bound and o.rate_control:
                    gains[codec].append(compare(source, folder, codec, held))
                held.output.unlink()
    for codec, values in uses.items():
        if values:
            print(
                f"{codec}: bound in {len(values)} jobs, use median "
                f"{100 * statistics.median(values):.1f} %, least {100 * min(values):.1f} %"
            )
        if gains[codec]:
            for kind, unit in enumerate(("PSNR-Y, dB", "VMAF")):
                each = [gain[kind] for gain in gains[codec]]
                print(
                    f"{codec}: ours - own, {unit}: mean {statistics.fmean(each):+.3f}, median "
                    f"{statistics.median(each):+.3f}, {min(each):+.3f}..{max(each):+.3f}"
                )
    print(f"broken budgets: {broken}")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
