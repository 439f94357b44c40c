"""Does a quantity change with the order in which it was measured?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Trend:
    """A straight line through n values, one level for each series and one slope for all.

    Attributes:
        n: number of values.
        slope: change of the value per place in the order, in the value's unit.
        low: lower end of its two-sided 95 % interval.
        high: upper end.
    """

    n: int
    slope: float
    low: float
    high: float

    @property
    def shown(self) -> bool:
        """Whether the interval excludes a slope of 0."""
        return self.low > 0 or self.high < 0


def trend(order: ArrayLike, values: ArrayLike, series: Sequence[Hashable]) -> Trend | None:
    """Fit the slope of values against their order within each series, by least squares.

    The interval is Student's, with n - (number of series) - 1 degrees of freedom; it assumes
    independent and nearly normal deviations from the line.

    Args:
        order: shape (n,), places within the series.
        values: shape (n,).
        series: which series each value belongs to, n entries.

    Returns:
        The line; None where the values do not determine an interval: too few of them, one place
        only, or a value that is not finite.
    """
    x, y = (np.ravel(np.asarray(a, dtype=np.float64)) for a in (order, values))
    if not np.isfinite(y).all():
        return None
    numbers = {name: number for number, name in enumerate(dict.fromkeys(series))}
    groups = np.array([numbers[name] for name in series], dtype=np.intp)
    dx, dy = _from_means(x, groups), _from_means(y, groups)
    spread, df = float(dx @ dx), len(x) - len(numbers) - 1
    if df < 1 or not spread:
        return None
    slope = float(dx @ dy) / spread
    rest = dy - slope * dx
    error = math.sqrt(float(rest @ rest) / df / spread)
    half = float(stdtrit(df, 0.975)) * error
    return Trend(len(x), slope, slope - half, slope + half)


def _from_means(values: NDArray[np.float64], groups: NDArray[np.intp]) -> NDArray[np.float64]:
    """Subtract from each value the mean of its group."""
    sums = np.bincount(groups, weights=values)
    means: NDArray[np.float64] = sums / np.bincount(groups)
    return values - means[groups]
