"""Damaged inputs: every run gives the same, killed or not, with any number of decoder threads."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from random import Random

from helpers import run

from faults.campaign import Counts, Task
from faults.jobs import Bench, Case, Job, make_job, sha256

_HEADER = 3000  # bytes at the start that stay whole, so that most files still open


@cache
def codecs() -> dict[str, Job]:
    """A job for each codec to damage."""
    encoders = run(["ffmpeg", "-v", "error", "-encoders"]).stdout.decode().split()
    found = {
        "h264": make_job("damaged-h264", "mkv", "ultrafast", "0.5", frames=100, audio="aac",
                     options=("-bf", "2", "-g", "25")),
        "hevc": make_job("damaged-hevc", "mkv", "ultrafast", "0.5", frames=100, audio="aac",
                     codec="libx265",
                     options=("-x265-params", "log-level=none:keyint=25:bframes=3")),
    }  # fmt: skip
    for encoder, options in (
        ("libsvtav1", ("-preset", "10", "-g", "25")),
        ("libaom-av1", ("-cpu-used", "8", "-g", "25")),
    ):
        if encoder in encoders:
            found["av1"] = make_job(
                "damaged-av1", "mkv", "ultrafast", "0.5", frames=100, audio="aac", codec=encoder,
                options=options,
            )  # fmt: skip
            break
    return found


def damaged(clip: Path, rng: Random) -> bytes:
    """A clip with some of its bits flipped, each with the same small probability."""
    data = bytearray(clip.read_bytes())
    share = 10 ** rng.uniform(-5.3, -3.3)
    bits = 8 * (len(data) - _HEADER)
    for _ in range(max(1, round(share * bits))):
        bit = rng.randrange(bits)
        data[_HEADER + bit // 8] ^= 1 << bit % 8
    return bytes(data)


def tasks(bench: Bench, container: str, seed: int, count: int) -> Iterator[Task]:
    """The codecs in turn."""
    jobs = itertools.cycle(codecs().values())
    for number, job in zip(range(count), jobs, strict=False):
        label = f"damage --seed {seed} {container} #{number} ({job.name})"
        yield Task(label, partial(_repeated, bench, job, container, Random(label)))


def _repeated(bench: Bench, job: Job, container: str, rng: Random) -> Counts:
    counts: Counts = Counter()
    with bench.case(job, container) as case:
        case.source.write_bytes(damaged(case.clip, rng))
        first = _result(case, "4", log=True)
        calls = sum(call.group == "op" for call in case.calls())
        for threads in ("4", "1", "0"):
            again = _result(case, threads)
            assert again == first, f"{case}: {threads} decoder threads: {again}, not {first}"
        if len(first) != 64:  # refused, or failed: the same way each time
            assert case.names() == {case.source.name}, f"{case}: left: {sorted(case.names())}"
            counts["refused"] += 1
            return counts
        counts["processed"] += 1
        case.damaged_sha = first
        for _ in range(rng.randint(1, 3)):
            plan = f"op {rng.randint(1, calls)} kill-after"
            code = case.run(plan, more=("--decoder-threads", rng.choice("014"))).code
            case.check_remains()
            if code != -9:
                break
            counts["kills"] += 1
        case.finish()
    return counts


def _result(case: Case, threads: str, log: bool = False) -> str:
    """The digest of what a run makes, which is taken away; else its exit code and complaint."""
    end = case.run(log=log, more=("--decoder-threads", threads))
    if end.code == 0:
        digest = sha256(case.output)
        case.output.unlink()
        return digest
    case.check_complaint(end)
    return f"exit {end.code}: {end.said}"
