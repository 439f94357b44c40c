"""How fast is it? Runtime statistics of the counted runs."""

from __future__ import annotations

from speedcheck.certificate import Finding, JudgedRun
from speedcheck.checks import codes
from speedcheck.checks.counting import Evidence
from speedcheck.stats import Runtime, runtime_stats


def runtime_statistics(counted: tuple[JudgedRun, ...]) -> Runtime | None:
    """Return the runtime statistics in seconds; None where no counted run has a time."""
    times = [run.train_time_ms / 1000 for run in counted if run.train_time_ms is not None]
    return runtime_stats(times) if times else None


def check_speed(evidence: Evidence, runtime: Runtime | None) -> tuple[Finding, ...]:
    """Judge the times: unknown while there is nothing to compare them with."""
    if runtime is None:
        return (Finding(codes.NO_TIMES, "unknown", "no counted run says how long it took"),)
    plan = evidence.record.plan
    named = f": {plan.baseline!r} is not compared by this version" if plan and plan.baseline else ""
    message = f"no baseline record was compared{named}; the times stand for themselves"
    return (Finding(codes.NO_BASELINE, "unknown", message),)
