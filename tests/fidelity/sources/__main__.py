"""Makes every source in a folder: `python -m fidelity.sources FOLDER`, run in tests/."""

from __future__ import annotations

import sys
from pathlib import Path

from fidelity.sources import SOURCES, load_all, make

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    load_all()
    for name in sorted(SOURCES):
        print(make(name, folder))
