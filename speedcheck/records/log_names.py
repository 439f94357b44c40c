"""What the logs of a record are called: one name for each attempt, so that none is overwritten."""

from __future__ import annotations

import re
from pathlib import Path

_LOG = re.compile(r"seed-[0-9]{3,}(?:\.attempt-[0-9]+)?\.txt")
_ATTEMPT = re.compile(r"\.attempt-([0-9]+)$")


def log_name(seed: int, earlier: int) -> str:
    """Return the name of the log of a seed's run after so many earlier attempts."""
    return f"seed-{seed:03d}.txt" if not earlier else f"seed-{seed:03d}.attempt-{earlier + 1}.txt"


def is_log_name(name: str) -> bool:
    """Return whether a file is named like the log of a planned run."""
    return _LOG.fullmatch(name) is not None


def next_log(log: Path) -> Path:
    """Return the log of the attempt after the one that writes `log`."""
    attempt = _ATTEMPT.search(log.stem)
    seed = log.stem.removesuffix(attempt[0]) if attempt else log.stem
    return log.with_name(f"{seed}.attempt-{int(attempt[1]) + 1 if attempt else 2}{log.suffix}")
