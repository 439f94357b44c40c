"""The t e-process: evidence against a mean that stays valid however often one looks.

After n values with the t statistic t_n (mean minus target over standard error) the e-value is the
likelihood ratio of t_n at an effect d = (mean - target) / sd and at effect 0,

    f_nct(t_n; n - 1, sqrt(n) d) / f_t(t_n; n - 1),

averaged over several effects; the e-value of one value is 1. With a mean at the target this is a
nonnegative martingale with mean 1, so it ever reaches 1 / alpha with a probability of at most
alpha (Ville, 1939; T. L. Lai, "On confidence sequences", Annals of Statistics 4, 1976; M. F.
Perez-Ortiz et al., "E-statistics, group invariance and anytime-valid testing", 2022; H. Wang and
A. Ramdas, "Anytime-valid t-tests and confidence sequences for Gaussian means with unknown
variance", 2024). With effects of one sign only, it falls as the true effect moves to the other
side, so the test of one side holds for every mean on the wrong side of the target.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln, logsumexp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

# The effects of the mixture. It certifies a record at 0.742 sd, the sub-3-minute record's, after
# 23 runs on average; that effect alone would need 22.
EFFECTS = (0.5, 0.75, 1.0, 1.5)

# The tests hold the e-values to 1e-12 up to this number of values; nobody pays for more.
LARGEST_N = 1_000

# 96 nodes integrate exp(-h), cut off where h passes 40, to 1e-13 (tests against mpmath).
NODES, WEIGHTS = np.polynomial.legendre.leggauss(96)
CUT_OFF = 40.0

# Values of t that are handled at once: the memory stays below 10 MB however many there are.
BLOCK = 4096

# Halvings of (0, 1) until the boundary is exact to the last bits.
HALVINGS = 60


def log_e(
    t: ArrayLike, n: ArrayLike, effects: Sequence[float] = EFFECTS, *, two_sided: bool = False
) -> Floats:
    """Return the natural logarithm of the e-value of a t statistic.

    Args:
        t: shape (k,), t statistics; positive where the mean is on the side of the effects.
        n: shape (k,), the numbers of values behind them, each at least 2.
        effects: the effects of the mixture, in standard deviations, with equal weights.
        two_sided: whether the mixture holds each effect with both signs.

    Returns:
        Shape (k,).
    """
    t, n = np.broadcast_arrays(np.asarray(t, np.float64), np.asarray(n, np.float64))
    share = t / np.hypot(np.sqrt(n - 1), t)
    blocks = range(0, max(share.size, 1), BLOCK)
    return np.concatenate(
        [
            _log_e(share[i : i + BLOCK], n[i : i + BLOCK], _signed(effects, two_sided))
            for i in blocks
        ]
    )


@lru_cache(maxsize=32)
def boundary(
    maximum: int, alpha: float, effects: tuple[float, ...] = EFFECTS, *, two_sided: bool = False
) -> Floats:
    """Return the t statistic from which on the e-value reaches 1 / alpha, for each n.

    The e-value grows with t (with |t| for the two-sided mixture), so that looking at E_n and
    looking at t_n decide the same.

    Args:
        maximum: largest number of values.
        alpha: size of the test.
        effects: the effects of the mixture, in standard deviations.
        two_sided: whether the mixture holds each effect with both signs.

    Returns:
        Shape (maximum + 1,), read-only: entry n is the bound for n values, infinity where none
        reaches it.
    """
    bounds = np.full(maximum + 1, np.inf)
    n = np.arange(2, maximum + 1, dtype=np.float64)
    signed, wanted = _signed(effects, two_sided), -np.log(alpha)
    low, high = np.zeros(n.size), np.ones(n.size)
    within_reach = _log_e(high, n, signed) > wanted
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        reached = _log_e(middle, n, signed) >= wanted
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    share = np.where(within_reach & (high < 1), high, 0.0)
    t = np.sqrt((n - 1) / ((1 - share) * (1 + share))) * share
    bounds[2:] = np.where(share > 0, t, np.inf)
    bounds.flags.writeable = False
    return bounds


def _signed(effects: Sequence[float], two_sided: bool) -> tuple[float, ...]:
    return (*effects, *(-effect for effect in effects)) if two_sided else tuple(effects)


def _log_e(share: Floats, n: Floats, effects: tuple[float, ...]) -> Floats:
    """Average the ratios over the effects; share is t / sqrt(n - 1 + t^2), between -1 and 1."""
    ratios = [_log_ratio(share, n, effect) for effect in effects]
    mixture: Floats = logsumexp(ratios, axis=0) - np.log(len(effects))
    return mixture


def _log_ratio(share: Floats, n: Floats, effect: float) -> Floats:
    """Return log f_nct / f_t: exp(-d^2 n / 2) E[exp(c W)], c = sqrt(n) d share, W chi of n df.

    The density of the noncentral t at t is the integral over the sample's spread W, whose factor
    exp(c W) alone depends on d (Johnson and Welch, Biometrika 31, 1940).
    """
    noncentrality = np.sqrt(n) * effect
    return _log_chi_mgf(noncentrality * share, n) - noncentrality**2 / 2


def _log_chi_mgf(c: Floats, n: Floats) -> Floats:
    """Return log E[exp(c W)], W chi-distributed with n degrees of freedom, exact to 1e-12.

    With w = w* (1 + y), w* the maximum of w^k exp(c w - w^2 / 2), k = n - 1, the integrand is that
    maximum times exp(-h(y)), h(y) = k (y - log(1 + y)) + (w* y)^2 / 2. It is integrated by
    Gauss-Legendre quadrature between bounds beyond which h is above CUT_OFF.
    """
    k = n - 1
    root = np.hypot(c, 2 * np.sqrt(k))
    # Two forms of one root of w^2 - c w - k: neither subtracts numbers of like size.
    peak = np.where(c > 0, (np.abs(c) + root) / 2, 2 * k / (np.abs(c) + root))
    left = -np.minimum(1, np.sqrt(2 * CUT_OFF / (k + peak**2)))
    # y - log(1 + y) >= y^2 / (2 (1 + y)) gives the first bound, (w* y)^2 / 2 the second.
    right = np.minimum(
        (CUT_OFF + np.sqrt(CUT_OFF**2 + 2 * CUT_OFF * k)) / k, np.sqrt(2 * CUT_OFF) / peak
    )
    half = ((right - left) / 2)[..., np.newaxis]
    y = left[..., np.newaxis] + half * (1 + NODES)
    steepness, width = k[..., np.newaxis], peak[..., np.newaxis]
    h = steepness * (y - np.log1p(y)) + (width * y) ** 2 / 2
    area = (np.exp(-h) * WEIGHTS * half).sum(axis=-1)
    height = n * np.log(peak) + peak * (c - peak / 2)
    result: Floats = height + np.log(area) - (n / 2 - 1) * np.log(2) - gammaln(n / 2)
    return result
