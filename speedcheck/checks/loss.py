"""Is the mean loss below the target? The statistics of the counted losses, and what they show."""

from __future__ import annotations

from speedcheck.certificate import Finding, JudgedRun, LossStatistics, Severity
from speedcheck.checks import codes
from speedcheck.checks.counting import Evidence
from speedcheck.rule import Rule
from speedcheck.stats import (
    bayes_mean_std,
    one_sample_t,
    outliers,
    runs_for_power,
    runs_needed,
)


def loss_statistics(losses: list[float | None], target: float) -> LossStatistics:
    """Return the test and the estimates; a loss that is None (not finite) makes them undefined.

    Args:
        losses: final validation losses, one a run, nats per token.
        target: the loss that the mean must be below.
    """
    finite = [loss for loss in losses if loss is not None]
    if len(finite) < len(losses):
        return LossStatistics(len(losses), None, None, None, None, None, None, None)
    test = one_sample_t(finite, target)
    bayes = bayes_mean_std(finite)
    bayes_mean, bayes_std = bayes or (None, None)
    return LossStatistics(
        n=test.n,
        mean=test.mean,
        std=test.std,
        t=test.t,
        df=test.df,
        p_value=test.p_value,
        bayes_mean=bayes_mean,
        bayes_std=bayes_std,
    )


def check_loss(evidence: Evidence, loss: LossStatistics, rule: Rule) -> tuple[Finding, ...]:
    """Judge the counted losses by `rule`."""
    counted = [run for run in evidence.judged if run.counted]
    findings = [
        *_lenient_rule(rule),
        *_diverged(counted),
        *(_test(loss, rule) if all(run.val_loss is not None for run in counted) else ()),
        *_outliers(counted),
    ]
    plan = evidence.record.plan
    return tuple(_excuse(findings)) if plan and plan.kind == "systems" else tuple(findings)


def judge_losses(loss: LossStatistics, rule: Rule) -> tuple[Finding, ...]:
    """Judge bare losses, without any record."""
    if loss.n and loss.mean is None:
        return (Finding(codes.DIVERGED_RUN, "fail", "a loss is not a finite number"),)
    return tuple(_test(loss, rule))


def _test(loss: LossStatistics, rule: Rule) -> list[Finding]:
    if loss.n == 0 or loss.mean is None:
        return [Finding(codes.NO_LOSS, "unknown", "no run has a loss that counts")]
    if loss.n == 1:
        return [Finding(codes.TOO_FEW_RUNS, "fail", _one_run(loss.mean, rule))]
    if loss.p_value is None:
        message = (
            f"all {loss.n} losses are {loss.mean:g}: with a standard deviation of 0 the t-test is "
            "not defined; equal losses mean copied logs or a seed that is not used"
        )
        return [Finding(codes.EQUAL_LOSSES, "fail", message)]
    if loss.p_value >= rule.alpha:
        return [Finding(codes.NOT_SIGNIFICANT, "fail", _not_significant(loss, rule))]
    return []


def _one_run(mean: float, rule: Rule) -> str:
    message = "p is not defined for 1 run: at least 1 more run is needed"
    sd = rule.track.typical_sd
    if mean >= rule.target:
        return f"{message}, and this loss, {mean:g}, is not below {rule.target:g}"
    planned = runs_for_power(mean, sd, rule.target, rule.alpha) if sd else None
    if planned is None or sd is None:
        return message
    more = (
        f"; if {mean:g} is the true mean and the sd is this track's usual {sd:g}, {planned} runs "
        f"({planned - 1} more) pass with 90 % probability"
    )
    return message + more


def _not_significant(loss: LossStatistics, rule: Rule) -> str:
    # The caller has seen to it that a p-value, and so mean and sd, exist.
    mean, std, p = loss.mean or 0.0, loss.std or 0.0, loss.p_value or 0.0
    message = (
        f"p = {p:.4g} is not below {rule.alpha:g} "
        f"(mean {mean:.6g}, target {rule.target:g}, {loss.n} runs)"
    )
    needed = runs_needed(mean, std, rule.target, rule.alpha)
    if needed is None:
        return f"{message}; the mean is not below the target"
    hint = (
        f"; with this mean and sd it would take {needed} runs, {needed - loss.n} more: plan a new "
        "record with more, since adding runs until the test passes is no test"
    )
    return message + hint


def _lenient_rule(rule: Rule) -> list[Finding]:
    if not rule.is_lenient:
        return []
    message = (
        f"judged against {rule.target:g} at alpha {rule.alpha:g}; the track {rule.track.name} asks "
        f"for {rule.track.target:g} at {rule.track.alpha:g}"
    )
    severity: Severity = "info" if rule.by_caller else "fail"
    return [Finding(codes.LENIENT_RULE, severity, message)]


def _diverged(counted: list[JudgedRun]) -> list[Finding]:
    return [
        Finding(
            codes.DIVERGED_RUN,
            "fail",
            "the loss is not a finite number: this run is evidence against the record and "
            "leaves no mean to test",
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
            f"loss {runs[index].val_loss:g} lies far from the others and is counted: look at the "
            "log for what went otherwise, and never drop it",
            where=runs[index].log or "",
        )
        for index in flagged
    ]


def _excuse(findings: list[Finding]) -> list[Finding]:
    """Turn what a pure speed change is excused from into remarks."""
    excused = (codes.NOT_SIGNIFICANT, codes.TOO_FEW_RUNS)
    return [
        Finding(codes.LOSS_EXCUSED, "info", f"systems record: {finding.message}", finding.where)
        if finding.code in excused
        else finding
        for finding in findings
    ]
