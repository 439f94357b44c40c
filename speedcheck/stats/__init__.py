"""Statistics of a record: arrays in, frozen records out; nothing is printed or read here.

A figure that the data cannot give is `None`, never NaN or infinity. Every function flattens its
array to shape (n,) and works in float64. Importing this package imports `scipy.special`, so
`speedcheck` imports it where it is used.
"""

from __future__ import annotations

from speedcheck.stats.bayes import Estimate, bayes_mean_std
from speedcheck.stats.moments import Moments, moments
from speedcheck.stats.outliers import outliers
from speedcheck.stats.power import power, runs_for_power, runs_needed
from speedcheck.stats.runtime import Runtime, runtime_stats
from speedcheck.stats.ttest import TTest, one_sample_t

__all__ = [
    "Estimate",
    "Moments",
    "Runtime",
    "TTest",
    "bayes_mean_std",
    "moments",
    "one_sample_t",
    "outliers",
    "power",
    "runs_for_power",
    "runs_needed",
    "runtime_stats",
]
