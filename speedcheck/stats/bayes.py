"""Bayesian estimates of the mean and the standard deviation, with credible intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy.special import gammainccinv, ndtri, poch, stdtrit

from speedcheck.stats.arguments import check_probability
from speedcheck.stats.moments import moments

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# scipy.stats.bayes_mvs takes normal approximations of both posteriors above this n. The records
# publish its figures, so the step at 1001 values (a few 1e-4 of an interval) is kept.
LARGEST_EXACT_N = 1000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A posterior mean and an interval of equal tails, in the unit of the data.

    Attributes:
        estimate: mean of the posterior; None for n = 2, where it does not exist.
        low: the (1 - level) / 2 quantile of the posterior.
        high: the (1 + level) / 2 quantile.
        level: posterior probability of [low, high].
    """

    estimate: float | None
    low: float
    high: float
    level: float


def bayes_mean_std(losses: ArrayLike, level: float = 0.90) -> tuple[Estimate, Estimate] | None:
    r"""Estimate the mean and the standard deviation of a normal population.

    With Jeffreys' prior, n values with mean m and S = sum((x - m)^2), the posterior of the mean
    is m + sqrt(S / (n (n - 1))) T with T Student's t of n - 1 degrees of freedom, and that of the
    standard deviation is sqrt(S / 2) G^(-1/2) with G a gamma variable of shape (n - 1) / 2
    (T. E. Oliphant, "A Bayesian perspective on estimating mean, variance, and standard-deviation
    from data", 2006). Above 1000 values both are taken as normal, with standard deviations
    sqrt(S) / n and sqrt(S / 2) / n, as `scipy.stats.bayes_mvs` does, whose figures these are.

    Args:
        losses: shape (n,), any unit.
        level: posterior probability of the intervals.

    Returns:
        The estimates of the mean and of the standard deviation; None where there are none: fewer
        than two values, values that are equal up to rounding, or one that is not finite.

    Raises:
        UsageError: the level is not between 0 and 1.
    """
    check_probability("level", level)
    sample = moments(losses)
    if sample.mean is None or not sample.squares:
        return None
    posteriors = _exact if sample.n <= LARGEST_EXACT_N else _normal
    return posteriors(sample.n, sample.mean, sample.squares, level)


def _exact(n: int, mean: float, squares: float, level: float) -> tuple[Estimate, Estimate]:
    df = n - 1
    low, high = _tails(level)
    mean_scale = math.sqrt(squares / n / df)
    std_scale = math.sqrt(squares / 2)
    exists = n > 2
    of_mean = Estimate(
        mean if exists else None,
        mean + mean_scale * float(stdtrit(df, low)),
        mean + mean_scale * float(stdtrit(df, high)),
        level,
    )
    # E[G^(-1/2)] is the Pochhammer symbol gamma(df / 2 - 1 / 2) / gamma(df / 2).
    of_std = Estimate(
        std_scale * float(poch(df / 2, -0.5)) if exists else None,
        std_scale * float(gammainccinv(df / 2, low)) ** -0.5,
        std_scale * float(gammainccinv(df / 2, high)) ** -0.5,
        level,
    )
    return of_mean, of_std


def _normal(n: int, mean: float, squares: float, level: float) -> tuple[Estimate, Estimate]:
    low, high = _tails(level)

    def normal(center: float, scale: float) -> Estimate:
        lower, upper = (center + scale * float(ndtri(tail)) for tail in (low, high))
        return Estimate(center, lower, upper, level)

    std = math.sqrt(squares / n)
    return normal(mean, std / math.sqrt(n)), normal(std, std / math.sqrt(2 * n))


def _tails(level: float) -> tuple[float, float]:
    return (1 - level) / 2, (1 + level) / 2
