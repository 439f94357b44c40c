"""How many runs of a record beat a frontier whose runs are made already."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, stdtrit

from speedcheck.stats.arguments import check_positive, check_probability
from speedcheck.stats.needed import first_number
from speedcheck.stats.sample_size import RunPlan
from speedcheck.stats.sequential import SEQUENTIAL_MAXIMUM, check_maximum
from speedcheck.stats.welch import welch_error
from speedcheck.stats.welch_power import WEIGHTS, sample_stds

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from speedcheck.stats.moments import Moments


def frontier_power(
    runs: ArrayLike, sd: float, room: float, frontier: Moments, alpha: float = 0.01
) -> NDArray[np.float64]:
    """Return the probability that a record's Welch test against a frontier passes.

    The frontier's values are known, so that chance is in the record alone. With its sample
    variance given, the test passes when the record's mean, a normal variable, is low enough; the
    probability of that is averaged over the variance, which is chi-squared.

    Args:
        runs: shape (k,), numbers of runs of the record, at least 2 each.
        sd: true standard deviation of a value of the record, above 0.
        room: how far the record's true mean is beyond the frontier's sample mean and the
            improvement, on the better side.
        frontier: moments of the frontier's values, at least 2.
        alpha: size of the test.

    Returns:
        Shape (k,), the powers.
    """
    counts = np.asarray(runs, np.float64)
    stds = sample_stds(counts[:, np.newaxis], sd)
    error, df = welch_error(stds, counts[:, np.newaxis], frontier.std or 0.0, frontier.n)
    chance = ndtr((room + stdtrit(df, alpha) * error) / (sd / np.sqrt(counts[:, np.newaxis])))
    powers: NDArray[np.float64] = (chance * WEIGHTS).sum(axis=1) / 2
    return powers


def plan_frontier(
    room: float,
    sd: float,
    frontier: Moments,
    *,
    alpha: float = 0.01,
    wanted: float = 0.9,
    maximum: int = SEQUENTIAL_MAXIMUM,
) -> RunPlan:
    """Plan the runs of a record that is to beat a frontier by more than an improvement.

    The test has no sequential form.

    Args:
        room: how far the record's expected mean is beyond the frontier's mean and the improvement,
            on the better side, in the unit of the values.
        sd: expected standard deviation of the record's values; 0 gives no plan.
        frontier: moments of the frontier's values, at least 2, with a standard deviation.
        alpha: size of the test.
        wanted: power that is asked for.
        maximum: largest number of runs of `powers`.

    Returns:
        The plan; `effect` is the room in sds.

    Raises:
        UsageError: alpha or the power is not between 0 and 1, the sd is negative or not finite, or
            the maximum is below 2 or above 1,000.
    """
    check_probability("alpha", alpha)
    check_probability("power", wanted)
    check_maximum(maximum)
    if sd == 0:
        return RunPlan(None, (), wanted, None, None)
    check_positive("sd", sd)
    numbers = np.arange(2, maximum + 1)
    powers = frontier_power(numbers, sd, room, frontier, alpha)
    runs = None
    if room > 0:
        runs = first_number(lambda n: frontier_power(n, sd, room, frontier, alpha) >= wanted, 2)
    effect = room / sd
    return RunPlan(
        effect=effect if math.isfinite(effect) else None,
        powers=tuple(zip(map(int, numbers), map(float, powers), strict=True)),
        wanted=wanted,
        runs=runs,
        sequential=None,
    )
