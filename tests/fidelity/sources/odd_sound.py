"""Sound that begins, ends or is coded unlike the picture."""

from __future__ import annotations

from pathlib import Path

from helpers import run

from fidelity.sources import source
from fidelity.sources._tools import X264, ffmpeg, pictures, tone


@source("sound_longer.mkv")
def sound_longer(path: Path) -> None:
    """Sound that goes on for half a minute behind the last picture."""
    ffmpeg(*pictures(1), *tone(31), *X264, "-c:a", "aac", path)


@source("sound_shorter.mp4")
def sound_shorter(path: Path) -> None:
    """Sound that ends long before the picture."""
    ffmpeg(*pictures(4), *tone(0.5), *X264, "-c:a", "aac", path)


@source("sound_first.mkv")
def sound_first(path: Path) -> None:
    """Sound that begins three seconds before the first picture."""
    ffmpeg("-itsoffset", "3", *pictures(), *tone(5), *X264, "-c:a", "ac3", path)


@source("sound_late.mp4")
def sound_late(path: Path) -> None:
    """Sound that begins three seconds behind the first picture (an empty edit)."""
    ffmpeg(*pictures(4), "-itsoffset", "3", *tone(1), *X264, "-c:a", "aac", path)


@source("opus_trimmed.mkv")
def opus_trimmed(path: Path) -> None:
    """Opus whose end is trimmed to the sample."""
    ffmpeg(*pictures(), *tone(1.983), *X264, "-c:a", "libopus", path)


@source("laced.mkv")
def laced(path: Path) -> None:
    """mkvmerge's laces: several sounds to a block, and packets packed with zlib."""
    plain = path.with_name(path.name + ".plain.mkv")
    ffmpeg(*pictures(), *tone(), *tone(frequency=900), "-map", "0", "-map", "1", "-map", "2",
           *X264, "-c:a:0", "libmp3lame", "-c:a:1", "ac3", plain)  # fmt: skip
    run(["mkvmerge", "-q", "-o", path, "--compression", "0:zlib", "--compression", "1:none",
         "--compression", "2:zlib", plain])  # fmt: skip
    plain.unlink()


@source("mp3_vbr.avi")
def mp3_vbr(path: Path) -> None:
    """MP3 of a variable rate in AVI, whose header knows constant ones alone."""
    noise = "aevalsrc='if(gt(mod(t,1),0.5),random(0),0)':d=2:s=44100"
    ffmpeg(*pictures(), "-f", "lavfi", "-i", noise, "-c:v", "mpeg4", "-c:a", "libmp3lame",
           "-q:a", "5", path)  # fmt: skip


@source("eight_mono.mxf")
def eight_mono(path: Path) -> None:
    """XDCAM's MXF: MPEG-2 in 4:2:2 and eight tracks of one channel."""
    tones = [word for n in range(8) for word in tone(frequency=300 + 100 * n)]
    maps = [word for n in range(9) for word in ("-map", str(n))]
    ffmpeg(*pictures(size="192x108"), *tones, *maps, "-c:v", "mpeg2video", "-pix_fmt", "yuv422p",
           "-c:a", "pcm_s24le", path)  # fmt: skip


@source("tracks.mkv")
def many_tracks(path: Path) -> None:
    """Sixty-three tracks of sound."""
    maps = [word for _ in range(63) for word in ("-map", "1")]
    ffmpeg(*pictures(1), *tone(1, rate=32000), "-map", "0", *maps, *X264, "-c:a", "ac3", path)


@source("flash.flv")
def flash(path: Path) -> None:
    """Flash's own ADPCM, for which Matroska has no name that anyone reads."""
    ffmpeg(*pictures(1), *tone(1, rate=44100), "-c:v", "flv1", "-c:a", "adpcm_swf", path)
