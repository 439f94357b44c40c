"""Is the mean loss beyond the target? The statistics of the counted losses, and what they show."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from speedcheck.certificate import JudgedRun, LossStatistics
from speedcheck.checks import codes
from speedcheck.checks.beat_frontier import check_frontier, frontier_statistics
from speedcheck.checks.beside_baseline import Baseline
from speedcheck.checks.scan import check_scan, scan_of
from speedcheck.checks.stopping_rule import check_sequential, sequential_statistics
from speedcheck.checks.systems_loss import check_non_inferiority
from speedcheck.rules.rule import Rule
from speedcheck.rules.tracks import NO_TRACK
from speedcheck.sample import Sample
from speedcheck.stats import (
    bayes_mean_std,
    margin_for,
    one_sample_t,
    one_sample_z,
    outliers,
    passes,
    runs_for_power,
    runs_needed,
    runs_needed_z,
)
from speedcheck.verdicts import Finding, Severity, Verdict

_BETTER_MEAN = "Train longer, or change the program: with such a mean no number of runs passes."


def sample_statistics(
    sample: Sample, rule: Rule, baseline: Baseline | None = None
) -> LossStatistics:
    """Return the statistics of the counted losses by the test of the rule's track.

    Args:
        sample: the record with its runs judged.
        rule: its rule.
        baseline: the record that it is compared with; on a track with the test "welch" that is
            the frontier.
    """
    loss = loss_statistics([run.val_loss for run in sample.judged if run.counted], rule, baseline)
    loss = replace(loss, scan=scan_of(sample, rule))
    return sequential_statistics(loss, sample, rule) if sample.record.is_sequential else loss


def loss_statistics(
    losses: list[float | None], rule: Rule, baseline: Baseline | None = None
) -> LossStatistics:
    """Return the test and the estimates; a loss that is None (not finite) makes them undefined.

    Args:
        losses: final validation losses, one a run, nats per token.
        rule: says the target, the side that must be shown and the test. Where its track knows the
            standard deviation p is that of the z-test, and t and its degrees of freedom are None.
        baseline: the frontier, on a track with the test "welch".
    """
    target, direction, sigma = rule.target, rule.track.direction, rule.track.sigma
    finite = [loss for loss in losses if loss is not None]
    if len(finite) < len(losses):
        return LossStatistics(len(losses), None, None, None, None, None, None, None)
    test = one_sample_t(finite, target, direction)
    bayes = bayes_mean_std(finite)
    bayes_mean, bayes_std = bayes or (None, None)
    statistics = LossStatistics(
        n=test.n,
        mean=test.mean,
        std=test.std,
        t=test.t,
        df=test.df,
        p_value=test.p_value,
        bayes_mean=bayes_mean,
        bayes_std=bayes_std,
    )
    if rule.track.test == "welch":
        return frontier_statistics(statistics, finite, rule, baseline)
    if sigma is None:
        return statistics
    p_value = one_sample_z(finite, target, sigma, direction).p_value
    return replace(statistics, t=None, df=None, p_value=p_value)


def check_loss(
    sample: Sample, loss: LossStatistics, rule: Rule, baseline: Baseline | None = None
) -> tuple[Finding, ...]:
    """Judge the counted losses by `rule`.

    A systems record passes the test too, or shows that it is not worse than its baseline.
    """
    counted = [run for run in sample.judged if run.counted]
    findings = [
        *_lenient_rule(rule),
        *_diverged(counted),
        *_decisive(sample, counted, loss, rule),
        *check_scan(loss),
        *_outliers(counted),
    ]
    if not sample.record.is_systems or not _missed(findings):
        return tuple(findings)
    return (*_excuse(findings), *check_non_inferiority(sample, rule, baseline))


def _decisive(
    sample: Sample, counted: list[JudgedRun], loss: LossStatistics, rule: Rule
) -> Iterator[Finding]:
    """Judge by the test that decides: the record's own, where its plan or its track names one."""
    if sample.record.is_sequential:
        yield from check_sequential(loss, sample, rule)
    elif all(run.val_loss is not None for run in counted):
        if rule.track.test == "welch" and loss.frontier is None:
            yield from check_frontier(loss, rule)
        yield from _test(loss, rule)


def passes_test(loss: LossStatistics, rule: Rule) -> bool:
    """Return whether losses pass the test of the rule."""
    return Verdict.of(judge_losses(loss, rule)).status in ("pass", "warn")


def judge_losses(loss: LossStatistics, rule: Rule) -> tuple[Finding, ...]:
    """Judge bare losses, without any record."""
    if loss.n and loss.mean is None:
        return (Finding(codes.DIVERGED_RUN, "fail", "a loss is not a finite number"),)
    return tuple(_test(loss, rule))


def _test(loss: LossStatistics, rule: Rule) -> list[Finding]:
    if loss.n == 0 or loss.mean is None:
        return [Finding(codes.NO_LOSS, "unknown", "no run has a loss that counts")]
    if loss.frontier is not None:
        return list(check_frontier(loss, rule))
    if rule.track.sigma is not None:
        return _z_test(loss, loss.mean, rule, rule.track.sigma)
    return _t_test(loss, loss.mean, rule)


def _t_test(loss: LossStatistics, mean: float, rule: Rule) -> list[Finding]:
    if loss.n == 1:
        return [Finding(codes.TOO_FEW_RUNS, "fail", _one_run(mean, rule))]
    if loss.p_value is None:
        message = (
            f"all {loss.n} losses are {mean:g}: with a standard deviation of 0 the t-test is "
            "not defined; equal losses mean copied logs or a seed that is not used"
        )
        return [Finding(codes.EQUAL_LOSSES, "fail", message)]
    if loss.p_value >= rule.alpha:
        return [_not_significant(loss, mean, rule)]
    return []


def _z_test(loss: LossStatistics, mean: float, rule: Rule, sigma: float) -> list[Finding]:
    """Judge by the rule of a known standard deviation, which one run can pass."""
    # Two losses may agree in all printed digits by chance, three hardly.
    if loss.std == 0 and loss.n > 2:
        message = f"all {loss.n} losses are {mean:g}: copied logs, or a seed that is not used"
        return [Finding(codes.EQUAL_LOSSES, "fail", message)]
    sign = rule.track.sign
    margin = margin_for(sigma, rule.alpha)
    reached = sign * (rule.target - mean) * math.sqrt(loss.n)
    sides = "target - mean" if sign > 0 else "mean - target"
    message = (
        f"z-test with known sigma {sigma:g}: ({sides}) * sqrt(n) = {reached:.4g}, at least "
        f"{margin:.4g} is asked for"
    )
    if loss.p_value is not None and passes(loss.p_value, rule.alpha):
        return [Finding(codes.KNOWN_SIGMA, "info", message)]
    needed = runs_needed_z(sign * mean, sign * rule.target, margin)
    return [_missed_by(message, needed, loss.n, rule)]


def _one_run(mean: float, rule: Rule) -> str:
    message = "p is not defined for 1 run: at least 1 more run is needed"
    sd = rule.track.typical_sd
    sign = rule.track.sign
    if sign * mean >= sign * rule.target:
        return f"{message}, and this loss, {mean:g}, is not {_side(rule)} {rule.target:g}"
    planned = runs_for_power(sign * mean, sd, sign * rule.target, rule.alpha) if sd else None
    if planned is None or sd is None:
        return message
    more = (
        f"; if {mean:g} is the true mean and the sd is this track's usual {sd:g}, {planned} runs "
        f"({planned - 1} more) pass with 90 % probability"
    )
    return message + more


def _not_significant(loss: LossStatistics, mean: float, rule: Rule) -> Finding:
    # The caller has seen to it that a p-value, and so a sd, exist.
    std, p = loss.std or 0.0, loss.p_value or 0.0
    message = (
        f"p = {p:.4g} is not below {rule.alpha:g} "
        f"(mean {mean:.6g}, target {rule.target:g}, {loss.n} runs)"
    )
    sign = rule.track.sign
    needed = runs_needed(sign * mean, std, sign * rule.target, rule.alpha)
    return _missed_by(message, needed, loss.n, rule)


def _missed_by(message: str, needed: int | None, n: int, rule: Rule) -> Finding:
    """Return the finding on a test that does not pass, with what would make it pass."""
    if needed is None:
        message += f"; the mean is not {_side(rule)} the target"
        return Finding(codes.NOT_SIGNIFICANT, "fail", message, remedy=_BETTER_MEAN)
    given = "mean" if rule.track.sigma else "mean and sd"
    message += (
        f"; with this {given} it would take {needed} runs, {needed - n} more: plan a new "
        "record with more; do not add runs until the test passes"
    )
    return Finding(codes.NOT_SIGNIFICANT, "fail", message)


def _side(rule: Rule) -> str:
    return "below" if rule.track.direction == "less" else "above"


def _lenient_rule(rule: Rule) -> list[Finding]:
    if not rule.is_lenient:
        return []
    track = rule.track
    asking = "its recipe" if track.name == NO_TRACK else f"the track {track.name}"
    message = (
        f"judged against {rule.target:g} at alpha {rule.alpha:.4g}, and {asking} asks for "
        f"{track.target:g} at {track.alpha:.4g}"
    )
    severity: Severity = "info" if rule.by_caller else "fail"
    return [Finding(codes.LENIENT_RULE, severity, message)]


def _diverged(counted: list[JudgedRun]) -> list[Finding]:
    return [
        Finding(
            codes.DIVERGED_RUN,
            "fail",
            "the loss is not a finite number: the run counts against the record, and there is no "
            "mean to test",
            where=run.log or "",
        )
        for run in counted
        if run.val_loss is None
    ]


def _outliers(counted: list[JudgedRun]) -> list[Finding]:
    runs = [run for run in counted if run.val_loss is not None]
    flagged = outliers([run.val_loss for run in runs if run.val_loss is not None])
    return [
        Finding(
            codes.OUTLIER,
            # One in seven faultless samples of 8 has one: a place to look, and no warning.
            "info",
            f"loss {runs[index].val_loss:g} is far from the others: check the log for a cause; do "
            "not drop the run",
            where=runs[index].log or "",
        )
        for index in flagged
    ]


_EXCUSED = (codes.NOT_SIGNIFICANT, codes.TOO_FEW_RUNS)


def _missed(findings: list[Finding]) -> bool:
    return any(finding.code in _EXCUSED for finding in findings)


def _excuse(findings: list[Finding]) -> list[Finding]:
    """Turn what a pure speed change is excused from into remarks."""
    return [
        Finding(codes.LOSS_EXCUSED, "info", f"systems record: {finding.message}", finding.where)
        if finding.code in _EXCUSED
        else finding
        for finding in findings
    ]
