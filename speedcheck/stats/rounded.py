"""What statistics can be where each value is known only to within half of its last digit.

Each function returns ranges that hold the statistic of every sample whose values differ from the
given ones by `half` at most. Sums in another order, or in float32, differ in their last bits; the
ranges leave room for that.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr, stdtr

from speedcheck.stats.bayes import bayes_mean_std
from speedcheck.stats.moments import moments

Range = tuple[float, float]

_PRECISION = 4 * float(np.finfo(np.float32).eps)
_P_PRECISION = 1e-7
# Moving n values by h each moves their deviation by h sqrt(n / (n - 1)) at most, for two by 1.42 h;
# an end of a Bayesian interval of few values moves by more.
_SPREAD = 3.0


def mean_ranges(values: Sequence[float], half: float) -> tuple[Range, ...]:
    """Return what the mean of values, shape (n,), can be; nothing without a value."""
    mean = moments(values).mean
    return () if mean is None else (_around(mean, _error(values, half)),)


def deviation_ranges(values: Sequence[float], half: float) -> tuple[Range, ...]:
    """Return what the standard deviation of values, shape (n,), can be, however it is estimated.

    The sample's (n - 1), numpy's (n), and the Bayesian one (`bayes_mean_std`), in this order.
    """
    sample, estimates = moments(values), bayes_mean_std(values)
    if sample.std is None or sample.squares is None:
        return ()
    bayesian = estimates[1].estimate if estimates else None
    found = (sample.std, math.sqrt(sample.squares / sample.n), bayesian)
    return tuple(_around(x, _SPREAD * _error(values, half)) for x in found if x is not None)


def p_ranges(
    values: Sequence[float], half: float, target: float, *, sign: float, sigma: float | None = None
) -> tuple[Range, ...]:
    """Return what the p of a test of values, shape (n,), against `target` can be.

    The p of the side on which records are, of both sides, and of the other side.

    Args:
        values: the values.
        half: half a unit of their last digit.
        target: the mean under the null hypothesis.
        sign: 1 where a record's mean is below the target, -1 where it is above.
        sigma: the standard deviation, where it is known: a z-test; else Student's t-test.
    """
    sample = moments(values)
    std = sigma or sample.std
    if sample.mean is None or not std or std <= 0:
        return ()
    spread = 0.0 if sigma else min(2 * half, 0.999 * std)
    differences = [sign * (sample.mean - target) + x for x in (-half, half)]
    scores = [
        difference / deviation * math.sqrt(sample.n)
        for difference, deviation in itertools.product(differences, (std - spread, std + spread))
    ]
    below = [float(ndtr(z) if sigma else stdtr(sample.n - 1, z)) for z in scores]
    sides = (below, [2 * min(p, 1 - p) for p in below], [1 - p for p in below])
    # Two-sided, the largest p is where the mean is the target.
    is_across = min(scores) < 0 < max(scores)
    return tuple(
        (
            min(found) * (1 - _P_PRECISION),
            (1.0 if found is sides[1] and is_across else max(found)) * (1 + _P_PRECISION),
        )
        for found in sides
    )


def _error(values: Sequence[float], half: float) -> float:
    return half + _PRECISION * max(map(abs, values))


def _around(value: float, error: float) -> Range:
    return value - error, value + error
