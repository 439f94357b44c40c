"""The wall time of a campaign by workers, as a share of that with a fresh process for each seed.

    python -m benchmarks.worker [--seeds 8] [--repeats 1] [--data-dir D]

Both train the same seeds of the recipe tiny with `speedcheck run`, in turns, into a folder that is
removed at the end.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean

WAYS = {"worker": (), "isolate": ("--isolate",)}


def seconds(way: str, out: Path, options: argparse.Namespace) -> float:
    """Run a campaign; return the seconds that it took."""
    data = ("--data-dir", str(options.data_dir)) if options.data_dir else ()
    words = ("run", "--recipe", "tiny", "--seeds", str(options.seeds), "--out", str(out))
    command = (sys.executable, "-m", "speedcheck", *words, *data, *WAYS[way])
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # 1 where the record does not hold, as one of few seeds may not.
    if done.returncode not in (0, 1):
        sys.exit(done.stderr)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print both times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--data-dir", type=Path)
    options = parser.parse_args()
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        for repeat in range(options.repeats):
            for way, taken in times.items():
                taken.append(seconds(way, Path(folder) / f"{way}-{repeat}", options))
                print(f"{way:<8} {taken[-1]:6.1f} s", flush=True)
    print(f"ratio    {mean(times['worker']) / mean(times['isolate']):6.2f}")


if __name__ == "__main__":
    main()
