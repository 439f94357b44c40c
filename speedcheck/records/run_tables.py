"""CSV files that repeat the results of other logs: what they hold is a claim, not a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from speedcheck.logs import LogFile
from speedcheck.words import decimals

_SUFFIX = ".csv"


def without_run_tables(logs: Sequence[LogFile]) -> tuple[LogFile, ...]:
    """Return logs, a CSV file without runs where each loss in it is the last one of another log's.

    A track whose logs are CSV files takes every one of them for a log. A table with any other loss
    stays one: it is evidence.
    """
    finals = {
        run.final.loss
        for log in logs
        if not log.name.lower().endswith(_SUFFIX)
        for run in log.runs
        if run.final is not None
    }
    return tuple(replace(log, runs=()) if _repeats(log, finals) else log for log in logs)


def _repeats(log: LogFile, finals: set[float]) -> bool:
    if not finals or not log.name.lower().endswith(_SUFFIX):
        return False
    losses = {validation.loss for run in log.runs for validation in run.validations}
    # The table may round them to digits of its own.
    rounded = {d: {round(final, d) for final in finals} for d in set(map(decimals, losses))}
    return bool(losses) and all(loss in rounded[decimals(loss)] for loss in losses)
