"""The tools themselves: what they miss, no suite could find."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from faults.disk import Disk
from faults.jobs import JOBS, Bench
from faults.power import after_success, every_call_was_seen
from faults.shim import Call, operations, read_log

SHORT = JOBS["short"]


@pytest.mark.parametrize("job", JOBS)
def test_the_log_tells_the_whole_story(bench: Bench, every_container: str, job: str) -> None:
    every_call_was_seen(bench, every_container, job)


def test_the_same_calls_every_time(bench: Bench, every_container: str) -> None:
    def shape() -> list[tuple[str, str, int, int]]:
        with bench.case(SHORT, every_container) as case:
            assert case.run(log=True).code == 0
            return [(c.kind, c.name[:3], c.offset, c.result) for c in operations(case.calls())
                    if c.is_write or c.kind.startswith("rename")]  # fmt: skip

    assert shape() == shape()


def test_a_torn_log_keeps_its_beginning(bench: Bench, tmp_path: Path) -> None:
    with bench.case(SHORT, "mp4") as case:
        assert case.run(data=True).code == 0
        log, calls = case.log.read_bytes(), case.calls()
    assert len(calls) > 50
    torn = tmp_path / "log"
    for size in (0, 5, 100, len(log) // 2, len(log) - 1):
        torn.write_bytes(log[:size])
        found = read_log(torn)
        assert found == calls[: len(found)]
        assert len(found) < len(calls)
    torn.write_bytes(log[: len(log) // 2] + b"\xff" + log[len(log) // 2 + 1 :])
    assert len(read_log(torn)) < len(calls)


def test_a_kill_comes_before_or_after_its_call(bench: Bench) -> None:
    calls = operations(bench.reference(SHORT, "mp4").calls)
    write = next(call for call in calls if call.is_write and call.length > 10_000)
    sizes = []
    for mode in ("before", "torn", "after"):
        with bench.case(SHORT, "mp4") as case:
            assert case.run(f"op {write.index} kill-{mode}").code == -9
            sizes.append(case.part.stat().st_size)
    assert sizes[0] == write.offset
    assert sizes[0] < sizes[1] < sizes[2]
    assert sizes[1] % 512 == 0
    assert sizes[2] == write.offset + write.length


def test_an_unknown_fault_is_no_success(bench: Bench) -> None:
    with bench.case(SHORT, "mp4") as case:
        assert case.run("op 1 explode").code == 99
        assert case.run("op nonsense").code == 99


@pytest.mark.parametrize("job", ["short", "bframes"])
def test_what_is_done_is_durable(bench: Bench, every_container: str, job: str) -> None:
    after_success(bench, every_container, job)


class TestDisk:
    """The model of the file system, on calls made up here."""

    folder = Path("/d")

    @staticmethod
    def call(kind: str, name: str, **more: object) -> Call:
        fields: dict[str, object] = {
            "group": "op", "index": 0, "fd": 3, "other": "", "offset": 0, "length": 0,
            "result": 0, "error": 0, "created": False, "data": b"",
        }  # fmt: skip
        path = "/d" if name == "." else f"/d/{name}"
        return Call(**{**fields, "kind": kind, "path": path, **more})  # type: ignore[arg-type]

    def write(self, data: bytes, offset: int = 0) -> Call:
        return self.call("pwrite", "a", data=data, offset=offset, result=len(data))

    def made(self) -> list[Call]:
        return [
            self.call("open", "a", created=True, offset=os.O_CREAT),
            self.write(b"x" * 1024),
            self.call("fsync", "a"),
            self.call("open", ".", fd=4),
            self.call("fsync", ".", fd=4),
        ]

    def test_synced_data_stays(self) -> None:
        disk = Disk(self.folder).apply([*self.made(), self.write(b"y" * 1024, 512)])
        assert disk.lost() == {"a": b"x" * 1024}
        assert disk.now() == {"a": b"x" * 512 + b"y" * 1024}

    def test_a_name_needs_the_directory(self) -> None:
        disk = Disk(self.folder).apply(self.made()[:3])
        assert disk.lost() == {}
        assert disk.data_lost() == {"a": b"x" * 1024}

    def test_a_rename_is_lost_as_a_whole(self) -> None:
        rename = self.call("rename", "a", other="/d/b")
        disk = Disk(self.folder).apply([*self.made(), rename])
        assert disk.lost() == {"a": b"x" * 1024}
        assert disk.now() == {"b": b"x" * 1024}

    def test_failed_calls_do_nothing(self) -> None:
        failed = self.call("fsync", "a", result=-1, error=5)
        disk = Disk(self.folder).apply([*self.made(), self.write(b"y"), failed])
        assert disk.lost() == {"a": b"x" * 1024}

    def test_every_fate_of_a_write_occurs(self) -> None:
        calls = [*self.made(), self.write(b"y" * 1024), self.write(b"z" * 1024, 1024)]
        seen = {Disk(self.folder).apply(calls).cut(Random(n))["a"] for n in range(300)}
        old, new = b"x" * 512, b"y" * 512
        for first in (old + old, old + new, new + old, new + new):
            assert any(content.startswith(first) for content in seen)
        assert {len(content) for content in seen} == {1024, 2048}
        assert any(content.endswith(b"z" * 512 + bytes(512)) for content in seen)

    def test_a_lost_cut_of_the_size(self) -> None:
        calls = [*self.made(), self.call("ftruncate", "a", length=0)]
        seen = {Disk(self.folder).apply(calls).cut(Random(n))["a"] for n in range(50)}
        assert seen == {b"", b"x" * 1024}
