"""How fast is it? Times, or steps, of the counted runs, and against the baseline's."""

from __future__ import annotations

from speedcheck.certificate import JudgedRun
from speedcheck.checks import codes
from speedcheck.checks.beside_baseline import (
    Baseline,
    compare_times,
    interval,
    why_not_comparable,
)
from speedcheck.checks.measurement import check_measured
from speedcheck.checks.outside_clock import check_outside_clock
from speedcheck.rules.rule import Rule
from speedcheck.sample import Sample
from speedcheck.stats import Runtime, runtime_stats
from speedcheck.verdicts import Finding, Severity


def runtime_statistics(counted: tuple[JudgedRun, ...]) -> Runtime | None:
    """Return the runtime statistics in seconds; None where no counted run has a time."""
    times = [run.train_time_ms / 1000 for run in counted if run.train_time_ms is not None]
    return runtime_stats(times) if times else None


def check_speed(
    sample: Sample, runtime: Runtime | None, rule: Rule, baseline: Baseline | None
) -> tuple[Finding, ...]:
    """Judge the times against the baseline's, or the steps where the track counts those.

    Unknown while there is nothing to compare them with.
    """
    return (*_compared_speed(sample, runtime, rule, baseline), *check_outside_clock(sample))


def _compared_speed(
    sample: Sample, runtime: Runtime | None, rule: Rule, baseline: Baseline | None
) -> tuple[Finding, ...]:
    by_steps = rule.track.cost == "steps"
    return (
        *([] if by_steps else check_measured(sample)),
        *_judged(sample, runtime, rule, baseline),
    )


def _judged(
    sample: Sample, runtime: Runtime | None, rule: Rule, baseline: Baseline | None
) -> tuple[Finding, ...]:
    by_steps = rule.track.cost == "steps"
    if runtime is None and not by_steps:
        return (Finding(codes.NO_TIMES, "unknown", "no counted run says how long it took"),)
    if rule.track.test == "welch":
        message = "the track compares losses; the times are reported but not compared"
        return (Finding(codes.NO_BASELINE, "unknown", message),)
    if baseline is None:
        what = "steps" if by_steps else "times"
        message = f"no baseline record was compared; the {what} are reported but not compared"
        return (Finding(codes.NO_BASELINE, "unknown", message),)
    compared = _steps(sample, baseline) if by_steps else _times(sample, rule, baseline)
    return (*_weak_baseline(sample, baseline), *compared)


def _weak_baseline(sample: Sample, baseline: Baseline) -> list[Finding]:
    """Say that the baseline misses the target: being faster than such a record shows little."""
    if baseline.passes:
        return []
    severity: Severity = "unknown" if sample.record.is_systems else "info"
    message = "the losses of the baseline itself do not pass by this rule"
    return [Finding(codes.WEAK_BASELINE, severity, message, where=baseline.name)]


def _times(sample: Sample, rule: Rule, baseline: Baseline) -> list[Finding]:
    theirs = runtime_statistics(tuple(run for run in baseline.sample.judged if run.counted))
    if theirs is None:
        return [_not_comparable("the baseline does not say how long its runs took", baseline)]
    reason = why_not_comparable(sample, baseline.sample)
    difference, test = compare_times(sample, baseline.sample)
    figures = (
        f"mean time {difference.mean_a or 0.0:.3f} s (n = {difference.n_a}) against "
        f"{difference.mean_b or 0.0:.3f} s (n = {difference.n_b})"
    )
    if reason:
        return [_not_comparable(f"{reason}: {figures}", baseline)]
    faster, slower = difference.p_below(), difference.p_above()
    if faster is None or slower is None:
        compared = _compared(f"{figures}: no test, too few different times", baseline)
        return [compared, _not_shown(sample, "no test is defined for these times", baseline)]
    compared = _compared(
        f"{figures}: {interval(difference, '+.3f')} s, one-sided {test} p = {faster:.2g} (faster)",
        baseline,
    )
    if faster < rule.alpha:
        return [compared]
    if slower < rule.alpha:
        message = f"it takes {difference.difference or 0.0:.3f} s longer (p = {slower:.2g})"
        return [compared, Finding(codes.SLOWER, "fail", message, where=baseline.name)]
    message = f"p = {faster:.2g} is not below {rule.alpha:g}"
    return [compared, _not_shown(sample, message, baseline)]


def _steps(sample: Sample, baseline: Baseline) -> list[Finding]:
    """Compare the numbers of steps, which are equal in all runs of a sound record."""
    ours, theirs = _final_steps(sample), _final_steps(baseline.sample)
    if not ours or not theirs:
        return [_not_comparable("not both records say how many steps they took", baseline)]
    compared = _compared(f"{_span(ours)} steps against {_span(theirs)}", baseline)
    if max(ours) < min(theirs):
        return [compared]
    if min(ours) > max(theirs):
        message = f"it takes {min(ours) - max(theirs)} steps more"
        return [compared, Finding(codes.SLOWER, "fail", message, where=baseline.name)]
    return [compared, _not_shown(sample, "it does not take fewer steps", baseline)]


def _final_steps(sample: Sample) -> list[int]:
    counted = [run.final_step for run in sample.judged if run.counted]
    known = [step for step in counted if step is not None]
    return known if len(known) == len(counted) else []


def _span(steps: list[int]) -> str:
    low, high = min(steps), max(steps)
    return f"{low}" if low == high else f"{low} to {high}"


def _compared(message: str, baseline: Baseline) -> Finding:
    return Finding(codes.SPEED_COMPARED, "info", message, where=baseline.name)


def _not_comparable(reason: str, baseline: Baseline) -> Finding:
    message = f"not comparable: {reason}"
    return Finding(codes.NOT_COMPARABLE, "unknown", message, where=baseline.name)


def _not_shown(sample: Sample, reason: str, baseline: Baseline) -> Finding:
    severity: Severity = "fail" if sample.record.is_systems else "unknown"
    message = f"not shown to be faster than the baseline: {reason}"
    return Finding(codes.NOT_FASTER, severity, message, where=baseline.name)
