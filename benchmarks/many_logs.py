"""Wall time and memory of judging many records: 1,504 logs of the published size, 250 MB.

    python benchmarks/many_logs.py [--copies 47] [--rounds 3]

Copies the bundled tiny record's logs into `copies` folders, each with losses and a program of its
own of the published size, and runs `speedcheck verify --json` on all of them.
The memory is the largest resident set of any one process.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The published logs are 250 MB in 1,500 files; the tiny record's program is shorter.
BYTES_PER_LOG = 166_000


def make_folders(root: Path, copies: int) -> tuple[int, int]:
    """Write the folders; return the number of logs and of bytes."""
    logs = [p.read_bytes() for p in sorted((ROOT / "records").glob("*_tiny/logs/*.txt"))]
    padding = b"# padding\n" * ((BYTES_PER_LOG - max(map(len, logs))) // 10)
    count = size = 0
    for copy in range(copies):
        folder = root / f"record-{copy:03d}"
        folder.mkdir()
        for index, log in enumerate(logs):
            text = (
                b"# program %d\n" % copy
                + padding
                + log.replace(b" val_loss:1.", b" val_loss:1.%d" % (copy % 10))
            )
            (folder / f"{index:03d}.txt").write_bytes(text)
            count, size = count + 1, size + len(text)
    return count, size


def main() -> None:
    """Print the figures of each round and their median."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--copies", type=int, default=47)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        count, size = make_folders(Path(temporary), options.copies)
        command = [sys.executable, "-m", "speedcheck", "verify", "--json", temporary]
        seconds = []
        for _ in range(options.rounds):
            begin = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
            seconds.append(time.perf_counter() - begin)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{count} logs, {size / 1e6:.0f} MB, {options.copies} folders")
    print(f"rounds [s]: {', '.join(f'{s:.2f}' for s in seconds)}")
    print(f"median {statistics.median(seconds):.2f} s, memory {memory:.0f} MiB")


if __name__ == "__main__":
    main()
