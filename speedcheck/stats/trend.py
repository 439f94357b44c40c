"""A slow change over the order of the runs, such as a machine that gets warmer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from speedcheck.stats.moments import moments

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# The interval of the slope.
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Trend:
    """The straight line through values in their order, by least squares.

    Attributes:
        first: the line at the first value, in the unit of the values.
        last: the line at the last one.
        slope: change from one value to the next.
        low: lower end of the interval of the slope (Student's t, n - 2 degrees of freedom).
        high: its upper end.
        level: level of the interval.
    """

    first: float
    last: float
    slope: float
    low: float
    high: float
    level: float = LEVEL

    @property
    def shown(self) -> bool:
        """Whether the interval excludes a slope of 0."""
        return self.low > 0 or self.high < 0


def trend(values: ArrayLike) -> Trend | None:
    """Fit a line to values in their order.

    Args:
        values: shape (n,), any unit.

    Returns:
        The line; None for fewer than 4 values, values that are equal up to rounding, and where
        one is not finite.
    """
    y = np.ravel(np.asarray(values, dtype=np.float64))
    sample = moments(y)
    if y.size < 4 or sample.mean is None or not sample.std:
        return None
    place = np.arange(y.size) - (y.size - 1) / 2
    squares = float(place @ place)
    slope = float(place @ y) / squares
    residuals = y - sample.mean - slope * place
    error = math.sqrt(float(residuals @ residuals) / (y.size - 2) / squares)
    reach = float(stdtrit(y.size - 2, (1 + LEVEL) / 2)) * error
    first, last = (sample.mean + slope * float(end) for end in (place[0], place[-1]))
    return Trend(first, last, slope, slope - reach, slope + reach)
