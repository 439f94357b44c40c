"""How many runs the one-sample t-test takes."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING

from scipy.special import nctdtr, stdtr, stdtrit

from speedcheck.stats.arguments import check_probability

if TYPE_CHECKING:
    from collections.abc import Callable

# Nobody pays for more runs of one record; an effect that needs them is below 0.04 sd.
MOST_RUNS = 10_000

# Boost, on which nctdtr rests, gives NaN for noncentralities of some -1e5 and beyond. The power is
# 1 to the last bit long before, for every alpha above 1e-4.
STRONGEST_NONCENTRALITY = -1e4


def power(n: int, mean: float, sd: float, target: float, alpha: float) -> float | None:
    """Give the probability that n runs pass the test of `one_sample_t`.

    For losses that are normal with this mean and sd, t is noncentral t with n - 1 degrees of
    freedom and noncentrality sqrt(n) (mean - target) / sd; the power is its distribution function
    at the alpha quantile of Student's t (Johnson and Welch, "Applications of the non-central
    t-distribution", Biometrika 31, 1940).

    Args:
        n: number of runs.
        mean: true mean loss, nats per token.
        sd: true standard deviation of a loss, nats per token.
        target: the loss that the mean must be below.
        alpha: size of the test.

    Returns:
        The power; None where the test is not defined: n below 2, an sd that is not above 0, or a
        figure that is not finite.

    Raises:
        UsageError: alpha is not between 0 and 1.
    """
    check_probability("alpha", alpha)
    effect = _effect(mean, sd, target)
    if effect is None or n < 2:
        return None
    return _chance_to_pass(n, effect, alpha)


def runs_for_power(
    mean: float,
    sd: float,
    target: float,
    alpha: float,
    power: float = 0.9,
    limit: int = MOST_RUNS,
) -> int | None:
    """Give the smallest number of runs with at least this power.

    Args:
        mean: true mean loss, nats per token.
        sd: true standard deviation of a loss, nats per token.
        target: the loss that the mean must be below.
        alpha: size of the test.
        power: probability of passing that is asked for.
        limit: largest number of runs to consider.

    Returns:
        The number; None where no number up to the limit is enough, which includes a mean that is
        not below the target, and where `power` is None.

    Raises:
        UsageError: alpha or power is not between 0 and 1.
    """
    check_probability("alpha", alpha)
    check_probability("power", power)
    effect = _effect(mean, sd, target)
    if effect is None or effect >= 0:
        return None
    return smallest_n(lambda n: _chance_to_pass(n, effect, alpha) >= power, limit)


def runs_needed(
    mean: float, sd: float, target: float, alpha: float, limit: int = MOST_RUNS
) -> int | None:
    """Give the smallest n at which a sample with exactly this mean and sd has p < alpha.

    Further runs scatter, so this is what the evidence so far points to and no promise: a record
    that is planned for it passes in about half of the cases (see `runs_for_power`).

    Args:
        mean: sample mean of the losses, nats per token.
        sd: sample standard deviation (n - 1), nats per token.
        target: the loss that the mean must be below.
        alpha: size of the test.
        limit: largest number of runs to consider.

    Returns:
        The number; None where no number up to the limit is enough, which includes a mean that is
        not below the target, an sd that is not above 0, and figures that are not finite.

    Raises:
        UsageError: alpha is not between 0 and 1.
    """
    check_probability("alpha", alpha)
    effect = _effect(mean, sd, target)
    if effect is None or effect >= 0:
        return None
    return smallest_n(lambda n: float(stdtr(n - 1, math.sqrt(n) * effect)) < alpha, limit)


def _effect(mean: float, sd: float, target: float) -> float | None:
    """Standardise the distance to the target; None where it is not a finite number."""
    if not 0 < sd < math.inf:
        return None
    effect = (mean - target) / sd
    return effect if math.isfinite(effect) else None


def _chance_to_pass(n: int, effect: float, alpha: float) -> float:
    df = n - 1
    noncentrality = max(math.sqrt(n) * effect, STRONGEST_NONCENTRALITY)
    chance = float(nctdtr(df, noncentrality, stdtrit(df, alpha)))
    # With the mean above the target Boost gives NaN where its sum cancels to less than 1e-15.
    return 0.0 if math.isnan(chance) else chance


def smallest_n(passes: Callable[[int], bool], limit: int) -> int | None:
    """Search by halving; `passes` must stay true once it is, as it does for effects below 0."""
    candidates = range(2, limit + 1)
    index = bisect_left(candidates, True, key=passes)
    return candidates[index] if index < len(candidates) else None
