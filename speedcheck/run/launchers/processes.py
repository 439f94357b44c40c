"""The processes of a campaign: found by a mark in their environment, and ended.

A mark is inherited by everything that a marked process starts, so that it also finds what a process
group or a recorded process id would miss: ranks in sessions of their own, whose parents are gone.
It cannot hit a stranger who has got the number of a process that ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

FOLDER_VARIABLE = "SPEEDCHECK_FOLDER"
CHILD_VARIABLE = "SPEEDCHECK_CHILD"
# The kernel needs a moment to take down a process that holds much memory.
GONE_SECONDS = 30.0

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Found:
    """A living process.

    Attributes:
        pid: its process id.
        command: its command line.
    """

    pid: int
    command: str


def mark_of(folder: Path) -> tuple[str, str]:
    """Return the mark of all processes that train the runs of a record folder."""
    return FOLDER_VARIABLE, str(folder.resolve())


def find_processes(mark: tuple[str, str]) -> list[Found]:
    """Return the living processes with a mark, except this one.

    Empty where the system does not show the environment of processes under /proc.
    """
    line = "=".join(mark).encode()
    found = (_look_at(path, line) for path in _PROC.glob("[0-9]*"))
    return [process for process in found if process and process.pid != os.getpid()]


def end_processes(mark: tuple[str, str]) -> list[Found]:
    """Kill every process with a mark, wait until none is left, and return those that were found.

    A process may start another while it is looked for, so the search goes on until it is in vain.
    """
    ended: dict[int, Found] = {}
    limit = time.monotonic() + GONE_SECONDS
    while (left := find_processes(mark)) and time.monotonic() < limit:
        for process in left:
            ended[process.pid] = process
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.02)
    return list(ended.values())


def _look_at(path: Path, line: bytes) -> Found | None:
    """Return the process if it has `line` in its environment; one that has ended has none."""
    try:
        if line not in (path / "environ").read_bytes().split(b"\0"):
            return None
        words = (path / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    return Found(int(path.name), b" ".join(words).decode(errors="replace").strip())
