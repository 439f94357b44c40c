"""Runs that a log continues after they stopped: the parts are one run, whose time is unknown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from speedcheck.logs import Run, Validation


def join_resumed(runs: Sequence[Run]) -> tuple[tuple[Run, ...], frozenset[int]]:
    """Join the parts of each resumed run, and return the runs and the positions of joined ones.

    A part continues the one before it in the same file when both have the same seed (or no seed
    is printed) and the same planned steps, the earlier part did not reach its end, and the later
    one begins above step 0, no earlier than the first step of the earlier part.

    A run whose steps run backwards was resumed too. The later part holds from its first step on.
    """
    joined: list[Run] = []
    resumed: set[int] = set()
    for run in runs:
        if _runs_backwards(run):
            joined.append(_without_overlap(run))
            resumed.add(len(joined) - 1)
        elif joined and _continues(joined[-1], run):
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


def _runs_backwards(run: Run) -> bool:
    return any(after.step < before.step for before, after in pairwise(run.validations))


def _without_overlap(run: Run) -> Run:
    """Keep of each step the validation that was printed last before the end."""
    kept: list[Validation] = []
    for validation in run.validations:
        while kept and kept[-1].step >= validation.step:
            kept.pop()
        kept.append(validation)
    return replace(run, validations=_untimed(kept), result=None, last_time_ms=None)


def _untimed(validations: Iterable[Validation]) -> tuple[Validation, ...]:
    return tuple(replace(v, train_time_ms=None, step_avg_ms=None) for v in validations)


def _join(part: Run, after: Run) -> Run:
    begin = after.validations[0].step
    kept = [validation for validation in part.validations if validation.step < begin]
    return replace(
        after,
        index=part.index,
        validations=_untimed((*kept, *after.validations)),
        last_time_ms=None,
    )
