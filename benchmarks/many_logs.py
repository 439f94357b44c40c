"""Time and memory of judging many records: 1,520 logs of the published size, 250 MB.

    python benchmarks/many_logs.py [--folders 190] [--logs 8] [--mixed] [--rounds 3]
                                   [--command history]

Writes `folders` record folders of `logs` logs each, with a full training program of its own in
every folder (with --mixed in every log, so that the runs of a folder have to be told apart), and
runs `speedcheck verify --json`, or another command, on all of them. The programs are made of those
of tests/speedcheck/program/programs, one after another, and no two have the same code. One more
round is watched and not timed: it gives the time of the processors, which says more on a machine
that others use too, and the memory of all processes together, with what they share counted once
(Linux: from /proc, every 0.1 s).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = sorted((ROOT / "tests" / "speedcheck" / "program" / "programs").glob("*.txt"))
# Programs of 2025 have 60 to 100 kB, and the published logs are 250 MB in 1,500 files.
BYTES_OF_PROGRAM = 80_000
BYTES_PER_LOG = 165_000
STEPS, EVERY = 1393, 125
SEPARATOR = "=" * 100 + "\n"
ENVIRONMENT = (
    "Running Python 3.12.7 (main, Oct 16 2024, 04:37:19) [Clang 18.1.8 ]\n"
    "Running PyTorch 2.7.0.dev20250110+cu126 compiled for CUDA 12.6\n"
)
SMI_ROW = "|   {}  NVIDIA H100 80GB HBM3          On  |   00000000:1{}:00.0 Off |            0 |\n"


def make_program(number: int) -> str:
    """Return a program of the published size whose code no other number has."""
    parts = [path.read_text() for path in PROGRAMS]
    start = number % len(parts)
    own = f"def own_{number}(x):\n    return {' + '.join(['x'] * (number + 2))}\n"
    text = ""
    for part in islice(cycle(parts), start, None):
        # At the end of a top-level block, where a file of its own could end.
        room = BYTES_OF_PROGRAM - len(text) - len(own)
        if len(part) >= room:
            return text + own + part[: part.rindex("\n\n\n", 0, room) + 1]
        text += part
    raise AssertionError("the parts have no end")


def make_log(program: str, loss: float) -> str:
    """Return a log of the published size that ends at `loss`."""
    lines = []
    for step in range(STEPS + 1):
        time_ms = f"train_time:{129 * step}ms step_avg:{129 * step / max(step, 1):.2f}ms"
        if step % EVERY == 0 or step == STEPS:
            value = loss + 7 * (1 - step / STEPS)
            lines.append(f"step:{step}/{STEPS} val_loss:{value:.4f} {time_ms}\n")
        lines.append(f"step:{step + 1}/{STEPS} {time_ms}\n")
    environment = ENVIRONMENT + "".join(SMI_ROW.format(gpu, gpu) for gpu in range(8))
    text = SEPARATOR.join((program, environment, "".join(lines[:-1])))
    return f"# {'-' * max(BYTES_PER_LOG - len(text) - 3, 0)}\n{text}"


def make_folders(root: Path, folders: int, logs: int, *, mixed: bool) -> tuple[int, int]:
    """Write the folders; return the number of logs and of bytes."""
    count = size = 0
    for number in range(folders):
        folder = root / f"record-{number:03d}"
        folder.mkdir()
        for index in range(logs):
            program = make_program(number * logs + index if mixed else number)
            text = make_log(program, 3.275 + 0.0001 * ((7 * index + number) % 40))
            (folder / f"{index:03d}.txt").write_text(text)
            count, size = count + 1, size + len(text)
    return count, size


def seconds(command: list[str]) -> float:
    """Return the wall time of a command."""
    begin = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    return time.perf_counter() - begin


class Usage(NamedTuple):
    """What a command and all processes that it began took."""

    processors_s: float
    memory_mib: float


def usage(command: list[str]) -> Usage:
    """Run a command in a session of its own, and watch the session, which takes time itself."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    ticks: dict[int, int] = {}
    memory = 0
    while process.poll() is None:
        pids = _session(process.pid)
        ticks |= {pid: ticks_used for pid in pids if (ticks_used := _ticks(pid))}
        memory = max(memory, sum(map(_proportional_kib, pids)))
        time.sleep(0.1)
    return Usage(sum(ticks.values()) / os.sysconf("SC_CLK_TCK"), memory / 1024)


def _session(leader: int) -> list[int]:
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if _stat(pid)[3:4] == [str(leader)]]


def _ticks(pid: int) -> int:
    return sum(map(int, _stat(pid)[11:13]))


def _stat(pid: int) -> list[str]:
    """The fields behind the command's name, which may hold anything; none where it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _proportional_kib(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


def main() -> None:
    """Print the figures of each round and their median."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folders", type=int, default=190)
    parser.add_argument("--logs", type=int, default=8)
    parser.add_argument("--mixed", action="store_true", help="a program of its own in every log")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--command", default="verify --json", help="what to time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        count, size = make_folders(
            Path(temporary), options.folders, options.logs, mixed=options.mixed
        )
        command = [sys.executable, "-m", "speedcheck", *options.command.split(), temporary]
        watched = usage(command)
        rounds = [seconds(command) for _ in range(options.rounds)]
    programs = count if options.mixed else options.folders
    print(f"{count} logs, {size / 1e6:.0f} MB, {options.folders} folders, {programs} programs")
    shown = ", ".join(f"{time:.2f}" for time in rounds)
    print(f"wall       {statistics.median(rounds):6.2f} s, the median of {shown}")
    print(f"processors {watched.processors_s:6.2f} s")
    print(f"memory     {watched.memory_mib:6.0f} MiB")


if __name__ == "__main__":
    main()
