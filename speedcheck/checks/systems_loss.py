"""A pure change of speed leaves the loss as it is: is that shown?"""

from __future__ import annotations

from collections.abc import Iterator

from speedcheck.checks import codes
from speedcheck.checks.beside_baseline import Baseline, losses_of
from speedcheck.rules.rule import Rule
from speedcheck.sample import Sample
from speedcheck.stats.noninferiority import (
    LossCurve,
    NonInferiority,
    equal_seeds,
    non_inferiority,
)
from speedcheck.verdicts import Finding


def check_non_inferiority(
    sample: Sample, rule: Rule, baseline: Baseline | None
) -> Iterator[Finding]:
    """Judge whether a systems record is shown not to be worse than its baseline."""
    if baseline is None:
        message = "no baseline record was named, so nothing shows that the loss is not worse"
        yield Finding(codes.NOT_NON_INFERIOR, "fail", message)
        return
    seeds = equal_seeds(loss_curves(sample), loss_curves(baseline.sample), rule.systems.min_runs)
    if seeds.shown:
        message = f"{seeds.common} runs of equal seeds have equal losses at every validation"
        yield Finding(codes.NON_INFERIOR, "info", message, baseline.name)
        return
    asked = rule.systems
    test = non_inferiority(
        losses_of(sample),
        losses_of(baseline.sample),
        margin=asked.margin,
        alpha=asked.alpha,
        min_runs=asked.min_runs,
        direction=rule.track.direction,
    )
    if test.shown:
        message = f"not worse than the baseline by {asked.margin:g}: {_limit(test)}"
        yield Finding(codes.NON_INFERIOR, "info", message, baseline.name)
        return
    if _is_worse(test):
        message = f"worse than the baseline by more than {asked.margin:g}: {_limit(test)}"
        yield Finding(codes.WORSE_LOSS, "fail", message, baseline.name)
        return
    message = f"not shown to be less than {asked.margin:g} worse than the baseline: {_why(test)}"
    yield Finding(codes.NOT_NON_INFERIOR, "fail", message, baseline.name)


def _is_worse(test: NonInferiority) -> bool:
    """Whether the other confidence limit lies beyond the margin too."""
    if test.direction == "less":
        limit = test.difference.lower(test.alpha)
        return limit is not None and limit > test.margin
    limit = test.difference.upper(test.alpha)
    return limit is not None and limit < -test.margin


def _limit(test: NonInferiority) -> str:
    return (
        f"the {1 - test.alpha:.0%} confidence limit of the difference is {test.limit or 0.0:+.5f}"
    )


def _why(test: NonInferiority) -> str:
    n = test.difference.n_a
    if n < test.min_runs:
        return f"{n} runs, and at least {test.min_runs} are needed"
    if test.limit is None:
        return "too few different losses for a test"
    needed = test.runs_needed
    more = "no number of runs would show it" if needed is None else f"{needed} runs would show it"
    return f"{_limit(test)}; with these means and standard deviations {more}"


def loss_curves(sample: Sample) -> list[LossCurve]:
    """Return the losses of the counted runs with a seed, at every validation."""
    return [
        LossCurve(run.seed, tuple((v.step, v.loss) for v in run.validations))
        for run, _ in sample.counted()
        if run.seed is not None
    ]
