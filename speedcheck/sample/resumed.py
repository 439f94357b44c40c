"""Runs that a log continues after they stopped: the parts are one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from speedcheck.logs import Run


def join_resumed(runs: Sequence[Run]) -> tuple[tuple[Run, ...], frozenset[int]]:
    """Join the parts of each resumed run, and return the runs and the positions of joined ones.

    A part continues the one before it in the same file when both have the same seed (or no seed
    is printed) and the same planned steps, the earlier part did not reach its end, and the later
    one begins above step 0, no earlier than the first step of the earlier part.

    The time of a joined run is unknown: the clock restarted.
    """
    joined: list[Run] = []
    resumed: set[int] = set()
    for run in runs:
        if joined and _continues(joined[-1], run):
            joined[-1] = _join(joined[-1], run)
            resumed.add(len(joined) - 1)
        else:
            joined.append(run)
    return tuple(joined), frozenset(resumed)


def _continues(part: Run, after: Run) -> bool:
    if part.log != after.log or part.complete is not False or part.diverged:
        return False
    if (part.seed, part.total_steps) != (after.seed, after.total_steps):
        return False
    if not part.validations or not after.validations:
        return False
    return after.validations[0].step > max(0, part.validations[0].step)


def _join(part: Run, after: Run) -> Run:
    begin = after.validations[0].step
    kept = [validation for validation in part.validations if validation.step < begin]
    untimed = (
        replace(validation, train_time_ms=None, step_avg_ms=None)
        for validation in (*kept, *after.validations)
    )
    return replace(after, index=part.index, validations=tuple(untimed))
