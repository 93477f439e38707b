"""Codecs of old cameras, old web films, studios and screen recorders."""

from __future__ import annotations

from pathlib import Path

from fidelity.sources import source
from fidelity.sources._tools import X264, ffmpeg, pictures, tone

_VFR = ("-vf", "select='mod(n,5)-1'", "-fps_mode", "vfr")

RECIPES: dict[str, tuple[str, ...]] = {
    "windows.wmv": (*pictures(), *tone(rate=44100), "-c:v", "wmv2", "-c:a", "wmav2", *_VFR),
    "web.flv": (*pictures(), *tone(rate=44100), "-c:v", "flv1", "-c:a", "libmp3lame"),
    "speex.flv": (*pictures(), *tone(rate=16000), *X264, "-c:a", "libspeex"),
    "screen.flv": (*pictures(size="128x96"), "-c:v", "flashsv"),
    "tape.dv": (
        *pictures(size="720x576"),
        *tone(),
        "-ac",
        "2",
        "-c:v",
        "dvvideo",
        "-pix_fmt",
        "yuv420p",
    ),
    "tape_ntsc.avi": (
        *pictures(1, size="720x480", rate="30000/1001"),
        *tone(1),
        "-ac",
        "2",
        "-c:v",
        "dvvideo",
        "-pix_fmt",
        "yuv411p",
    ),
    "theora.ogv": (*pictures(), *tone(), "-c:v", "libtheora", "-c:a", "libvorbis"),
    "disc.vob": (
        *pictures(size="352x288"),
        *tone(),
        "-c:v",
        "mpeg2video",
        "-bf",
        "2",
        "-c:a",
        "ac3",
        "-f",
        "dvd",
    ),
    "phone.3gp": (
        *pictures(size="176x144", rate="15"),
        *tone(rate=16000),
        "-c:v",
        "h263",
        "-c:a",
        "aac",
    ),
    "real.rm": (*pictures(), *tone(rate=44100), "-c:v", "rv20", "-c:a", "ac3"),
    "sorenson.mov": (*pictures(), *tone(), "-c:v", "svq1", "-c:a", "adpcm_ima_qt"),
    "cinepak.avi": (*pictures(), *tone(rate=22050), "-c:v", "cinepak", "-c:a", "adpcm_ms"),
    "msmpeg4.avi": (*pictures(), *tone(rate=44100), "-c:v", "msmpeg4", "-c:a", "libmp3lame"),
    "magicyuv.mkv": (*pictures(), "-c:v", "magicyuv", "-pix_fmt", "gbrp"),
    "dnxhr.mov": (
        *pictures(1, size="256x144"),
        *tone(1),
        "-c:v",
        "dnxhd",
        "-profile:v",
        "dnxhr_hqx",
        "-pix_fmt",
        "yuv422p10le",
        "-c:a",
        "pcm_s24le",
    ),
    "cineform.mov": (
        *pictures(1),
        *tone(1),
        "-c:v",
        "cfhd",
        "-pix_fmt",
        "yuv422p10le",
        "-c:a",
        "pcm_s16le",
    ),
    "v210.mov": (*pictures(1), "-c:v", "v210"),
    "jpeg2000.mxf": (*pictures(1, rate="24"), "-c:v", "jpeg2000", "-pix_fmt", "yuv422p10le"),
    "screen.mkv": (*pictures(), "-c:v", "zmbv", "-pix_fmt", "bgr0"),
    "palette.avi": (*pictures(), "-c:v", "rawvideo", "-pix_fmt", "pal8"),
    "smc.mov": (*pictures(), "-c:v", "smc"),
    "hevc12.mkv": (
        *pictures(),
        "-c:v",
        "libx265",
        "-x265-params",
        "log-level=none",
        "-pix_fmt",
        "yuv422p12le",
    ),
    "alpha.webm": (
        *pictures(),
        "-c:v",
        "libvpx-vp9",
        "-deadline",
        "realtime",
        "-cpu-used",
        "8",
        "-pix_fmt",
        "yuva420p",
    ),
    "moving.apng": (*pictures(), "-c:v", "apng", "-pix_fmt", "rgba"),
    "moving.webp": (*pictures(), "-c:v", "libwebp_anim"),
}


def _register(name: str) -> None:
    @source(name)
    def make(path: Path) -> None:
        ffmpeg(*RECIPES[name], path)


for _name in RECIPES:
    _register(_name)
