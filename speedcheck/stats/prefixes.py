"""Means, spreads and t statistics of all prefixes of a series: what a look after each run sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from speedcheck.stats.moments import ROUNDING

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Prefixes:
    """The first 1, 2, ..., n values of a series, or of many series at once.

    Attributes:
        n: shape (n,), the numbers of values.
        mean: shape (..., n), their means, in the unit of the values.
        std: shape (..., n), their sample standard deviations: exactly 0 for one value and for
            values that are equal up to rounding, NaN where the arithmetic overflows.
    """

    n: Floats
    mean: Floats
    std: Floats

    def t(self, target: float) -> Floats:
        """Return the t statistics against a target; 0 where there is no spread to measure by."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            t = (self.mean - target) / (self.std / np.sqrt(self.n))
        return np.where((self.std > 0) & np.isfinite(t), t, 0.0)


def prefixes(values: ArrayLike) -> Prefixes:
    """Compute the moments of all prefixes in one pass.

    Args:
        values: shape (..., n), finite; the last axis is the order of the values.
    """
    x = np.asarray(values, dtype=np.float64)
    n = np.arange(1, x.shape[-1] + 1, dtype=np.float64)
    # Deviations from the first value keep the digits that large values would lose.
    with np.errstate(over="ignore", invalid="ignore"):
        offset = x - x[..., :1]
        total = np.cumsum(offset, axis=-1)
        squares = np.cumsum(offset**2, axis=-1) - total**2 / n
        mean = x[..., :1] + total / n
        spread = np.maximum.accumulate(offset, -1) - np.minimum.accumulate(offset, -1)
        std = np.sqrt(np.maximum(squares, 0) / np.maximum(n - 1, 1))
    return Prefixes(n, mean, np.where(spread > ROUNDING * np.abs(mean), std, 0.0))
