"""Does a record beat the best one so far, by more than an improvement that the track asks for?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy.special import stdtrit

from speedcheck.errors import UsageError
from speedcheck.stats.arguments import Direction, check_probability, sign_of
from speedcheck.stats.moments import moments
from speedcheck.stats.needed import runs_to_show
from speedcheck.stats.welch import Difference, welch

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class FrontierTest:
    """One-sided Welch test of a record against the frontier, the best certified record.

    Attributes:
        difference: mean(record) - mean(frontier), with its two-sided 95 % interval.
        direction: the better side of the measure.
        improvement: by how much the record must be better, in the unit of the measure.
        alpha: size of the test.
        p_value: one-sided p of "better by more than the improvement"; None without a test.
        shown: whether p < alpha.
        runs_needed: smallest number of runs of the record, those made included, at which the
            same means and standard deviations show it; None where no number up to 10,000 does.
        frontier_low: lower end of the frontier's own 95 % interval of its mean. The frontier was
            chosen for its figure, so its true mean is rather on the worse side of it.
        frontier_high: its upper end; both None for a frontier without spread or with one run.
    """

    difference: Difference
    direction: Direction
    improvement: float
    alpha: float
    p_value: float | None
    shown: bool
    runs_needed: int | None
    frontier_low: float | None
    frontier_high: float | None


def beats_frontier(
    record: ArrayLike,
    frontier: ArrayLike,
    *,
    improvement: float = 0.0,
    alpha: float = 0.01,
    direction: Direction = "less",
) -> FrontierTest:
    """Test whether a record is better than the frontier by more than the improvement.

    H0 is mean(frontier) - mean(record) <= improvement for the direction "less". The p-value is
    that of `scipy.stats.ttest_ind(record + improvement, frontier, equal_var=False,
    alternative="less")`.

    Args:
        record: shape (n,), the record's values.
        frontier: shape (m,), the frontier's, in the same unit.
        improvement: how much better the record must be, in that unit; 0 or more.
        alpha: size of the test.
        direction: the better side of the measure.

    Returns:
        The test; without p, and not shown, for fewer than two values on a side, where the values
        of both sides are equal up to rounding, and where one is not finite.

    Raises:
        UsageError: alpha is not between 0 and 1, or the improvement is negative or not finite.
    """
    check_probability("alpha", alpha)
    if not 0 <= improvement < math.inf:
        raise UsageError(
            f"the improvement is {improvement:g}", remedy="choose an improvement of 0 or more"
        )
    sign = sign_of(direction)
    difference = welch(record, frontier)
    p_value = difference.p_below(-improvement) if sign > 0 else difference.p_above(improvement)
    ours, best = moments(record), moments(frontier)
    gain = -math.inf if difference.difference is None else -sign * difference.difference
    low, high = mean_interval(frontier)
    return FrontierTest(
        difference,
        direction,
        improvement,
        alpha,
        p_value,
        shown=p_value is not None and p_value < alpha,
        runs_needed=runs_to_show(ours, best, gain - improvement, alpha, least=2),
        frontier_low=low,
        frontier_high=high,
    )


def mean_interval(values: ArrayLike, level: float = 0.95) -> tuple[float | None, float | None]:
    """Return Student's two-sided confidence interval of a mean.

    Args:
        values: shape (n,).
        level: level of the interval.

    Returns:
        Its ends; None for fewer than two values, values that are equal up to rounding, or one
        that is not finite.

    Raises:
        UsageError: level is not between 0 and 1.
    """
    check_probability("level", level)
    sample = moments(values)
    if sample.mean is None or not sample.std:
        return None, None
    reach = float(stdtrit(sample.n - 1, (1 + level) / 2)) * sample.std / math.sqrt(sample.n)
    low, high = sample.mean - reach, sample.mean + reach
    return (low, high) if math.isfinite(low) and math.isfinite(high) else (None, None)
