"""How many runs of a record would show what its runs so far only suggest."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri, stdtrit

from speedcheck.stats.power import MOST_RUNS
from speedcheck.stats.welch import welch_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from speedcheck.stats.moments import Moments

# Numbers of runs that are tried at once: most answers are in the first block.
BLOCK = 200


def first_number(
    enough: Callable[[NDArray[np.int64]], NDArray[np.bool_]], start: int, stop: int = MOST_RUNS
) -> int | None:
    """Return the first number from `start` to `stop` that is enough; None where none is.

    Every number is tried: with Welch's degrees of freedom more runs are not always better.

    Args:
        enough: shape (k,) of numbers to shape (k,) of answers.
        start: the first number to try.
        stop: the last one.
    """
    for first in range(start, stop + 1, BLOCK):
        numbers = np.arange(first, min(first + BLOCK, stop + 1), dtype=np.int64)
        hits = np.flatnonzero(enough(numbers))
        if hits.size:
            return int(numbers[hits[0]])
    return None


def runs_to_show(
    record: Moments, other: Moments, room: float, alpha: float, least: int
) -> int | None:
    """Return the smallest number of runs of a record at which Welch's one-sided limit is passed.

    The means, the standard deviations and the other record's runs stay as they are.

    Args:
        record: moments of the record's values.
        other: moments of the values that it is compared with.
        room: how far the difference of the means is on the right side of the limit.
        alpha: size of the one-sided test.
        least: smallest number to consider.

    Returns:
        The number, never below the runs made; None where no number up to 10,000 is enough.
    """
    std, other_std, others = record.std, other.std, other.n
    if not 0 < room < math.inf or std is None or other_std is None or not (std or other_std):
        return None
    # However many runs there are, the other's error remains, and t's quantile exceeds the normal's.
    if -float(ndtri(alpha)) * other_std / math.sqrt(others) >= room:
        return None

    def enough(runs: NDArray[np.int64]) -> NDArray[np.bool_]:
        error, df = welch_error(std, runs, other_std, others)
        reached: NDArray[np.bool_] = -stdtrit(df, alpha) * error < room
        return reached

    return first_number(enough, max(record.n, least, 2))
