"""Differences of training times, with what two machines of one name differ by."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from speedcheck.errors import UsageError
from speedcheck.stats.compare import Difference, paired, welch, with_interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

# Standard deviation of the difference between two machines of one name, as a share of the run
# time: nine public retimings of one record differ from its official time by 0.75 s (rms).
MACHINE_SPREAD = 0.005

# A known standard deviation has infinitely many degrees of freedom; here Student's t is normal.
MOST_DF = 1e9


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
    `machine_spread` times the mean run time.

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
    error, df = with_known(within.error, within.df, between_machines(within, machine_spread))
    untested = replace(within, error=None, df=None, low=None, high=None)
    return with_interval(untested, float(error), float(df))


def between_machines(difference: Difference, machine_spread: float) -> float:
    """Return the standard deviation of a time difference between machines, in seconds."""
    if difference.mean_a is None or difference.mean_b is None:
        return 0.0
    return machine_spread * abs(difference.mean_a / 2 + difference.mean_b / 2)


def with_known(error: float | Floats, df: float | Floats, known: float) -> tuple[Floats, Floats]:
    """Add a known standard deviation to a standard error.

    The degrees of freedom follow from Satterthwaite's formula ("An approximate distribution of
    estimates of variance components", Biometrics Bulletin 2, 1946), in which the known part has
    infinitely many.

    Args:
        error: standard error, above 0.
        df: its degrees of freedom.
        known: the known standard deviation.

    Returns:
        The standard error of both and its degrees of freedom.
    """
    total: Floats = np.hypot(error, known)
    with np.errstate(over="ignore"):
        df_of_both: Floats = np.minimum(df * (total / error) ** 4, MOST_DF)
    return total, df_of_both
