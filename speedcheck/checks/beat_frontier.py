"""Does the record beat the frontier, where its track asks for that?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from speedcheck.certificate import LossStatistics
from speedcheck.checks import codes
from speedcheck.checks.beside_baseline import Baseline, losses_of
from speedcheck.figures import FrontierFigures
from speedcheck.rules.rule import Rule
from speedcheck.stats.frontier import FrontierTest, beats_frontier
from speedcheck.stats.moments import moments
from speedcheck.verdicts import Finding

# One run shows nothing of how far chance has brought it.
FEWEST_RUNS = 2

_NO_NUMBER = "Train better, in a new record of several runs: the message names no number of runs."


def frontier_statistics(
    loss: LossStatistics, losses: Sequence[float], rule: Rule, baseline: Baseline | None
) -> LossStatistics:
    """Return the statistics with the test against the frontier in the place of the fixed one.

    Args:
        loss: the statistics by the fixed target, which stay while the frontier is not known.
        losses: the losses behind them; NaN for a run that diverged.
        rule: the rule of the record; its track has the test "welch".
        baseline: the frontier.
    """
    best = [] if baseline is None else losses_of(baseline.sample)
    if baseline is None or len(best) < FEWEST_RUNS:
        return loss
    track = rule.track
    test = beats_frontier(
        losses,
        best,
        improvement=track.improvement,
        alpha=rule.alpha,
        direction=track.direction,
    )
    figures = _figures(test, baseline.name, moments(best).mean)
    return replace(loss, t=None, df=None, p_value=test.p_value, frontier=figures)


def check_frontier(loss: LossStatistics, rule: Rule) -> Iterator[Finding]:
    """Judge the losses against the frontier."""
    figures = loss.frontier
    if figures is None:
        message = (
            f"track {rule.track.name} asks for a better mean than the best certified record's, and "
            f"no such record of at least {FEWEST_RUNS} runs is known"
        )
        yield Finding(codes.FRONTIER_UNKNOWN, "unknown", message)
    elif figures.p_value is not None and figures.p_value < rule.alpha:
        yield Finding(codes.FRONTIER_BEATEN, "info", describe(figures), figures.name)
    else:
        message = f"{_why_not(figures, rule)}; {describe(figures)}{_hint(figures, loss.n)}"
        remedy = "" if figures.runs_needed else _NO_NUMBER
        yield Finding(codes.FRONTIER_NOT_BEATEN, "fail", message, figures.name, remedy)


def describe(figures: FrontierFigures) -> str:
    """Return the frontier and the difference to it in words."""
    own = "" if figures.low is None else f", 95% interval {figures.low:.5g} to {figures.high:.5g}"
    mean = "no mean" if figures.mean is None else f"mean {figures.mean:.6g}"
    parts = [f"the frontier has {mean} (n = {figures.n}{own})"]
    if figures.difference is not None:
        parts.append(f"difference {figures.difference:+.5f}")
    if figures.p_value is not None:
        parts.append(f"one-sided Welch p = {figures.p_value:.3g}")
    return ", ".join(parts)


def _why_not(figures: FrontierFigures, rule: Rule) -> str:
    if figures.p_value is None:
        return "no test against the frontier is defined: too few runs, or equal losses"
    more = f" by more than {figures.improvement:g}" if figures.improvement else ""
    p = f"p = {figures.p_value:.3g} is not below {rule.alpha:g}"
    return f"not shown to beat the frontier{more}: {p}"


def _hint(figures: FrontierFigures, n: int) -> str:
    if figures.p_value is None:
        return ""
    if figures.runs_needed is None:
        return "; no number of runs with this mean and sd would do"
    needed = figures.runs_needed
    return (
        f"; with this mean and sd it would take {needed} runs, {needed - n} more: plan a new record"
    )


def _figures(test: FrontierTest, name: str, mean: float | None) -> FrontierFigures:
    difference = test.difference
    return FrontierFigures(
        name=name,
        n=difference.n_b,
        mean=mean,
        low=test.frontier_low,
        high=test.frontier_high,
        difference=difference.difference,
        difference_low=difference.low,
        difference_high=difference.high,
        improvement=test.improvement,
        p_value=test.p_value,
        runs_needed=test.runs_needed,
    )
