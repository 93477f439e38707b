"""What makers of sources share: FFmpeg's test pictures and tones as input options."""

from __future__ import annotations

from pathlib import Path

from helpers import run

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "25", "-pix_fmt", "yuv420p")


def pictures(
    seconds: float = 2, size: str = "96x64", rate: str = "25", source: str = "testsrc2"
) -> tuple[str, ...]:
    """Input options: test pictures."""
    return ("-f", "lavfi", "-i", f"{source}=s={size}:r={rate}:d={seconds}")


def tone(seconds: float = 2, rate: int = 48000, frequency: int = 500) -> tuple[str, ...]:
    """Input options: a sine tone of one channel; rate is samples a second."""
    return (
        "-f",
        "lavfi",
        "-i",
        f"sine=frequency={frequency}:sample_rate={rate}:duration={seconds}",
    )


def ffmpeg(*words: str | Path) -> None:
    """Runs ffmpeg; the last word is the file that it writes."""
    run(["ffmpeg", "-v", "error", "-y", *words])
