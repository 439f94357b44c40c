"""Values far from the rest of a sample: flagged for a reader, never dropped from a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from speedcheck.stats.moments import ROUNDING

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# Cut-off and factor of B. Iglewicz and D. Hoaglin, "How to Detect and Handle Outliers", 1993.
# The factor is the median absolute deviation of the standard normal distribution.
CUTOFF = 3.5
NORMAL_MAD = 0.6745

# With fewer values the MAD itself is so uncertain that more than 15 % of normal samples would
# have a flag (see docs/statistics.md).
SMALLEST_N = 8


def outliers(values: ArrayLike) -> tuple[int, ...]:
    """Find values with a modified z-score beyond 3.5.

    The score is 0.6745 |x - median| / MAD, with MAD the median absolute deviation from the
    median. It assumes that most values come from one roughly symmetric distribution; a flag is a
    reason to read that run's log, not evidence of a fault.

    Args:
        values: shape (n,).

    Returns:
        Indices of the outliers, ascending; none for fewer than 8 values, where at least half of
        the values are equal (MAD 0), or where a value is not finite.
    """
    x = np.ravel(np.asarray(values, dtype=np.float64))
    if x.size < SMALLEST_N or not np.isfinite(x).all():
        return ()
    median = float(np.median(x))
    deviations = np.abs(x - median)
    mad = float(np.median(deviations))
    if mad <= ROUNDING * abs(median):
        return ()
    return tuple(np.flatnonzero(NORMAL_MAD * deviations > CUTOFF * mad).tolist())
