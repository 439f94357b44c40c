"""Statistics of the training times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from speedcheck.stats.moments import moments

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Runtime:
    """Training times of n runs, in seconds.

    Attributes:
        n: number of runs.
        mean_s: mean.
        std_s: sample standard deviation (n - 1); None for one run.
        median_s: median.
        min_s: shortest.
        max_s: longest.
    """

    n: int
    mean_s: float
    std_s: float | None
    median_s: float
    min_s: float
    max_s: float


def runtime_stats(seconds: ArrayLike) -> Runtime | None:
    """Describe training times.

    Args:
        seconds: shape (n,).

    Returns:
        The statistics; None without times or where one is not finite.
    """
    times = np.ravel(np.asarray(seconds, dtype=np.float64))
    sample = moments(times)
    if sample.mean is None:
        return None
    return Runtime(
        n=sample.n,
        mean_s=sample.mean,
        std_s=sample.std,
        median_s=float(np.median(times)),
        min_s=float(times.min()),
        max_s=float(times.max()),
    )
