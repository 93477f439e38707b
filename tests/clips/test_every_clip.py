"""Whole jobs over every clip, to MP4 and to MKV, held against what FFmpeg's own programs say.

The network is "nearest": what is tested is everything around it. Where a container cannot hold what
a source has, or FFmpeg reads it otherwise, the exception stands in EXCEPTIONS and docs/limits.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import streamvsr
from helpers import (
    busy_processor,
    decoded_frames,
    decoder_complaints,
    ffprobe,
    frame_times,
    is_cover,
    packet_hashes,
    packet_times,
    run,
)

OPTIONS: dict[str, Any] = {"model": "nearest", "encoder_preset": "ultrafast", "crf": 23}
CONTAINERS = ("mp4", "mkv")
HALF_MS = Fraction(1, 2000)
# Written by every muxer for itself, or meaningful in one container only.
_OWN_TAGS = {
    "encoder", "major_brand", "minor_version", "compatible_brands", "creation_time", "duration",
    "vendor_id", "handler_name",
}  # fmt: skip

# (clip, container, aspect) -> the reason, as docs/limits.md has it. "*" stands for every container.
EXCEPTIONS: dict[tuple[str, str, str], str] = {
    ("media_sample_with_srt", "mp4", "title"): "MP4 tracks have no title",
    ("media_sample_edit_list", "mkv", "rotation"): "FFmpeg 5.1 writes no rotation to MKV",
    ("moviepy_fire2", "mkv", "rotation"): "FFmpeg 5.1 writes no rotation to MKV",
}


def excepted(job: Job, aspect: str) -> bool:
    """True where the table names the aspect for a clip."""
    name = job.source.stem
    return any((name, container, aspect) in EXCEPTIONS for container in (job.container, "*"))


@dataclass(frozen=True)
class Job:
    """A finished job and what ffprobe says of both sides."""

    source: Path
    output: Path
    container: str
    result: streamvsr.ProcessResult
    before: dict[str, Any]
    after: dict[str, Any]

    def streams(self, side: str, kind: str) -> list[dict[str, Any]]:
        """Streams of one kind of the "before" or "after" side."""
        answer: dict[str, Any] = getattr(self, side)
        return [stream for stream in answer["streams"] if stream["codec_type"] == kind]

    def shift(self) -> Fraction:
        """By how much later than in the source the video starts, in seconds."""
        return frame_times(self.output)[0] - min(frame_times(self.source, self.video))

    @property
    def video(self) -> str:
        """The source's enhanced stream, as FFmpeg's specifier."""
        kinds = self.streams("before", "video")
        return f"v:{[is_cover(stream) for stream in kinds].index(False)}"


_finished: dict[tuple[Path, str], Job] = {}


@pytest.fixture(params=CONTAINERS)
def job(
    request: pytest.FixtureRequest, any_clip: Path, tmp_path_factory: pytest.TempPathFactory
) -> Job:
    """The job of a clip and a container, run once."""
    key = any_clip, str(request.param)
    if key not in _finished:
        output = tmp_path_factory.mktemp("out") / f"{any_clip.stem}.{key[1]}"
        result = streamvsr.upscale(any_clip, output, **OPTIONS)
        assert list(output.parent.iterdir()) == [output]
        _finished[key] = Job(any_clip, output, key[1], result, ffprobe(any_clip), ffprobe(output))
    return _finished[key]


def test_the_picture_is_what_was_asked(job: Job) -> None:
    source = next(s for s in job.streams("before", "video") if not is_cover(s))
    video = next(s for s in job.streams("after", "video") if not is_cover(s))
    assert (video["width"], video["height"]) == (2 * source["width"], 2 * source["height"])
    assert video["codec_name"] == "h264"
    deep = "10le" in source["pix_fmt"]
    assert ("10le" in video["pix_fmt"]) == deep
    assert job.output.stat().st_size == job.result.performance_report["output_bytes"]


def test_every_frame_is_there(job: Job) -> None:
    frames = decoded_frames(job.source, job.video)
    assert decoded_frames(job.output) == frames
    assert job.result.frames_processed == frames


def test_every_frame_keeps_its_time(job: Job) -> None:
    before, after = frame_times(job.source, job.video), frame_times(job.output)
    assert len(after) == len(before)
    assert after == sorted(after)
    shifts = [late - early for early, late in zip(sorted(before), after, strict=True)]
    spread = max(shifts) - min(shifts)
    # One shift for all streams is allowed; MKV rounds each time to a whole millisecond.
    assert spread <= (0 if job.container == "mp4" else 2 * HALF_MS)


def test_sound_keeps_its_distance_from_the_picture(job: Job) -> None:
    shift = job.shift()
    for index in range(len(job.streams("before", "audio"))):
        sound = packet_times(job.source, f"a:{index}")
        copied = packet_times(job.output, f"a:{index}")
        assert len(copied) == len(sound)
        errors = [abs(late - early - shift) for early, late in zip(sound, copied, strict=True)]
        rate = int(job.streams("before", "audio")[index]["sample_rate"])
        # Within one sample; in MKV both the sound and the picture are rounded to milliseconds.
        assert max(errors) <= (Fraction(1, rate) if job.container == "mp4" else 2 * HALF_MS)


def test_every_sound_and_text_is_there(job: Job) -> None:
    for kind in ("audio", "subtitle"):
        before, after = job.streams("before", kind), job.streams("after", kind)
        assert len(after) == len(before)
        for old, new in zip(before, after, strict=True):
            assert new["codec_name"] == _codec_in(job.container, old["codec_name"])
            assert _language(new) == _language(old)
            if not excepted(job, "title"):
                assert _tag(new, "title") == _tag(old, "title")


def test_further_videos_are_copied(job: Job) -> None:
    before = [s["codec_name"] for s in job.streams("before", "video")]
    after = [s["codec_name"] for s in job.streams("after", "video")]
    assert len(after) == len(before)
    for index in range(len(before)):
        if f"v:{index}" != job.video:
            assert after[index] == before[index]
            assert _md5(job.output, f"v:{index}") == _md5(job.source, f"v:{index}")


def test_dispositions_are_kept(job: Job) -> None:
    for kind in ("video", "audio", "subtitle"):
        before = [dict(stream["disposition"]) for stream in job.streams("before", kind)]
        after = [dict(stream["disposition"]) for stream in job.streams("after", kind)]
        if job.container == "mp4" and before and not any(old["default"] for old in before):
            # One track of every kind is enabled in MP4, which FFmpeg reads as "default".
            assert [new.pop("default") for new in after] == [1] + [0] * (len(after) - 1)
            for old in before:
                del old["default"]
        assert after == before


def test_copied_packets_are_untouched(job: Job) -> None:
    for index in range(len(job.streams("before", "audio"))):
        assert _md5(job.output, f"a:{index}") == _md5(job.source, f"a:{index}")
    texts = zip(job.streams("before", "subtitle"), job.streams("after", "subtitle"), strict=True)
    for index, (old, new) in enumerate(texts):
        if old["codec_name"] == new["codec_name"]:
            assert _md5(job.output, f"s:{index}") == _md5(job.source, f"s:{index}")
        else:
            before_texts, after_texts = _texts(job.source, index), _texts(job.output, index)
            assert [text for _, _, text in after_texts] == [text for _, _, text in before_texts]
            shift = float(job.shift())
            times = [time + shift for start, end, _ in before_texts for time in (start, end)]
            assert [time for start, end, _ in after_texts for time in (start, end)] == (
                pytest.approx(times, abs=0.0011)
            )


def test_chapters_are_kept(job: Job) -> None:
    before, after = _chapters(job.before), _chapters(job.after)
    assert [title for _, _, title in after] == [title for _, _, title in before]
    shift = float(job.shift())
    times = [time + shift for start, end, _ in before for time in (start, end)]
    kept = [time for start, end, _ in after for time in (start, end)]
    if job.container == "mp4" and kept:
        assert kept.pop(0) == 0  # the first chapter of an MP4 begins with the file
        times.pop(0)
    assert kept == pytest.approx(times, abs=0.0011)


def test_tags_are_kept(job: Job) -> None:
    assert _tags(job.after["format"]) == _tags(job.before["format"])


def test_colour_and_shape_are_kept(job: Job) -> None:
    source = next(s for s in job.streams("before", "video") if not is_cover(s))
    video = next(s for s in job.streams("after", "video") if not is_cover(s))
    # What H.264 means, and FFmpeg sometimes says, where the stream does not tell.
    silence = {"color_range": "tv", "chroma_location": "left"}
    keys = ["color_range", "color_space", "color_transfer", "color_primaries", "chroma_location"]
    for key in keys:
        told, meant = source.get(key, "unknown"), video.get(key, "unknown")
        unsaid = {"unknown", "unspecified"}
        told = silence.get(key, "unknown") if told in unsaid else told
        meant = silence.get(key, "unknown") if meant in unsaid else meant
        assert meant == told, key
    assert _ratio(video) == _ratio(source)
    if not excepted(job, "rotation"):
        assert _rotation(video) == _rotation(source)


def test_ffmpeg_plays_it_without_a_word(job: Job) -> None:
    assert decoder_complaints(job.output) == ""


def test_two_runs_give_the_same_bytes(job: Job, tmp_path: Path) -> None:
    # Half of the clips in one container, half in the other: the pictures are the same in both.
    if CONTAINERS[len(job.source.stem) % 2] != job.container:
        pytest.skip("held in the other container")
    again = tmp_path / job.output.name
    with busy_processor():
        streamvsr.upscale(job.source, again, **OPTIONS)
    assert again.read_bytes() == job.output.read_bytes()


# --- how they are compared ------------------------------------------------------------------------


def _codec_in(container: str, codec: str) -> str:
    texts = {"mp4": {"subrip": "mov_text"}, "mkv": {"mov_text": "subrip"}}
    return texts[container].get(codec, codec)


def _tag(stream: dict[str, Any], name: str) -> str:
    tags = {key.lower(): value for key, value in stream.get("tags", {}).items()}
    return str(tags.get(name, ""))


def _language(stream: dict[str, Any]) -> str:
    # MP4 has no way to leave the language out: "und".
    return _tag(stream, "language") or "und"


def _tags(container: dict[str, Any]) -> dict[str, str]:
    tags = {key.lower(): value for key, value in container.get("tags", {}).items()}
    return {key: value for key, value in tags.items() if key not in _OWN_TAGS}


def _chapters(answer: dict[str, Any]) -> list[tuple[float, float, str]]:
    return [
        (float(chapter["start_time"]), float(chapter["end_time"]), _tag(chapter, "title"))
        for chapter in answer["chapters"]
    ]


def _ratio(stream: dict[str, Any]) -> Fraction:
    across, down = (int(n) for n in stream.get("sample_aspect_ratio", "1:1").split(":"))
    return Fraction(across, down) if across and down else Fraction(1)


def _rotation(stream: dict[str, Any]) -> float:
    found = [item["rotation"] for item in stream.get("side_data_list", []) if "rotation" in item]
    return float(found[0]) if found else 0.0


def _md5(path: Path, spec: str) -> list[str]:
    return [packet.md5 for packet in packet_hashes(path, spec)]


def _texts(path: Path, index: int) -> list[tuple[float, float, str]]:
    """The texts of a subtitle stream: start and end in seconds, and the words."""
    said = run(
        ["ffmpeg", "-v", "error", "-copyts", "-i", path, "-map", f"0:s:{index}", "-c:s", "srt",
         "-f", "srt", "-"]
    ).stdout.decode()  # fmt: skip
    texts = []
    for block in said.strip().split("\n\n"):
        _, times, *words = block.split("\n")
        start, end = (_clock(word) for word in times.split(" --> "))
        texts.append((start, end, "\n".join(words)))
    return texts


def _clock(text: str) -> float:
    hours, minutes, seconds = text.replace(",", ".").split(":")
    return 3600 * float(hours) + 60 * float(minutes) + float(seconds)
