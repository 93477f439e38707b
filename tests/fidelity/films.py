"""Generated films that between them hold what films may hold, a recipe each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from helpers import make_clip, run

# Name with its container's suffix, and what FFmpeg is told: inputs and options of one output.
_SOUND = ("-f", "lavfi", "-i", "sine=frequency=500:sample_rate={rate}:duration=2.4")
_PICTURE = ("-f", "lavfi", "-i", "testsrc2=s={size}:r={fps}:d=2.4")


def _film(
    *options: str, size: str = "96x64", fps: str = "25", rate: int = 48000, sound: bool = True
) -> tuple[str, ...]:
    inputs = [word.format(size=size, fps=fps) for word in _PICTURE]
    if sound:
        inputs += [word.format(rate=rate) for word in _SOUND]
    return (*inputs, *options)


_VFR = ("-fps_mode", "vfr")
_X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")
_X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none")
_VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8")
_AV1 = ("-c:v", "libsvtav1", "-preset", "12", "-svtav1-params", "lp=1")

FILMS: dict[str, tuple[str, ...]] = {
    # frame rates and time bases
    "ntsc_film.mp4": _film(*_X264, "-c:a", "aac", fps="24000/1001"),
    "ntsc_video.mkv": _film(*_X264, "-c:a", "aac", fps="30000/1001"),
    "high_rate.mp4": _film(*_X264, "-c:a", "aac", fps="60000/1001"),
    "slow.mp4": _film(*_X264, "-c:a", "aac", fps="3"),
    "odd_rate.mkv": _film(*_X264, "-c:a", "aac", fps="17.3"),
    "fine_timescale.mp4": _film(*_X264, "-c:a", "aac", "-video_track_timescale", "90000"),
    # variable frame rate, starts, edit lists
    "variable.mp4": _film(*_X264, "-c:a", "aac", "-vf", "select='mod(n,7)-2'", *_VFR),
    "variable.mkv": _film(*_X264, "-vf", "select='lt(mod(n,9),4)'", *_VFR, sound=False),
    "late_start.mkv": _film(*_X264, "-c:a", "aac", "-output_ts_offset", "7.5"),
    "late_sound.mp4": _film(*_X264, "-c:a", "aac", "-af", "adelay=0,asetpts=PTS+0.3/TB"),
    "early_sound.mkv": _film(*_X264, "-c:a", "aac", "-vf", "setpts=PTS+0.4/TB"),
    "broadcast.ts": _film(*_X264, "-c:a", "mp2", "-output_ts_offset", "90000"),
    # sound
    "rate_44100.mp4": _film(*_X264, "-c:a", "aac", rate=44100),
    "rate_22050.mkv": _film(*_X264, "-c:a", "aac", rate=22050),
    "mp3.mp4": _film(*_X264, "-c:a", "libmp3lame"),
    "flac.mkv": _film(*_X264, "-c:a", "flac"),
    "opus.mp4": _film(*_X264, "-c:a", "libopus"),
    "opus.webm": _film(*_VP9, "-c:a", "libopus"),
    "vorbis.webm": _film(*_VP9, "-c:a", "libvorbis"),
    "ac3.ts": _film("-c:v", "mpeg2video", "-c:a", "ac3"),
    "pcm.mov": _film(*_X264, "-c:a", "pcm_s16le"),
    "silent.mp4": _film(*_X264, sound=False),
    # codecs
    "hevc10.mp4": _film(*_X265, "-pix_fmt", "yuv420p10le", "-tag:v", "hvc1", "-c:a", "aac"),
    "av1.mp4": _film(*_AV1, "-c:a", "aac", size="128x96"),
    "vp8.webm": _film("-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libvorbis"),
    "mpeg4.avi": _film("-c:v", "mpeg4", "-c:a", "mp3"),
    "ffv1_422.mkv": _film("-c:v", "ffv1", "-pix_fmt", "yuv422p", "-c:a", "flac"),
    "prores.mov": _film("-c:v", "prores_ks", "-pix_fmt", "yuv422p10le", "-c:a", "pcm_s24le"),
    "mjpeg_full.avi": _film("-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-c:a", "pcm_s16le"),
    # shape and colour
    "odd_size.mkv": _film("-c:v", "ffv1", "-pix_fmt", "yuv420p", sound=False, size="97x63"),
    "anamorphic.mp4": _film(*_X264, "-vf", "setsar=64/45", "-c:a", "aac"),
    "bt2020.mkv": _film(
        *_X265, "-pix_fmt", "yuv420p10le", "-color_primaries", "bt2020", "-color_trc", "smpte2084",
        "-colorspace", "bt2020nc", "-c:a", "aac",
    ),
    "full_range.mp4": _film(
        *_X264, "-vf", "scale=out_range=pc", "-color_range", "pc", "-colorspace", "bt709",
        "-c:a", "aac",
    ),
    "top_left.mkv": _film(*_X265, "-pix_fmt", "yuv420p", "-chroma_sample_location", "topleft"),
    # tags, languages, dispositions
    "tagged.mp4": _film(
        *_X264, "-c:a", "aac", "-metadata", "title=A film", "-metadata", "artist=Somebody",
        "-metadata", "comment=Käse, 2 §", "-metadata:s:a:0", "language=fra",
        "-disposition:a:0", "default+original",
    ),
    "tagged.mkv": _film(
        *_X264, "-c:a", "aac", "-metadata", "title=A film", "-metadata", "ARBITRARY=kept",
        "-metadata:s:a:0", "language=jpn", "-metadata:s:a:0", "title=Commentary",
        "-disposition:a:0", "comment",
    ),
}  # fmt: skip

# Films that more than one call makes, by make_clip's recipe.
_CLIPS: dict[str, dict[str, Any]] = {
    "two_sounds_srt_chapters.mkv": {
        "audio": "aac", "audio_streams": 2, "subtitles": "srt", "chapters": 3,
    },
    "two_sounds_mov_text_chapters.mp4": {
        "audio": "aac", "audio_streams": 2, "subtitles": "mov_text", "chapters": 3,
    },
    "ass.mkv": {"subtitles": "ass"},
    "b_frames.mp4": {"audio": "aac", "options": ("-bf", "4")},
}  # fmt: skip


def make_film(name: str, folder: Path) -> Path:
    """Writes the film of a name in FILMS or _CLIPS."""
    path = folder / name
    if name in _CLIPS:
        return make_clip(path, frames=60, width=96, height=64, **_CLIPS[name])
    run(["ffmpeg", "-v", "error", "-y", *FILMS[name], path])
    return path


NAMES = [*FILMS, *_CLIPS]
