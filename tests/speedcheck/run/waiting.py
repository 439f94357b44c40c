"""Ways to wait for other processes, and to do things while a campaign runs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until a condition holds, and fail where it never does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie that nobody has waited for yet is dead enough."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"


def meanwhile(*steps: Callable[[], object]) -> threading.Thread:
    """Do these things, one after another, while the main thread runs a campaign."""

    def do() -> None:
        for step in steps:
            step()

    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    return thread


def until_training(record: Path, name: str = "seed-000.txt") -> Callable[[], None]:
    """Return what waits until a run of a record trains."""
    log = record / "logs" / name
    return lambda: wait_for(lambda: log.exists() and "step:1/" in log.read_text())
