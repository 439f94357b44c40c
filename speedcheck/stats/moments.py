"""Mean and spread of a sample: the only place where they are computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Values whose largest deviation is within this share of their mean are equal up to rounding: the
# deviations then hold less than one correct decimal digit, and a test of them would be a test of
# rounding errors. scipy.stats warns of catastrophic cancellation at the same bound.
ROUNDING = 10 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean and spread of n values, in the unit of the values.

    Attributes:
        n: number of values.
        mean: arithmetic mean; None without values or where one of them is not finite.
        squares: sum of squared deviations from the mean, exactly 0 for values that are equal up
            to rounding; None where the mean is.
        std: sample standard deviation sqrt(squares / (n - 1)); None also for n = 1.
    """

    n: int
    mean: float | None = None
    squares: float | None = None
    std: float | None = None


def moments(values: ArrayLike) -> Moments:
    """Compute the mean and the sample standard deviation.

    Args:
        values: shape (n,); NaN and infinity are allowed and leave every moment undefined.

    Returns:
        The moments. Finite values too large for float64 arithmetic leave them undefined too.
    """
    x = np.ravel(np.asarray(values, dtype=np.float64))
    if x.size == 0:
        return Moments(0)
    # Infinite values and overflowing sums are found below by their non-finite result.
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(x.mean())
        squares = _sum_of_squares(x - mean, mean)
    if not np.isfinite([mean, squares]).all():
        return Moments(x.size)
    std = float(np.sqrt(squares / (x.size - 1))) if x.size > 1 else None
    return Moments(x.size, mean, squares, std)


def _sum_of_squares(deviations: NDArray[np.float64], mean: float) -> float:
    if np.abs(deviations).max() <= ROUNDING * abs(mean):
        return 0.0
    return float(np.square(deviations).sum())
