"""Is one record better than another? Two samples, their difference and what it excludes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit

from speedcheck.stats.arguments import check_probability
from speedcheck.stats.moments import moments

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from speedcheck.stats.moments import Moments

# Losses that differ by less are called equal: half of the usual standard deviation over seeds.
EQUIVALENCE_MARGIN = 0.001

# Halvings of the possible values of t until a p-value is exact to the last bits.
HALVINGS = 100


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of two means, a - b, in the unit of the values.

    Attributes:
        n_a: number of values of a.
        n_b: number of values of b.
        mean_a: mean of a.
        mean_b: mean of b.
        difference: mean_a - mean_b; None without both means.
        error: standard error of the difference; None where no test is defined.
        df: degrees of freedom of Student's t that (difference - truth) / error follows.
        low: lower end of the confidence interval of the difference.
        high: its upper end.
        level: the interval's level.
        known: standard deviation of what adds to the difference besides the runs' own spread, and
            is known from elsewhere; 0 for nothing.
    """

    n_a: int
    n_b: int
    mean_a: float | None
    mean_b: float | None
    difference: float | None
    level: float
    error: float | None = None
    df: float | None = None
    low: float | None = None
    high: float | None = None
    known: float = 0.0

    def p_below(self, bound: float = 0.0) -> float | None:
        """Return the one-sided p of "the true difference is below `bound`"; None without a test."""
        return self._tail(bound, 1)

    def p_above(self, bound: float = 0.0) -> float | None:
        """Return the one-sided p of "the true difference is above `bound`"; None without a test."""
        return self._tail(bound, -1)

    def upper(self, alpha: float) -> float | None:
        """Return the upper one-sided confidence limit at 1 - alpha; None without a test."""
        return self._limit(alpha, 1)

    def lower(self, alpha: float) -> float | None:
        """Return the lower one-sided confidence limit at 1 - alpha; None without a test."""
        return self._limit(alpha, -1)

    def _limit(self, alpha: float, sign: int) -> float | None:
        check_probability("alpha", alpha)
        if self.difference is None or self.error is None or self.df is None:
            return None
        beyond = math.copysign(float(reach(alpha, self.error, self.df, self.known)), 0.5 - alpha)
        limit = self.difference + sign * beyond
        return limit if math.isfinite(limit) else None

    def _tail(self, bound: float, sign: int) -> float | None:
        if self.difference is None or self.error is None or self.df is None:
            return None
        distance = sign * (self.difference - bound)
        if not self.known:
            return float(stdtr(self.df, distance / self.error))
        tail = _tail_beyond(abs(distance), self.error, self.df, self.known)
        return tail if distance < 0 else 1 - tail


def reach(alpha: float, error: ArrayLike, df: ArrayLike, known: float = 0.0) -> NDArray[np.float64]:
    """Return how far the one-sided confidence limit at 1 - alpha is from a difference.

    The reach of Student's t for the part whose error is estimated and that of the normal for the
    known part, as the root of their squares (W. G. Howe, "Approximate confidence limits on the mean
    of X + Y where X and Y are two tabled independent random variables", JASA 69, 1974). It is never
    less than either. At most alpha of all intervals miss: with a share w of the variance estimated,
    the miss rate is E[S(w A + (1 - w) z^2)], where S is the survival function of chi-squared with 1
    degree of freedom and A the square of Student's reach over that of the true error. S is convex,
    so that is at most w E[S(A)] + (1 - w) S(z^2), and both terms are the wanted rate.

    Args:
        alpha: the tail's probability.
        error: standard error of the estimated part, above 0.
        df: its degrees of freedom.
        known: standard deviation of the known part.
    """
    student = stdtrit(np.asarray(df, np.float64), alpha) * np.asarray(error, np.float64)
    beyond: NDArray[np.float64] = np.hypot(student, float(ndtri(alpha)) * known)
    return beyond


def _tail_beyond(distance: float, error: float, df: float, known: float) -> float:
    """Return the alpha, at most 0.5, whose `reach` is the distance."""
    low, high = 0.0, distance / error
    for _ in range(HALVINGS):
        t = (low + high) / 2
        z = float(ndtri(stdtr(df, -t)))
        low, high = (low, t) if math.hypot(t * error, z * known) > distance else (t, high)
    return float(stdtr(df, -low))


def welch(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Difference:
    """Compare two independent samples whose variances may differ.

    Welch's t-test ("The generalization of Student's problem when several different population
    variances are involved", Biometrika 34, 1947); its p-values are those of
    `scipy.stats.ttest_ind(a, b, equal_var=False)`. It assumes independent, nearly normal values.

    Args:
        a: shape (n_a,).
        b: shape (n_b,), in the same unit.
        level: level of the two-sided confidence interval.

    Returns:
        The difference; without a test for fewer than two values on a side, where the values of
        both sides are equal up to rounding, and where one is not finite.

    Raises:
        UsageError: level is not between 0 and 1.
    """
    check_probability("level", level)
    first, second = moments(a), moments(b)
    untested = _untested(first, second, level)
    if first.std is None or second.std is None:
        return untested
    if not first.std and not second.std:
        return untested
    error, df = welch_error(first.std, first.n, second.std, second.n)
    return with_interval(untested, float(error), float(df))


def welch_error(
    std_a: ArrayLike, n_a: ArrayLike, std_b: ArrayLike, n_b: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the standard error of a difference of two means, and its degrees of freedom.

    The approximation of Welch and Satterthwaite. The arguments broadcast, so that one call serves
    many possible numbers of runs.

    Args:
        std_a: sample standard deviation of a; above 0 on at least one side.
        n_a: number of values of a, at least 2.
        std_b: sample standard deviation of b.
        n_b: number of values of b, at least 2.
    """
    sd_a, count_a, sd_b, count_b = (np.asarray(x, np.float64) for x in (std_a, n_a, std_b, n_b))
    error_a, error_b = sd_a / np.sqrt(count_a), sd_b / np.sqrt(count_b)
    error: NDArray[np.float64] = np.hypot(error_a, error_b)
    share_a, share_b = (error_a / error) ** 2, (error_b / error) ** 2
    df: NDArray[np.float64] = 1 / (share_a**2 / (count_a - 1) + share_b**2 / (count_b - 1))
    return error, df


def paired(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Difference:
    """Compare runs that were made in turn, A, B, A, B, on one machine.

    Student's t-test of the differences a_i - b_i, as `scipy.stats.ttest_rel(a, b)`: what slows
    both runs of a pair falls out of their difference.

    Args:
        a: shape (n,).
        b: shape (n,), in the same unit; b_i was measured next to a_i.
        level: level of the two-sided confidence interval.

    Returns:
        The difference; without a test for fewer than two pairs, samples of different length,
        differences that are equal up to rounding, and values that are not finite.

    Raises:
        UsageError: level is not between 0 and 1.
    """
    check_probability("level", level)
    x, y = (np.ravel(np.asarray(values, dtype=np.float64)) for values in (a, b))
    untested = _untested(moments(x), moments(y), level)
    if x.size != y.size or untested.difference is None:
        return untested
    std = moments(x - y).std
    return with_interval(untested, std / math.sqrt(x.size), x.size - 1) if std else untested


def equivalence_p(difference: Difference, margin: float = EQUIVALENCE_MARGIN) -> float | None:
    """Give the p-value of "the true difference lies within +-margin".

    Two one-sided tests (Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987):
    the larger of the two p-values.

    Args:
        difference: what `welch` or `paired` found.
        margin: largest difference that counts as none, above 0.
    """
    below, above = difference.p_below(margin), difference.p_above(-margin)
    return None if below is None or above is None else max(below, above)


def two_sided_p(difference: Difference) -> float | None:
    """Give the p-value of "the true difference is not 0"; None without a test."""
    below, above = difference.p_below(), difference.p_above()
    return None if below is None or above is None else min(1.0, 2 * min(below, above))


def effect_size(a: ArrayLike, b: ArrayLike) -> float | None:
    """Return the difference of the means, a - b, in standard deviations of one value.

    Cohen's d with the root mean square of both standard deviations ("Statistical Power Analysis
    for the Behavioral Sciences", 1988).

    Args:
        a: shape (n_a,).
        b: shape (n_b,), in the same unit.

    Returns:
        The effect; None for fewer than two values on a side, without spread, and where a value is
        not finite.
    """
    first, second = moments(a), moments(b)
    if first.mean is None or second.mean is None or first.std is None or second.std is None:
        return None
    std = math.hypot(first.std, second.std) / math.sqrt(2)
    effect = (first.mean - second.mean) / std if std else math.inf
    return effect if math.isfinite(effect) else None


def _untested(a: Moments, b: Moments, level: float) -> Difference:
    difference = None
    if a.mean is not None and b.mean is not None and math.isfinite(a.mean - b.mean):
        difference = a.mean - b.mean
    return Difference(a.n, b.n, a.mean, b.mean, difference, level)


def with_interval(untested: Difference, error: float, df: float, known: float = 0.0) -> Difference:
    """Return the difference with this standard error, and the test and interval of it.

    Args:
        untested: the difference; a test that it has already is replaced.
        error: standard error of the difference.
        df: degrees of freedom of Student's t.
        known: standard deviation of a known part of the difference.

    Returns:
        The difference with its test; as it was where one of the figures is not finite.
    """
    difference = untested.difference
    if difference is None or not 0 < error < math.inf:
        return untested
    beyond = float(reach((1 - untested.level) / 2, error, df, known))
    low, high = difference - beyond, difference + beyond
    if not math.isfinite(low) or not math.isfinite(high):
        return untested
    return replace(untested, error=error, df=df, low=low, high=high, known=known)
