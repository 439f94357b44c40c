"""Densities to draw: what the losses say of the next run, of the mean and of the spread.

They belong to the estimates of `bayes_mean_std`, with Jeffreys' prior: a run to come is
m + s sqrt(1 + 1 / n) T, the mean m + s / sqrt(n) T, with T Student's t of n - 1 degrees of
freedom, and the standard deviation sqrt(S / 2) G^(-1/2) with G a gamma variable of shape
(n - 1) / 2 (T. E. Oliphant, "A Bayesian perspective on estimating mean, variance, and
standard-deviation from data", 2006).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammainccinv, gammaln, stdtrit

from speedcheck.stats.moments import moments

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

# Enough for a smooth line at any width of a screen.
POINTS = 121

# Probability of each tail that is not drawn. With 2 or 3 values the tails of t are so long that
# all else would be a spike, so that no more than REACH scales are drawn.
TAIL = 5e-4
REACH = 8.0


@dataclass(frozen=True, slots=True)
class Density:
    """A probability density at some points.

    Attributes:
        x: shape (121,), rising, in the unit of the losses.
        y: shape (121,), the density at these points, in the inverse unit.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Densities:
    """What n losses say, as densities.

    Attributes:
        next_run: the loss of one more run.
        mean: the mean of all runs that could be made.
        std: their standard deviation.
    """

    next_run: Density
    mean: Density
    std: Density


def densities(losses: ArrayLike) -> Densities | None:
    """Return the densities of the next loss, of the mean and of the standard deviation.

    Args:
        losses: shape (n,), any unit.

    Returns:
        The densities; None for fewer than two values, values that are equal up to rounding, and
        where one is not finite.
    """
    sample = moments(losses)
    if sample.mean is None or not sample.std or not sample.squares:
        return None
    n, mean, std = sample.n, sample.mean, sample.std
    return Densities(
        next_run=_student(n - 1, mean, std * math.sqrt(1 + 1 / n)),
        mean=_student(n - 1, mean, std / math.sqrt(n)),
        std=_spread(n - 1, sample.squares),
    )


def _student(df: int, center: float, scale: float) -> Density:
    reach = min(REACH, float(stdtrit(df, 1 - TAIL)))
    t = np.linspace(-reach, reach, POINTS)
    log_y = gammaln((df + 1) / 2) - gammaln(df / 2) - (df + 1) / 2 * np.log1p(t**2 / df)
    y = np.exp(log_y) / (math.sqrt(math.pi * df) * scale)
    return Density(tuple((center + scale * t).tolist()), tuple(y.tolist()))


def _spread(df: int, squares: float) -> Density:
    """Return the density 2 (S/2)^a / gamma(a) x^(-2a-1) exp(-S / (2 x^2)) with a = df / 2."""
    half, shape = squares / 2, df / 2
    low, high = (math.sqrt(half / float(gammainccinv(shape, tail))) for tail in (TAIL, 1 - TAIL))
    x = np.linspace(low, min(high, REACH * math.sqrt(squares / df)), POINTS)
    log_y = shape * math.log(half) - gammaln(shape) - (2 * shape + 1) * np.log(x) - half / x**2
    return Density(tuple(x.tolist()), tuple((2 * np.exp(log_y)).tolist()))
