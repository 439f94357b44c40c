"""Did each run keep to what the track allows it: training time, evaluation time, bytes?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from speedcheck.certificate import JudgedRun
from speedcheck.checks import codes
from speedcheck.logs import Run
from speedcheck.rules.tracks import Track
from speedcheck.verdicts import Finding


class Counted(Protocol):
    """The runs of a record, counted or not."""

    def counted(self) -> Sequence[tuple[Run, JudgedRun]]:
        """Return the counted runs that have a log."""


class _Use(NamedTuple):
    """What a run used of something, what it may use, and how much more is tolerated."""

    what: str
    used: float | None
    allowed: float | None
    unit: str
    tolerance: float = 0.0


def check_budget(sample: Counted, track: Track) -> tuple[Finding, ...]:
    """Compare what the counted runs used with the budget and the limits of `track`.

    Training may pass the budget by one logged step, at whose end the program sees that the time
    is used up; nothing may pass a limit.

    Args:
        sample: the record's runs.
        track: its track.
    """
    findings = (
        _finding(use, judged.log or "")
        for run, judged in sample.counted()
        for use in _uses(run, track)
    )
    return tuple(finding for finding in findings if finding)


def _uses(run: Run, track: Track) -> Iterator[_Use]:
    budget, limits = track.budget, track.limits
    train_ms = run.train_time_ms if run.last_time_ms is None else run.last_time_ms
    yield _time("the training", train_ms, budget.train_ms, run.step_time_ms or 0.0)
    yield _time("the training", train_ms, limits.train_ms)
    yield _time("the evaluation", run.eval_time_ms, _lowest(budget.eval_ms, limits.eval_ms))
    size = _lowest(budget.artifact_bytes, limits.artifact_bytes)
    yield _Use("the artifact", run.artifact_bytes, size, "bytes")


def _time(
    what: str, used_ms: float | None, allowed_ms: float | None, tolerance_ms: float = 0.0
) -> _Use:
    used = None if used_ms is None else used_ms / 1e3
    allowed = None if allowed_ms is None else allowed_ms / 1e3
    return _Use(what, used, allowed, "s", tolerance_ms / 1e3)


def _finding(use: _Use, log: str) -> Finding | None:
    if use.allowed is None:
        return None
    allowed = f"the track allows {use.allowed:.10g} {use.unit}"
    if use.used is None:
        message = f"the log does not say how much {use.what} used, and {allowed}"
        return Finding(codes.BUDGET_UNKNOWN, "unknown", message, log)
    if use.used <= use.allowed + use.tolerance:
        return None
    more = f" and a logged step of {use.tolerance:.4g} s" if use.tolerance else ""
    message = f"{use.what} used {use.used:.10g} {use.unit}, and {allowed}{more}"
    return Finding(codes.OVER_BUDGET, "fail", message, log)


def _lowest(*limits: float | None) -> float | None:
    return min((limit for limit in limits if limit is not None), default=None)
