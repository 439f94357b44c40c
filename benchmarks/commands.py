"""Wall time of the commands that people wait for, beside the published shell line.

    python benchmarks/commands.py [RECORD] [--rounds 7]

RECORD is a record folder with logs, by default the bundled tiny one. Every command runs once in
each round, in turn, so that whatever else the machine does falls on all of them; the figures are
medians, and the ratio is the median of the rounds' ratios to the shell line. Nothing is judged:
the numbers are for reading.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path

from speedcheck.api import verify
from speedcheck.report.record_readme import shell_line

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = "shell line"


def commands(record: Path) -> dict[str, str]:
    """Return the shell commands to time, by name; the shell line first."""
    python = shlex.quote(sys.executable)
    line = shell_line(verify(record))
    if line is None:
        sys.exit(f"{record}: its counted runs end at different steps")
    folder = shlex.quote(str(record))
    speedcheck = f"{python} -m speedcheck"
    return {
        REFERENCE: f"cd {folder}; " + line.replace("| python ", f"| {python} "),
        "speedcheck verify": f"{speedcheck} verify {folder}",
        "speedcheck verify --json": f"{speedcheck} verify --json {folder}",
        "speedcheck table --csv": f"{speedcheck} table --csv {folder}",
        "speedcheck --help": f"{speedcheck} --help",
        "python -c pass": f"{python} -c pass",
    }


def seconds(command: str) -> float:
    """Return the wall time of a shell command, whatever its exit code."""
    begin = time.perf_counter()
    subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    return time.perf_counter() - begin


def main() -> None:
    """Time all commands and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("record", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    record = options.record or next(iter(sorted((ROOT / "records").glob("*_tiny"))))
    timed = commands(record.resolve())
    for command in timed.values():
        seconds(command)  # once unmeasured: files and bytecode into the cache
    rounds = [{name: seconds(text) for name, text in timed.items()} for _ in range(options.rounds)]
    size = sum(file.stat().st_size for file in (record / "logs").glob("*")) / 1e6
    print(f"{record.name}: {len(list((record / 'logs').glob('*')))} logs, {size:.1f} MB")
    print(f"{'command':28} {'median [s]':>10} {'spread [s]':>14} {'to shell line':>14}")
    for name in timed:
        times = [r[name] for r in rounds]
        ratio = statistics.median(r[name] / r[REFERENCE] for r in rounds)
        spread = f"{min(times):.2f} to {max(times):.2f}"
        print(f"{name:28} {statistics.median(times):10.3f} {spread:>14} {ratio:14.2f}")


if __name__ == "__main__":
    main()
