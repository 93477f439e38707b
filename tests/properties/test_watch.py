"""The watch itself: a file that is gone at once is seen, one elsewhere is not."""

from __future__ import annotations

from pathlib import Path

from .watch import FolderWatch


def test_it_sees_what_was_there_for_an_instant(tmp_path: Path) -> None:
    inside, below, outside = tmp_path / "in", tmp_path / "in" / "below", tmp_path / "out"
    below.mkdir(parents=True)
    outside.mkdir()
    with FolderWatch([inside]) as watch:
        (inside / "a").write_bytes(b"frame")
        (inside / "a").unlink()
        (below / "b").mkdir()
        (outside / "c").touch()
        (outside / "c").rename(inside / "d")
    assert watch.names == {str(inside / "a"), str(below / "b"), str(inside / "d")}
