"""What each picture shows, in a sentence with its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speedcheck.report.race_text import confidence_sequence
from speedcheck.report.wording import printable, rounded, significant, small_p, two_digits
from speedcheck.words import count

if TYPE_CHECKING:
    from speedcheck.plot_data.pictures import (
        Comparison,
        Curves,
        Evidence,
        Losses,
        Posterior,
        Runtimes,
        StepTimes,
    )
    from speedcheck.plot_data.race_data import PairDifferences, RaceEvidence
    from speedcheck.stats import Difference

_ORDERS = {"start": "order of their starts", "log": "order of their logs' names"}


def losses(shown: Losses) -> str:
    """Say where the losses and their mean are."""
    side = "below" if shown.direction == "less" else "above"
    parts = [f"{count(len(shown.values), 'run')}; the mean must be {side} {shown.target:g}"]
    if shown.mean is not None:
        mean = f"It is {rounded(shown.mean)}"
        if shown.interval is not None:
            low, high = rounded(shown.interval.low), rounded(shown.interval.high)
            mean += f", {shown.interval.level:.0%} interval {low} to {high}"
        parts.append(mean)
    if shown.next_run is not None:
        parts.append("The curve is where a further run would end")
    if shown.diverged:
        parts.append(f"{count(shown.diverged, 'run')} diverged and cannot be drawn")
    return _sentences(parts)


def posterior(shown: Posterior) -> str:
    """Say how sure mean and standard deviation are."""
    low, high = two_digits(shown.std_interval.low), two_digits(shown.std_interval.high)
    level = f"{shown.std_interval.level:.0%}"
    parts = [f"The standard deviation of a run is {low} to {high} ({level} interval)"]
    if shown.p_value is not None:
        wrong = "above" if shown.direction == "less" else "below"
        p = f"p {small_p(shown.p_value)}"
        parts.append(f"{p} is the share of the upper curve {wrong} {shown.target:g}")
    return _sentences(parts)


def curves(shown: Curves) -> str:
    """Say which runs are drawn."""
    counted = sum(curve.counted for curve in shown.losses)
    others = len(shown.losses) - counted
    drawn = f"{count(counted, 'counted run')}" + (
        f", {count(others, 'run')} not counted" if others else ""
    )
    further = f"Not drawn: {count(shown.left_out, 'further run')}" if shown.left_out else ""
    below = "Below, how far each counted run is from their mean" if shown.apart else ""
    return _sentences([drawn, further, below])


def runtimes(shown: Runtimes) -> str:
    """Say whether the times drift."""
    runs = f"{count(len(shown.seconds), 'run')} in the {_ORDERS[shown.order]}"
    parts = [f"{runs}, mean {rounded(shown.mean)} s"]
    if shown.line is not None:
        trend = shown.line.trend
        interval = (
            f"95% interval {significant(trend.low, 2, '+')} to {significant(trend.high, 2, '+')} s"
        )
        drift = f"{trend.slope:+.2g} s from run to run ({interval})"
        parts.append(f"They drift by {drift}" if trend.shown else f"No drift is shown: {drift}")
    return _sentences(parts)


def step_times(shown: StepTimes) -> str:
    """Say what a step takes at the end."""
    end = f"At the end {shown.median[-1]:.4g} ms a step"
    if shown.runs > 1:
        end += f" in the median of {shown.runs} runs, {shown.low[-1]:.4g} to {shown.high[-1]:.4g}"
    return _sentences([end])


def evidence(shown: Evidence) -> str:
    """Say whether and when the e-value certifies."""
    last = f"After {count(len(shown.log10_e), 'run')} log10 E is {shown.log10_e[-1]:.3g}"
    needed = f"It certifies at {shown.needed:.3g}"
    if shown.certified_at is None:
        return _sentences([last, needed])
    return _sentences([last, f"{needed}, which run {shown.certified_at} reached"])


def comparison(shown: Comparison) -> str:
    """Say which baseline it is."""
    parts = [f"The baseline is {printable(shown.name)}", "Bars are means"]
    for name, unit, side in (("loss", "", shown.losses), ("time", " s", shown.times)):
        if side is not None:
            parts += _difference(name, unit, side.difference)
    if shown.times is None:
        parts.append("The times of the two cannot be compared")
    return _sentences(parts)


def differences(shown: PairDifferences) -> str:
    """Say how far A is from B, and whether the machine drifts."""
    parts = [
        f"{count(len(shown.seconds), 'pair')}; where the difference is below zero, A is faster"
    ]
    if shown.mean is not None:
        interval = confidence_sequence(shown.level, shown.low, shown.high)
        parts.append(f"Mean {shown.mean:+.3f} s, {interval}")
    if shown.drift is not None:
        parts.append(f"Drift {shown.drift:+.4f} s from each run to the next")
    return _sentences(parts)


def race_evidence(shown: RaceEvidence) -> str:
    """Say whether and when the e-value decides."""
    last = f"After {count(shown.pairs[-1], 'pair')} log10 E is {shown.log10_e[-1]:.3g}"
    needed = f"It decides at {shown.needed:.3g}"
    if shown.reached_at is None:
        return _sentences([last, needed])
    reached = f"{needed}, which is reached after {shown.reached_at} pairs"
    winner = f"{shown.winner.upper()} is faster" if shown.winner else ""
    return _sentences([last, reached, winner])


def _difference(name: str, unit: str, found: Difference) -> list[str]:
    if found.difference is None:
        return []
    text = f"Difference of the {name}, record minus baseline: {found.difference:+.4g}{unit}"
    if found.low is None or found.high is None:
        return [text]
    interval = f"{found.level:.0%} interval {found.low:+.4g} to {found.high:+.4g}{unit}"
    return [f"{text} ({interval})"]


def _sentences(parts: list[str]) -> str:
    return " ".join(f"{part}." for part in parts if part)
