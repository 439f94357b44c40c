"""Differences of training times, with what two machines of one name differ by."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from speedcheck.errors import UsageError
from speedcheck.stats.welch import Difference, paired, welch, with_interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# Standard deviation of the difference between two machines of one name, as a share of the run
# time: nine public retimings of one record differ from its official time by 0.75 s (rms).
MACHINE_SPREAD = 0.005


def time_difference(
    a: ArrayLike,
    b: ArrayLike,
    *,
    interleaved: bool = False,
    machine_spread: float = MACHINE_SPREAD,
    level: float = 0.95,
) -> Difference:
    """Compare training times, with the spread between machines in the standard error.

    If the runs were not interleaved, a faster program looks the same as a faster machine. The
    spread between machines is taken as a known standard deviation of the difference:
    `machine_spread` times the mean run time. It widens the interval of the runs by `reach` and
    never narrows it, however few they are.

    Args:
        a: shape (n,), times of A in seconds.
        b: shape (m,), times of B.
        interleaved: whether a_i was measured next to b_i on one machine: then the runs are
            paired, and there is no spread between machines.
        machine_spread: share of the run time, 0 or more.
        level: level of the two-sided confidence interval.

    Returns:
        A minus B; without a test where `welch` or `paired` has none.

    Raises:
        UsageError: level is not between 0 and 1, or the spread is negative or not finite.
    """
    if not 0 <= machine_spread < math.inf:
        raise UsageError(
            f"the machine spread is {machine_spread:g}", remedy="choose a share of 0 or more"
        )
    if interleaved:
        return paired(a, b, level)
    within = welch(a, b, level)
    if within.error is None or within.df is None:
        return within
    known = between_machines(within, machine_spread)
    untested = replace(within, error=None, df=None, low=None, high=None)
    return with_interval(untested, within.error, within.df, known)


def between_machines(difference: Difference, machine_spread: float) -> float:
    """Return the standard deviation of a time difference between machines, in seconds."""
    if difference.mean_a is None or difference.mean_b is None:
        return 0.0
    return machine_spread * abs(difference.mean_a / 2 + difference.mean_b / 2)
