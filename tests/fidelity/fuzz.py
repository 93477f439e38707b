"""Damaged films through a build under the address sanitizer:

    python tests/fidelity/fuzz.py PROGRAM [--count 2000] [--seed N] [--clips FOLDER] [--cuts 50]

PROGRAM is fuzz_jobs of such a build (build/asan after ./test.sh). count files are made of small
films by flipping, removing, repeating and exchanging bytes; every clip of the folder is cut off at
so many places. A job must end by itself with pictures or one error of a known kind: a crash, a
sanitizer's report (a leak counts), a hang or an internal error is a failure, whose file is kept.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from helpers import REPO

from fidelity.films import NAMES, make_film

BATCH = 20  # files a process
TIMEOUT = 600  # s a batch; a job here takes about one


def mutated(data: bytes, random: random.Random) -> bytes:
    """The file with a few to very many bytes wrong."""
    result = bytearray(data)
    for _ in range(random.choice([1, 1, 2, 4])):
        at = random.randrange(len(result))
        if random.random() < 0.3:
            at = random.randrange(min(4096, len(result)))  # headers
        length = min(len(result) - at, random.choice([1, 4, 16, 256, 4096]))
        kind = random.randrange(5)
        if kind == 0:  # noise
            for _ in range(max(1, int(len(result) * random.choice([1e-5, 1e-4, 1e-3, 1e-2])))):
                result[random.randrange(len(result))] ^= 1 << random.randrange(8)
        elif kind == 1:
            result[at : at + length] = random.randbytes(length)
        elif kind == 2:
            del result[at : at + length]
        elif kind == 3:
            result[at:at] = result[at : at + length]
        else:
            other = random.randrange(len(result))
            result[at : at + length] = result[other : other + length]
        if not result:
            return b"\0"
    return bytes(result)


def mutations(folder: Path, count: int, seed: int) -> Iterator[Path]:
    """Writes them, one after the other."""
    films = [make_film(name, folder) for name in NAMES]
    source = random.Random(seed)
    for number in range(count):
        film = films[number % len(films)]
        path = folder / f"{number:05d}_{film.name}"
        path.write_bytes(mutated(film.read_bytes(), source))
        yield path


def cuts(folder: Path, clips: Path, count: int, seed: int) -> Iterator[Path]:
    """Every clip, cut off at so many places, its ends among them."""
    source = random.Random(seed)
    for clip in sorted(path for path in clips.iterdir() if path.is_file()):
        data = clip.read_bytes()
        places = {0, 1, len(data) - 1, *(source.randrange(len(data)) for _ in range(count - 3))}
        for place in sorted(places):
            path = folder / f"cut_{place}_{clip.name}"
            path.write_bytes(data[:place])
            yield path


def run_batch(program: Path, files: list[Path], keep: Path) -> Counter[str]:
    """Counts outcomes; files of failures are kept, the others removed."""
    output = files[0].with_suffix(".out.mkv")
    suppressions = REPO / "tests/cpp/sanitizers/lsan.supp"
    env = {**os.environ, "LSAN_OPTIONS": f"suppressions={suppressions}"}
    found: Counter[str] = Counter()
    try:
        done = subprocess.run(
            [program, output, *files], capture_output=True, timeout=TIMEOUT, env=env
        )
        text, code, report = done.stdout.decode(errors="replace"), done.returncode, done.stderr
    except subprocess.TimeoutExpired as late:
        text, code, report = (late.stdout or b"").decode(errors="replace"), -1, b"hang"
    lines = text.splitlines()
    bad = {Path(line.split("\t")[-1]) for line in lines if line.startswith("INTERNAL")}
    for line in lines:
        outcome = line.split("\t")[0]
        found["pictures" if outcome.endswith(" frames") else outcome.split(":")[0]] += 1
    if code != 0:
        found["FAILED"] += 1
        # The one at which it stopped; after the last one it is a leak of any of them.
        bad |= {files[len(lines)]} if len(lines) < len(files) else set(files)
        print(f"exit {code}: {report.decode(errors='replace')[-3000:]}", file=sys.stderr)
    for path in bad:
        keep.mkdir(exist_ok=True)
        shutil.copy(path, keep)
        print(f"kept {keep / path.name}", file=sys.stderr)
    for path in files:
        path.unlink()
    output.unlink(missing_ok=True)
    return found


def batches(files: Iterator[Path]) -> Iterator[list[Path]]:
    """So many files at a time."""
    batch: list[Path] = []
    for path in files:
        batch.append(path)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def campaign(
    program: Path, count: int, seed: int, clips: Path | None, places: int, keep: Path, jobs: int
) -> Counter[str]:
    """Runs all of it; what is under FAILED and INTERNAL must be nothing."""
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(jobs) as pool:
        folder = Path(name)
        kinds = [mutations(folder, count, seed)]
        if clips is not None:
            kinds.append(cuts(folder, clips, places, seed))
        for files in kinds:
            waiting = []
            for batch in batches(files):
                waiting.append(pool.submit(run_batch, program, batch, keep))
                if len(waiting) >= 2 * jobs:  # so that few files are there at once
                    found += waiting.pop(0).result()
            for one in waiting:
                found += one.result()
    return found


def main() -> int:
    """Runs it as asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--cuts", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"))
    o = parser.parse_args()
    print(f"fuzz --seed {o.seed} --count {o.count}")
    found = campaign(o.program, o.count, o.seed, o.clips, o.cuts, o.keep, o.jobs)
    print(", ".join(f"{kind} {number}" for kind, number in sorted(found.items())))
    return 1 if found["FAILED"] or found["INTERNAL"] else 0


if __name__ == "__main__":
    sys.exit(main())
