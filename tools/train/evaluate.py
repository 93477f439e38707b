"""Measures a network file against interpolation on real clips and on the held-out photographs.

    python evaluate.py NETWORK.safetensors WORK [--clips ../shared/clips] [--vmaf]
                       [--sources lossless h264:23 h264:28 hevc:28]

The clips' largest video streams are halved by area, passed through the codec, brought back, and
compared with what they were: PSNR-Y, SSIM and, with `--vmaf`, VMAF NEG. Prints Markdown tables;
`--json FILE` keeps the figures. `--offset Q` tells the network a quantiser that is wrong by Q, to
see what an estimation error costs.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import cv2
import imageio_ffmpeg  # type: ignore[import-untyped]
import numpy as np
import torch
from codec import Plane, luma_of, through_codec
from photos import PHOTOS, fetch, read_luma
from safetensors import safe_open
from torch import Tensor
from torch.nn import functional

FRAMES, SKIP = 16, 30
BORDER = 8  # samples left out of PSNR and SSIM on each side
Scores = dict[str, float]


class Network:
    """A network file of the kinds that train.py writes, run in fp32."""

    def __init__(self, path: Path) -> None:
        """Refuses what is not a luma network of format 1."""
        with safe_open(path, "pt") as data:
            self._about = json.loads(data.metadata()["streamvsr"])
            self._tensors = {name: data.get_tensor(name).float() for name in data.keys()}  # noqa: SIM118
        if self._about["format"] != 1 or self._about["planes"] != "luma":
            raise ValueError(f"{path}: not a luma network of format 1")

    def __call__(self, luma: Plane, strength: float) -> Plane:
        """The enlarged plane, rounded as the format says."""
        frame = torch.from_numpy(luma.astype(np.float32) / 255)[None, None]
        stacks = {"frame": frame, "codec_strength": torch.full_like(frame, strength)}
        value: Tensor = torch.cat([stacks[name] for name in self._about["inputs"]], 1)
        value = value.contiguous(memory_format=torch.channels_last)
        for layer in self._about["layers"]:
            value = self._apply(layer, value)
        if self._about["residual"] == "nearest":
            value = value + functional.interpolate(
                frame, scale_factor=float(self._about["scale"]), mode="nearest"
            )
        codes: Plane = (value.clamp(0, 1) * 255).round().byte()[0, 0].numpy()
        return codes

    def _apply(self, layer: dict[str, str], value: Tensor) -> Tensor:
        match layer["op"]:
            case "conv3x3":
                return functional.conv2d(
                    value, self._tensors[layer["weight"]], self._tensors[layer["bias"]], padding=1
                )
            case "relu":
                return value.relu()
            case "prelu":
                return functional.prelu(value, self._tensors[layer["weight"]])
            case "pixel_shuffle":
                return functional.pixel_shuffle(value, int(layer["factor"]))
        raise ValueError(f"layer {layer['op']} is not known here")


def read_clip(path: Path) -> list[Plane]:
    """FRAMES frames, from frame SKIP on if there are enough; the sides are multiples of 4."""
    frames: list[Plane] = []
    with av.open(str(path)) as container:
        stream = max(container.streams.video, key=lambda video: video.width)
        for frame in container.decode(stream):
            frames.append(luma_of(frame))
            if len(frames) == SKIP + FRAMES:
                break
    height, width = (side // 4 * 4 for side in frames[0].shape)
    return [frame[:height, :width] for frame in frames[-FRAMES:]]


def pan_photo(luma: Plane) -> list[Plane]:
    """A photograph as a slow pan of 640x480."""
    top, left = (luma.shape[0] - 480) // 2, (luma.shape[1] - 640 - 3 * FRAMES) // 2
    return [
        luma[top + i : top + i + 480, left + 3 * i : left + 3 * i + 640]
        for i in range(-FRAMES // 2, FRAMES // 2)
    ]


def halve(frame: Plane) -> Plane:
    """The mean of each two by two samples, rounded."""
    small: Plane = cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return small


def interpolate(frames: Sequence[Plane], method: str) -> list[Plane]:
    """FFmpeg's scale filter, accurate rounding, twice the size."""
    height, width = frames[0].shape
    size = ["-f", "rawvideo", "-pix_fmt", "gray"]
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-nostdin",
        *size,
        "-s",
        f"{width}x{height}",
        "-i",
        "-",
    ]
    command += ["-vf", f"scale={2 * width}:{2 * height}:flags={method}+accurate_rnd", *size, "-"]
    data = subprocess.run(
        command, input=b"".join(f.tobytes() for f in frames), capture_output=True, check=True
    ).stdout
    return list(np.frombuffer(data, np.uint8).reshape(len(frames), 2 * height, 2 * width))


def psnr(result: Sequence[Plane], truth: Sequence[Plane]) -> float:
    """The mean over frames, in dB; a frame counts 100 dB at most."""
    inner = (slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    errors = [
        np.square(a[inner].astype(np.float64) - b[inner]).mean()
        for a, b in zip(result, truth, strict=True)
    ]
    return float(np.mean([10 * np.log10(255**2 / max(error, 255**2 * 1e-10)) for error in errors]))


def ssim(result: Sequence[Plane], truth: Sequence[Plane]) -> float:
    """The usual one: Gaussian window of 11 samples, sigma 1.5; mean over frames."""

    def smooth(value: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(value, (11, 11), 1.5)

    means = []
    for first, second in zip(result, truth, strict=True):
        a, b = first.astype(np.float64), second.astype(np.float64)
        mean_a, mean_b = smooth(a), smooth(b)
        var_a, var_b, both = (
            smooth(a * a) - mean_a**2,
            smooth(b * b) - mean_b**2,
            smooth(a * b) - mean_a * mean_b,
        )
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        index = ((2 * mean_a * mean_b + c1) * (2 * both + c2)) / (
            (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
        )
        means.append(index[BORDER:-BORDER, BORDER:-BORDER].mean())
    return float(np.mean(means))


def vmaf_neg(result: Sequence[Plane], truth: Sequence[Plane]) -> float:
    """libvmaf's NEG model, which gives no credit for sharpening; grey chroma."""
    height, width = truth[0].shape
    chroma = bytes([128]) * (height * width // 2)
    with tempfile.TemporaryDirectory() as folder:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner"]
        for name, frames in (("result", result), ("truth", truth)):
            path = Path(folder, name)
            path.write_bytes(b"".join(frame.tobytes() + chroma for frame in frames))
            command += [
                "-f",
                "rawvideo",
                "-pix_fmt",
                "yuv420p",
                "-s",
                f"{width}x{height}",
                "-i",
                str(path),
            ]
        command += ["-lavfi", "libvmaf=model=version=vmaf_v0.6.1neg", "-f", "null", "-"]
        log = subprocess.run(command, capture_output=True, check=True, text=True).stderr
    found = re.search(r"VMAF score: ([0-9.]+)", log)
    if not found:
        raise RuntimeError(f"no VMAF score in FFmpeg's log: {log[-500:]}")
    return float(found[1])


def measure(
    network: Network, truth: Sequence[Plane], source: str, offset: float, vmaf: bool
) -> Scores:
    """All figures of one clip from one source; `best` is the better interpolation of the two."""
    low, strength = [halve(frame) for frame in truth], 0.0
    if source != "lossless":
        codec, rate = source.split(":")
        encoder = {"h264": "libx264", "hevc": "libx265"}[codec]
        quiet = {"x265-params": "log-level=none:info=0"} if codec == "hevc" else {}
        low, quantiser, _ = through_codec(low, encoder, {"crf": rate, "preset": "medium"} | quiet)
        strength = min(max(quantiser + offset, 0.5), 51) / 51
    with torch.inference_mode():
        ours = [network(frame, strength) for frame in low]
    rivals = [interpolate(low, method) for method in ("lanczos", "bicubic")]
    scores = {"quantiser": strength * 51}
    for name, metric in (("psnr", psnr), ("ssim", ssim), ("vmaf_neg", vmaf_neg)):
        if name != "vmaf_neg" or vmaf:
            scores[f"{name}_best"] = max(metric(rival, truth) for rival in rivals)
            scores[name] = metric(ours, truth)
    return scores


def sources_of(work: Path, clips: Path) -> Iterator[tuple[str, list[Plane]]]:
    """The clips of the folder, then the held-out photographs, by name."""
    for path in sorted(clips.iterdir()) if clips.is_dir() else []:
        if path.suffix in {".mp4", ".mkv", ".webm", ".mpg", ".y4m"}:
            yield path.stem, read_clip(path)
    fetch(work)
    for photo in PHOTOS:
        if photo.held_out:
            yield f"photo {photo.name}", pan_photo(read_luma(work, photo, 1600))


def markdown(table: dict[str, dict[str, Scores]], source: str) -> str:
    """The gains over the better interpolation, a row a clip and their mean."""
    rows = {name: scores[source] for name, scores in table.items()}
    metrics = [m for m in ("psnr", "ssim", "vmaf_neg") if m in next(iter(rows.values()))]
    titles = {"psnr": "PSNR-Y", "ssim": "SSIM", "vmaf_neg": "VMAF NEG"}
    keys = list(next(iter(rows.values())))
    rows["**mean**"] = {key: float(np.mean([row[key] for row in rows.values()])) for key in keys}
    lines = [
        f"| {source} | QP |"
        + "".join(f" {titles[m]} interpolated | network | gain |" for m in metrics)
    ]
    lines.append("| --- |" + " ---: |" * (1 + 3 * len(metrics)))
    for name, row in rows.items():
        cells = [name, f"{row['quantiser']:.1f}"]
        for metric in metrics:
            digits = 4 if metric == "ssim" else 2
            best, ours = row[f"{metric}_best"], row[metric]
            cells += [f"{best:.{digits}f}", f"{ours:.{digits}f}", f"{ours - best:+.{digits}f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Reads the command line, measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--clips", type=Path, default=Path("../shared/clips"))
    parser.add_argument("--sources", nargs="+", default=["lossless", "h264:23", "h264:28"])
    parser.add_argument("--offset", type=float, default=0.0)
    parser.add_argument("--vmaf", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    av.logging.set_level(None)
    network = Network(options.network)
    table: dict[str, dict[str, Scores]] = {}
    for name, truth in sources_of(options.work, options.clips):
        table[name] = {
            s: measure(network, truth, s, options.offset, options.vmaf) for s in options.sources
        }
        gains = [table[name][s]["psnr"] - table[name][s]["psnr_best"] for s in options.sources]
        print(f"{name:45s}" + "".join(f"{gain:+7.2f}" for gain in gains), flush=True)
    for source in options.sources:
        print("\n" + markdown(table, source))
    if options.json:
        options.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
