"""The test of tracks whose standard deviation is known beforehand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from scipy.special import ndtr, ndtri

from speedcheck.stats.arguments import check_probability
from speedcheck.stats.moments import moments
from speedcheck.stats.power import MOST_RUNS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# The rule includes its bound, and decimals that reach it exactly may miss it as binary numbers.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class ZTest:
    """One-sided z-test with a known standard deviation of one loss.

    Attributes:
        n: number of losses.
        mean: sample mean; None without losses or where one is not finite.
        sigma: the known standard deviation.
        target: the loss to stay below, or above.
        z: (mean - target) / (sigma / sqrt(n)); None where the test is not defined.
        p_value: P(Z <= z), or P(Z >= z) with the alternative "greater"; None where z is.
    """

    n: int
    mean: float | None
    sigma: float
    target: float
    z: float | None = None
    p_value: float | None = None


def one_sample_z(
    losses: ArrayLike,
    target: float,
    sigma: float,
    alternative: Literal["less", "greater"] = "less",
) -> ZTest:
    """Test whether the mean of the losses is on the right side of the target.

    It assumes independent losses whose standard deviation is `sigma` whatever the sample's is,
    and a number of runs that was fixed before the first result was seen.

    Args:
        losses: shape (n,), nats per token.
        target: the loss that the mean must be below, or above.
        sigma: standard deviation of one loss, above 0.
        alternative: the side that must be shown.

    Returns:
        The test; z and p_value are None without losses and where a figure is not finite.
    """
    sample = moments(losses)
    undefined = ZTest(sample.n, sample.mean, sigma, target)
    if sample.mean is None or not 0 < sigma < math.inf:
        return undefined
    z = (sample.mean - target) / sigma * math.sqrt(sample.n)
    if not math.isfinite(z):
        return undefined
    p_value = float(ndtr(z if alternative == "less" else -z))
    return ZTest(sample.n, sample.mean, sigma, target, z, p_value)


def passes(p_value: float, alpha: float) -> bool:
    """Return whether the z-test passes at `alpha`: its rule includes the bound itself."""
    return p_value <= alpha * (1 + ROUNDING)


def margin_for(sigma: float, alpha: float) -> float:
    """Give the smallest |mean - target| * sqrt(n) that passes the z-test at `alpha`.

    The rule of the step-count track is written so: with sigma = 0.0013 it asks for 0.004.

    Args:
        sigma: standard deviation of one loss, nats per token.
        alpha: size of the test.

    Raises:
        UsageError: alpha is not between 0 and 1.
    """
    check_probability("alpha", alpha)
    return -sigma * float(ndtri(alpha))


def runs_needed_z(mean: float, target: float, margin: float) -> int | None:
    """Give the smallest n at which a sample with exactly this mean passes the z-test.

    Args:
        mean: sample mean, nats per token.
        target: the loss that the mean must be below.
        margin: what (target - mean) * sqrt(n) must reach, above 0.

    Returns:
        The number; None where the mean is not below the target, or too near to it for any number
        of runs that could be paid for.
    """
    gap = target - mean
    if not 0 < gap < math.inf:
        return None
    root = margin / gap
    return max(1, math.ceil(root**2 * (1 - ROUNDING))) if root < math.sqrt(MOST_RUNS) else None
