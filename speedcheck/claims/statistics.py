"""What a figure may honestly be, computed from values that were perhaps rounded.

Authors print different things under one name: a sample's deviation, numpy's, a Bayesian estimate;
a p-value of one side or of two. A figure agrees where any of them gives it at its printed digits.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import numpy as np
from scipy.special import ndtr, stdtr

from speedcheck.claims.model import SECONDS, Figure, Question
from speedcheck.stats import bayes_mean_std, moments

Range = tuple[float, float]

# Sums in another order, or in float32 as PyTorch makes them, differ in the last bits.
_FLOAT32 = 4 * float(np.finfo(np.float32).eps)
_FLOAT64 = 1e-10


def ranges(figure: Figure, values: list[float], half: float, question: Question) -> list[Range]:
    """Return what a figure can be for values that are each known to within `half`.

    Args:
        figure: the figure; a time in the unit of the values.
        values: losses, or times.
        half: half a unit of the values' last digit; 0 where they are exact.
        question: the test of the track.

    Returns:
        A range for each reading of the figure, the usual reading first; none where the statistic
        is not defined.
    """
    sample = moments(values)
    if sample.mean is None:
        return []
    largest = max(map(abs, values))
    error = half + (_FLOAT32 if figure.in_float32 else _FLOAT64) * largest
    if figure.what == "p":
        return _p_ranges(figure, sample.n, sample.mean, sample.std, half, question)
    if figure.what in ("mean", "time_mean") and figure.bayes in (None, "value"):
        return [_around(sample.mean, error)]
    return [_around(value, 3 * error) for value in _deviations(figure, values)]


def agrees(figure: Figure, found: Iterable[Range]) -> bool:
    """Return whether a figure, at the digits that it prints, lies in one of the ranges."""
    # A half may be rounded either way, and some cut where others round.
    unit = 10.0**-figure.number.decimals
    slack = 0.5 * unit + 1e-9 * abs(figure.number.value)
    value = figure.number.value
    return any(low - slack <= value <= high + slack for low, high in found)


def in_unit(seconds: list[float], figure: Figure) -> list[float]:
    """Return times in the unit of a figure; without one in the unit that fits best."""
    if not seconds:
        return []
    if figure.unit:
        return [value / SECONDS[figure.unit] for value in seconds]
    mean = sum(seconds) / len(seconds)
    ratio = figure.number.value / mean if figure.what == "time_mean" and mean > 0 else 1.0
    if ratio <= 0:
        return seconds
    scale = min(SECONDS.values(), key=lambda scale: abs(math.log(ratio * scale)))
    return [value / scale for value in seconds]


def _around(value: float, error: float) -> Range:
    return value - error, value + error


def _deviations(figure: Figure, values: list[float]) -> list[float]:
    """Return the sample's deviation, the Bayesian estimate and numpy's; or one Bayesian end."""
    sample, estimates = moments(values), bayes_mean_std(values)
    if figure.bayes is not None:
        if estimates is None:
            return []
        estimate = estimates[0] if figure.what in ("mean", "time_mean") else estimates[1]
        ends = {"value": estimate.estimate, "low": estimate.low, "high": estimate.high}
        value = ends[figure.bayes]
        return [] if value is None else [value]
    if sample.std is None or sample.squares is None:
        return []
    bayes = estimates[1].estimate if estimates else None
    population = math.sqrt(sample.squares / sample.n)
    return [sample.std, population, *([bayes] if bayes is not None else [])]


def _p_ranges(
    figure: Figure, n: int, mean: float, std: float | None, half: float, question: Question
) -> list[Range]:
    sigmas = [*figure.nulls.sigmas, *([question.sigma] if question.sigma else [])]
    found: list[Range] = []
    for target in figure.nulls.targets or (question.target,):
        if std is not None:
            found += _sides(n, mean - target, std, half, n - 1, question)
        for sigma in sigmas:
            found += _sides(n, mean - target, sigma, half, None, question)
    return found


def _sides(
    n: int, difference: float, std: float, half: float, df: int | None, question: Question
) -> list[Range]:
    """Return the p of the track's side, and of both sides, over what rounding leaves open."""
    spread = 2 * half if df is not None else 0.0
    if std <= 0:
        return []
    stds = (max(std - spread, 1e-3 * std), std + spread)
    differences = (difference - half, difference + half)
    scores = [d / s * math.sqrt(n) for d, s in itertools.product(differences, stds)]
    below = [float(ndtr(t) if df is None else stdtr(df, t)) for t in scores]
    one_sided = below if question.direction == "less" else [1 - p for p in below]
    both = [2 * min(p, 1 - p) for p in below]
    relative = 1e-7
    return [(min(p) * (1 - relative), max(p) * (1 + relative)) for p in (one_sided, both)]
