"""The test of the competition: is the mean loss below the target?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from scipy.special import stdtr

from speedcheck.stats.moments import moments

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class TTest:
    """One-sided one-sample t-test of the mean against the target; losses in nats per token.

    Attributes:
        n: number of losses.
        mean: sample mean; None without losses or where one is not finite.
        std: sample standard deviation (n - 1); None also for n = 1.
        target: the loss to stay below, or above.
        t: (mean - target) / (std / sqrt(n)); None where the test is not defined.
        df: degrees of freedom, n - 1; None where t is.
        p_value: P(T <= t) under Student's t with df degrees of freedom, P(T >= t) with the
            alternative "greater"; None where t is.
    """

    n: int
    mean: float | None
    std: float | None
    target: float
    t: float | None = None
    df: int | None = None
    p_value: float | None = None


def one_sample_t(
    losses: ArrayLike, target: float, alternative: Literal["less", "greater"] = "less"
) -> TTest:
    """Test whether the mean of the losses is on the right side of the target.

    The statistic is Student's ("The probable error of a mean", Biometrika 6, 1908) and equals
    `scipy.stats.ttest_1samp(losses, target, alternative=alternative)`. It assumes independent
    losses from one normal distribution and a number of runs fixed before the first result was
    seen.

    Args:
        losses: shape (n,), nats per token.
        target: the loss that the mean must be below, or above.
        alternative: the side that must be shown.

    Returns:
        The test; t, df and p_value are None for fewer than two losses, for losses that are equal
        up to rounding (sd 0) and where a loss or the target is not finite.
    """
    sample = moments(losses)
    undefined = TTest(sample.n, sample.mean, sample.std, target)
    if sample.mean is None or not sample.std:
        return undefined
    t = (sample.mean - target) / (sample.std / math.sqrt(sample.n))
    if not math.isfinite(t):
        return undefined
    df = sample.n - 1
    p_value = float(stdtr(df, t if alternative == "less" else -t))
    return TTest(sample.n, sample.mean, sample.std, target, t, df, p_value)
