"""Which of two trainers is faster? Pairs of runs in blocks A B B A, looked at as they come."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from speedcheck.stats.arguments import Direction, check_probability, sign_of
from speedcheck.stats.eprocess import LARGEST_N, boundary, log_e
from speedcheck.stats.moments import moments
from speedcheck.stats.prefixes import Prefixes, prefixes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

Outcome = Literal["better", "worse", "undecided"]

# By 32 pairs a difference of one standard deviation of a run is decided in 64 % of races.
RACE_PAIRS = 32

# A block A B B A holds two pairs. Only after whole blocks does a linear drift fall out of the mean.
PAIRS_OF_A_BLOCK = 2


@dataclass(frozen=True, slots=True)
class Race:
    """The two-sided anytime-valid t-test of paired differences, a - b.

    Attributes:
        pairs: number of pairs with both values.
        looked_at: number of these in whole blocks, at most 1,000; the figures below rest on them.
        alpha: probability of ever deciding a race between equals.
        direction: the better side of the measure.
        mean: mean of the differences, in the unit of the values; None without a whole block.
        std: their sample standard deviation; None without a whole block.
        looks: number of pairs at each look: whole blocks, once the differences are not all equal.
        log_e_values: natural logarithm of the e-value at each look.
        p_value: the anytime-valid two-sided p-value.
        outcome: whether a is better or worse than b, or nothing is decided.
        decided_at: number of pairs after which it was decided; None where it is not.
        low: lower end of the anytime-valid interval of the true difference at 1 - alpha.
        high: its upper end; both None while nothing is excluded, and where everything is.
        drift: how much slower each run was than the one before it, in the unit of the values;
            None for fewer than two whole blocks.
    """

    pairs: int
    looked_at: int
    alpha: float
    direction: Direction
    mean: float | None
    std: float | None
    looks: tuple[int, ...]
    log_e_values: tuple[float, ...]
    p_value: float
    outcome: Outcome
    decided_at: int | None
    low: float | None
    high: float | None
    drift: float | None

    @property
    def log_e_value(self) -> float:
        """Return the natural logarithm of the last e-value; 0 without a look."""
        return self.log_e_values[-1] if self.log_e_values else 0.0


def race(a: ArrayLike, b: ArrayLike, alpha: float = 0.01, direction: Direction = "less") -> Race:
    """Decide between two trainers whose runs were made in blocks A B B A on one machine.

    The e-process of `speedcheck.stats.eprocess` with effects +-0.5, 0.75, 1 and 1.5, looked at
    after whole blocks. The interval is the inverted process: all m for which the process
    of the differences minus m never reached 1 / alpha. It assumes independent, nearly normal
    differences, apart from a drift over time.

    Args:
        a: shape (n,), times of a: the first and the last run of each block.
        b: shape (n,) or one value fewer or more, where the last pair is not finished.
        alpha: size of the test.
        direction: the better side of the measure; "less" for times.

    Returns:
        The race so far, up to the first pair with a value that is not finite.

    Raises:
        UsageError: alpha is not between 0 and 1.
    """
    check_probability("alpha", alpha)
    first, second = _pairs(a, b)
    looked_at = min(first.size - first.size % PAIRS_OF_A_BLOCK, LARGEST_N)
    used_a, used_b = first[:looked_at], second[:looked_at]
    series = prefixes(used_a - used_b)
    looks = np.flatnonzero((series.n % PAIRS_OF_A_BLOCK == 0) & (series.std > 0))
    log_e_values = log_e(series.t(0.0)[looks], series.n[looks], two_sided=True)
    reached = looks[log_e_values >= -math.log(alpha)]
    decided_at = int(series.n[reached[0]]) if reached.size else None
    low, high = _interval(series, looks, alpha)
    sample = moments(used_a - used_b)
    return Race(
        pairs=first.size,
        looked_at=looked_at,
        alpha=alpha,
        direction=direction,
        mean=sample.mean,
        std=sample.std,
        looks=tuple(series.n[looks].astype(int).tolist()),
        log_e_values=tuple(log_e_values.tolist()),
        p_value=math.exp(-max([0.0, *log_e_values.tolist()])),
        outcome=_outcome(series, decided_at, direction),
        decided_at=decided_at,
        low=low,
        high=high,
        drift=_drift(used_a, used_b),
    )


def _pairs(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    first, second = (np.ravel(np.asarray(values, dtype=np.float64)) for values in (a, b))
    count = min(first.size, second.size)
    first, second = first[:count], second[:count]
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite(first - second)
    whole = count if finite.all() else int(np.argmin(finite))
    return first[:whole], second[:whole]


def _outcome(series: Prefixes, decided_at: int | None, direction: Direction) -> Outcome:
    if decided_at is None:
        return "undecided"
    return "better" if sign_of(direction) * series.mean[decided_at - 1] < 0 else "worse"


def _interval(
    series: Prefixes, looks: NDArray[np.intp], alpha: float
) -> tuple[float | None, float | None]:
    """Intersect the intervals of all looks: the mean plus and minus bound times standard error."""
    if not looks.size:
        return None, None
    n = series.n[looks].astype(np.intp)
    bounds = boundary(int(n[-1]), alpha, two_sided=True)[n]
    with np.errstate(over="ignore"):
        reach = bounds * series.std[looks] / np.sqrt(n)
    low = float(np.max(series.mean[looks] - reach))
    high = float(np.min(series.mean[looks] + reach))
    return (
        (low, high) if math.isfinite(low) and math.isfinite(high) and low <= high else (None, None)
    )


def _drift(a: Floats, b: Floats) -> float | None:
    """Fit one slope over the order A B B A and a level for each side, by least squares.

    Both sides have the same mean place in the order, so that the levels and the slope are
    estimated apart.
    """
    if a.size < 2 * PAIRS_OF_A_BLOCK:
        return None
    pair = np.arange(a.size)
    # A runs first in pairs 0, 2, ... and second in pairs 1, 3, ...
    place_a = 2.0 * pair + pair % 2
    place_b = 2.0 * pair + 1 - pair % 2
    center = place_a.mean()
    with np.errstate(over="ignore", invalid="ignore"):
        moved = (place_a - center) @ (a - a.mean()) + (place_b - center) @ (b - b.mean())
    slope = float(moved / (np.square(place_a - center).sum() + np.square(place_b - center).sum()))
    return slope if math.isfinite(slope) else None
