"""Has a run a result? What its log says, and how its process ended."""

from __future__ import annotations

import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

from speedcheck.logs import Run, read_log
from speedcheck.rules.tracks import Track

# A disk with less is full: what did not fit may have been larger than what is left.
LEAST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class End:
    """How the process of a run ended.

    Attributes:
        status: its exit status; minus the number of the signal that ended it. None where nobody
            knows, or it had to be stopped.
        wall_s: how long it ran, in seconds; None where nobody knows.
    """

    status: int | None = None
    wall_s: float | None = None

    def __str__(self) -> str:
        if self.status is None:
            return "stopped"
        if self.status >= 0:
            return f"exit status {self.status}"
        number = signal.Signals(-self.status)
        # No trainer sends it to itself; the kernel does to make room.
        why = " (often: out of memory)" if number == signal.SIGKILL else ""
        return f"signal {number.name}{why}"


def result_of(log: Path, track: Track, end: End = End()) -> Run | None:
    """Return the run in a log if it came to a result: the validation that decides, or divergence.

    The log decides, however the process ended. Where it cannot tell whether the run was complete,
    because it states no number of steps, an exit status of 0 does.
    """
    if not log.exists():
        return None
    runs = read_log(log, log.parent, track.parser()).runs
    if len(runs) != 1:
        return None
    (run,) = runs
    is_complete = track.reached_end(run)
    if is_complete is None:
        is_complete = end.status == 0 and run.val_loss is not None
    return run if is_complete or run.diverged else None


def remark_on(run: Run, end: End) -> str:
    """Return what the ledger remarks on a finished run; "" where there is nothing to say."""
    if run.diverged:
        return "diverged"
    return "" if end.status in (0, None) else f"{end} after the final validation"


def clock_details(run: Run, end: End) -> dict[str, float]:
    """Return how long a run took, and how much of it is outside of the run's own clock.

    Start-up, compilation, warm-up and validation are outside, in seconds.
    """
    if end.wall_s is None:
        return {}
    wall = {"wall_s": round(end.wall_s, 3)}
    if run.train_time_ms is None:
        return wall
    return wall | {"outside_clock_s": round(end.wall_s - run.train_time_ms / 1000, 3)}


def why_no_result(log: Path, track: Track, end: End, last_lines: str) -> str:
    """Return how a run ended, with its last words; where it exits with 0, what its log lacks."""
    if end.status == 0:
        return f"{end}, and its log holds no result{_where_it_ends(log, track)}"
    said = [line for line in last_lines.splitlines() if any(map(str.isalpha, line))]
    # What prints into a log on a full disk cannot say so itself.
    full = [f"the disk of {log.parent} is full"] if _is_disk_full(log.parent) else []
    words = [line.strip() for line in said[-1:]] + full
    return f"{end}: {'; '.join(words) or 'it printed nothing'}"


def _is_disk_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < LEAST_BYTES
    except OSError:  # the folder is gone
        return False


def _where_it_ends(log: Path, track: Track) -> str:
    runs = read_log(log, log.parent, track.parser()).runs if log.exists() else ()
    if len(runs) != 1:
        return ""
    total = "" if runs[0].total_steps is None else f" of {runs[0].total_steps}"
    return f": it ends at step {runs[0].last_step}{total}, without the final validation"
