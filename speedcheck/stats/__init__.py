"""Statistics of a record: arrays in, frozen records out; nothing is printed or read here.

A figure that the data cannot give is `None`, never NaN or infinity. Every function flattens its
array to shape (n,) and works in float64. Importing this package imports `scipy.special`, so
`speedcheck` imports it where it is used.

What `verify` needs is exported here. The rest is imported from its own module by the commands
that need it: `comparison` (two records), `frontier` and `steps` (rules of tracks), `sequential`
and `race` (tests that may be looked at after every run), `plan` (how many runs).
"""

from __future__ import annotations

from speedcheck.stats.bayes import Estimate, bayes_mean_std
from speedcheck.stats.moments import Moments, moments
from speedcheck.stats.noninferiority import (
    NON_INFERIORITY_ALPHA,
    NON_INFERIORITY_MARGIN,
    NON_INFERIORITY_MIN_RUNS,
    EqualSeeds,
    LossCurve,
    NonInferiority,
    equal_seeds,
    non_inferiority,
)
from speedcheck.stats.outliers import outliers
from speedcheck.stats.power import power, runs_for_power, runs_needed
from speedcheck.stats.runtime import Runtime, runtime_stats
from speedcheck.stats.ttest import TTest, one_sample_t
from speedcheck.stats.welch import (
    EQUIVALENCE_MARGIN,
    Difference,
    effect_size,
    equivalence_p,
    paired,
    two_sided_p,
    welch,
)
from speedcheck.stats.ztest import ZTest, margin_for, one_sample_z, passes, runs_needed_z

__all__ = [
    "EQUIVALENCE_MARGIN",
    "NON_INFERIORITY_ALPHA",
    "NON_INFERIORITY_MARGIN",
    "NON_INFERIORITY_MIN_RUNS",
    "Difference",
    "EqualSeeds",
    "Estimate",
    "LossCurve",
    "Moments",
    "NonInferiority",
    "Runtime",
    "TTest",
    "ZTest",
    "bayes_mean_std",
    "effect_size",
    "equal_seeds",
    "equivalence_p",
    "margin_for",
    "moments",
    "non_inferiority",
    "one_sample_t",
    "one_sample_z",
    "outliers",
    "paired",
    "passes",
    "power",
    "runs_for_power",
    "runs_needed",
    "runs_needed_z",
    "runtime_stats",
    "two_sided_p",
    "welch",
]
