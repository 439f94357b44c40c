"""Size and time of the page of a record with 32 runs.

    python benchmarks/report.py [RECORD] [--rounds 5]

RECORD is a record folder, by default the bundled tiny one; --published generates 32 logs of the
published size and format instead. The whole command is timed, from the start of Python on; the
time of the processors, which other work on the machine changes less, is beside it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from many_logs import make_folders

ROOT = Path(__file__).resolve().parents[1]
RUNS = 32


def timed(command: list[str]) -> tuple[float, float]:
    """Return the wall time and the processor time of a command, in seconds."""
    before, begin = os.times(), time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    wall, after = time.perf_counter() - begin, os.times()
    used = after.children_user - before.children_user
    return wall, used + after.children_system - before.children_system


def main() -> None:
    """Print size and times."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("record", nargs="?", type=Path)
    parser.add_argument("--published", action="store_true", help="32 generated logs")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        record = options.record or next(iter(sorted((ROOT / "records").glob("*_tiny"))))
        if options.published:
            make_folders(Path(temporary), 1, RUNS, mixed=False)
            record = Path(temporary) / "record-000"
        page = Path(temporary) / "page.html"
        command = [sys.executable, "-m", "speedcheck", "report", str(record), "--html", str(page)]
        timed(command)  # once unmeasured: files and bytecode into the cache
        rounds = [timed(command) for _ in range(options.rounds)]
        size = page.stat().st_size
    wall, used = zip(*rounds, strict=True)
    print(f"{record.name}: page of {size / 1000:.0f} kB")
    print(f"wall       {statistics.median(wall):6.2f} s, {min(wall):.2f} to {max(wall):.2f}")
    print(f"processors {statistics.median(used):6.2f} s, {min(used):.2f} to {max(used):.2f}")


if __name__ == "__main__":
    main()
