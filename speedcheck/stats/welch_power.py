"""The power of Welch's one-sided test, by integration over both sample variances."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaincinv, ndtr, stdtrit

from speedcheck.stats.welch import welch_error

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Nodes for the probability of each sample variance; 48 give the power to 1e-4 (tests).
NODES, WEIGHTS = np.polynomial.legendre.leggauss(48)
PROBABILITIES = (NODES + 1) / 2
PAIR_WEIGHTS = np.outer(WEIGHTS, WEIGHTS) / 4


def welch_power(
    n_a: int, n_b: int, sd_a: float, sd_b: float, room: float, alpha: float
) -> float | None:
    """Return the probability that Welch's one-sided limit passes a bound.

    With both sample variances given, the limit passes when a normal variable, the difference of
    the means, is small enough; its probability is averaged over the variances, which are
    chi-squared. For equal sds and sizes it is nearly the power of the pooled t-test.

    Args:
        n_a: number of values of a.
        n_b: number of values of b.
        sd_a: true standard deviation of a value of a.
        sd_b: that of b.
        room: how far the true difference is on the right side of the bound.
        alpha: size of the test.

    Returns:
        The power; None for fewer than two values on a side and where an sd is not above 0.
    """
    if min(n_a, n_b) < 2 or not (0 < sd_a < np.inf and 0 < sd_b < np.inf):
        return None
    std_a, std_b = sample_stds(n_a, sd_a)[:, np.newaxis], sample_stds(n_b, sd_b)[np.newaxis, :]
    error, df = welch_error(std_a, n_a, std_b, n_b)
    true_error = np.hypot(sd_a / np.sqrt(n_a), sd_b / np.sqrt(n_b))
    chance = ndtr((room + stdtrit(df, alpha) * error) / true_error)
    return float((PAIR_WEIGHTS * chance).sum())


def sample_stds(n: ArrayLike, sd: float) -> NDArray[np.float64]:
    """Return the sample standard deviations of n normal values at the nodes' probabilities.

    Args:
        n: numbers of values, at least 2 each; broadcasts against the nodes, shape (48,).
        sd: true standard deviation of a value.
    """
    shape = (np.asarray(n, np.float64) - 1) / 2
    stds: NDArray[np.float64] = sd * np.sqrt(gammaincinv(shape, PROBABILITIES) / shape)
    return stds
