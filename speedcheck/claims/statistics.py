"""What a statistic may honestly be, computed from values that were perhaps rounded.

Authors print different things under one name: a sample's deviation, numpy's, a Bayesian estimate;
a p-value of one side or of two. A statistic agrees where any of them gives it at its printed
digits.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from scipy.special import ndtr, stdtr

from speedcheck.claims.model import Figure, Question
from speedcheck.stats import bayes_mean_std, moments

Range = tuple[float, float]

# Sums in another order, or in float32 as PyTorch makes them, differ in the last bits.
_FLOAT32 = 4 * float(np.finfo(np.float32).eps)
_FLOAT64 = 1e-10


def ranges(figure: Figure, values: list[float], half: float, question: Question) -> list[Range]:
    """Return what a statistic can be for values that are each known to within `half`.

    Args:
        figure: the statistic; of times, in the unit of the values.
        values: losses, or times.
        half: half a unit of the values' last digit; 0 where they are exact.
        question: the test of the track.

    Returns:
        A range for each reading of the statistic, the usual reading first; none where it is not
        defined.
    """
    sample = moments(values)
    if sample.mean is None:
        return []
    if figure.what == "p":
        return _p_values(figure, sample.n, sample.mean, sample.std, half, question)
    error = half + (_FLOAT32 if figure.in_float32 else _FLOAT64) * max(map(abs, values))
    is_mean = figure.what in ("mean", "time_mean")
    estimates = bayes_mean_std(values)
    found: list[float | None] = []
    if figure.bayes is not None and estimates is not None:
        estimate = estimates[0 if is_mean else 1]
        found.append(getattr(estimate, "estimate" if figure.bayes == "value" else figure.bayes))
    elif figure.bayes is None and is_mean:
        return [(sample.mean - error, sample.mean + error)]
    elif figure.bayes is None and sample.std is not None and sample.squares is not None:
        found += [sample.std, math.sqrt(sample.squares / sample.n)]
        found += [estimates[1].estimate] if estimates else []
    return [(value - 3 * error, value + 3 * error) for value in found if value is not None]


def _p_values(
    figure: Figure, n: int, mean: float, std: float | None, half: float, question: Question
) -> list[Range]:
    """Return the p of a t-test, and of a z-test with each known sigma, for each null value."""
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
    if std <= 0:
        return []
    spread = 2 * half if df is not None else 0.0
    stds = (max(std - spread, 1e-3 * std), std + spread)
    differences = (difference - half, difference + half)
    scores = [d / s * math.sqrt(n) for d, s in itertools.product(differences, stds)]
    below = [float(ndtr(t) if df is None else stdtr(df, t)) for t in scores]
    one_sided = below if question.direction == "less" else [1 - p for p in below]
    both = [2 * min(p, 1 - p) for p in below]
    return [(min(p) * (1 - 1e-7), max(p) * (1 + 1e-7)) for p in (one_sided, both)]
