"""Cost of reading logs: megabytes a second, and what hostile text costs as it grows.

    python benchmarks/parser.py [FOLDER] [--repeat 10]

FOLDER holds logs, by default those of the bundled tiny record; all are read `repeat` times from
memory. The second table reads text that invites a parser to look twice, at one size and at eight
times that size, in turn: a linear search has a ratio of about 8, a quadratic one of 64.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from speedcheck.logs import parse_log

ROOT = Path(__file__).resolve().parents[1]
SIZE = 1 << 16
GROWTH = 8
STARTS = ("step:1/9 val_loss:", "speedcheck_log: 1\n", "Running ", "| 0 ")
PIECES = {
    "letters": "x",
    "blanks": " ",
    "line feeds": "\n",
    "carriage returns": "\r",
    "keywords": " val_loss:",
    "step heads": "step:1/2 ",
    "validations": "step:1/2 val_loss:3\n",
    "divergences": "step:1/2 train_loss:nan\n",
    "environments": "\nRunning Running on on on on ",
    "devices": "on ",
    "table rows": "\n| 0  A  ",
    "programs": "import os\n",
    "separators": "=" * 100 + "\n",
    "keys": "a:",
    "fields": "a:1 ",
    "cut JSON": "config: [\n",
}


def seconds(data: bytes) -> float:
    """Return the CPU time of reading one log."""
    begin = time.process_time()
    parse_log(data, "log")
    return time.process_time() - begin


def hostile(piece: str, size: int) -> bytes:
    """Return a log whose lines of every kind go on with `piece` for `size` bytes."""
    filler = piece * (size // len(piece))
    return "".join(f"{start}{filler}\n" for start in STARTS).encode()


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--repeat", type=int, default=10)
    options = parser.parse_args()
    folder = options.folder or next(iter(sorted((ROOT / "records").glob("*_tiny")))) / "logs"
    files = [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]
    megabytes = sum(map(len, files)) / 1e6
    passes = [sum(map(seconds, files)) for _ in range(options.repeat)]
    rate = megabytes / statistics.median(passes)
    print(f"{folder.name}: {len(files)} files, {megabytes:.1f} MB, {rate:.0f} MB/s of CPU time")
    print(f"\n{'text':17} {'64 KiB [ms]':>12} {'512 KiB [ms]':>13} {'ratio':>7}")
    for name, piece in PIECES.items():
        pairs = [
            (seconds(hostile(piece, SIZE)), seconds(hostile(piece, SIZE * GROWTH)))
            for _ in range(options.repeat)
        ]
        small, large = (statistics.median(times) for times in zip(*pairs, strict=True))
        print(f"{name:17} {small * 1e3:12.1f} {large * 1e3:13.1f} {large / small:7.1f}")


if __name__ == "__main__":
    main()
