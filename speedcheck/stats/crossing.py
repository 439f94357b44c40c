"""When simulated series reach the bounds of a sequential test."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Earlier(NamedTuple):
    """The values that a series begins with: their number, sum and sum of squares."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0


NOTHING = Earlier()

# Squared deviations below this share of the sum of squares are rounding errors.
SMALLEST_SHARE = 1e-12


def first_crossing(
    values: NDArray[np.float64],
    bounds: NDArray[np.float64],
    earlier: Earlier = NOTHING,
    *,
    two_sided: bool = False,
) -> NDArray[np.int64]:
    """Return after how many values the t statistic against 0 reaches its bound.

    Args:
        values: shape (series, k), in standard deviations, so that sums lose no digits.
        bounds: entry n is the bound for n values, above 0, as given by
            `speedcheck.stats.eprocess.boundary`; infinity where nobody looks.
        earlier: what each series begins with, not looked at again.
        two_sided: whether |t| is compared instead of t.

    Returns:
        Shape (series,): the number of values, those of `earlier` included; 0 where no bound up to
        the last value is reached.
    """
    n = earlier.n + np.arange(1, values.shape[1] + 1)
    total = earlier.total + np.cumsum(values, axis=1)
    raw = earlier.squares + np.cumsum(values**2, axis=1)
    squares = raw - total**2 / n
    # One value, or equal ones, have no spread: t is 0 there, which reaches no bound.
    spread = squares > SMALLEST_SHARE * raw
    t = total / np.sqrt(n * np.where(spread, squares, np.inf) / np.maximum(n - 1, 1))
    reached = (np.abs(t) if two_sided else t) >= bounds[n]
    return np.where(reached.any(axis=1), n[reached.argmax(axis=1)], 0)
