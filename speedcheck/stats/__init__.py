"""Statistics of a record: arrays in, frozen records out; nothing is printed or read here.

A figure that the data cannot give is `None`, never NaN or infinity. Every function flattens its
array to shape (n,) and works in float64. Importing this package imports `scipy.special`, so
`speedcheck` imports it where it is used.
"""

from __future__ import annotations

from speedcheck.stats.bayes import Estimate, bayes_mean_std
from speedcheck.stats.compare import (
    EQUIVALENCE_MARGIN,
    Difference,
    effect_size,
    equivalence_p,
    paired,
    two_sided_p,
    welch,
)
from speedcheck.stats.comparison import (
    Blocked,
    Comparison,
    LossRule,
    Side,
    compare_records,
)
from speedcheck.stats.frontier import FrontierTest, beats_frontier, mean_interval
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
from speedcheck.stats.race import RACE_PAIRS, Outcome, Race, race
from speedcheck.stats.runtime import Runtime, runtime_stats
from speedcheck.stats.sequential import (
    SEQUENTIAL_MAXIMUM,
    Futility,
    SequentialTest,
    futility,
    sequential_t,
)
from speedcheck.stats.steps import StepRow, StepRule, StepScan, step_rule, step_scan
from speedcheck.stats.times import MACHINE_SPREAD, time_difference
from speedcheck.stats.ttest import TTest, one_sample_t
from speedcheck.stats.ztest import ZTest, margin_for, one_sample_z, passes, runs_needed_z

__all__ = [
    "EQUIVALENCE_MARGIN",
    "MACHINE_SPREAD",
    "NON_INFERIORITY_ALPHA",
    "NON_INFERIORITY_MARGIN",
    "NON_INFERIORITY_MIN_RUNS",
    "RACE_PAIRS",
    "SEQUENTIAL_MAXIMUM",
    "Blocked",
    "Comparison",
    "Difference",
    "EqualSeeds",
    "Estimate",
    "FrontierTest",
    "Futility",
    "LossCurve",
    "LossRule",
    "Moments",
    "NonInferiority",
    "Outcome",
    "Race",
    "Runtime",
    "SequentialTest",
    "Side",
    "StepRow",
    "StepRule",
    "StepScan",
    "TTest",
    "ZTest",
    "bayes_mean_std",
    "beats_frontier",
    "compare_records",
    "effect_size",
    "equal_seeds",
    "equivalence_p",
    "futility",
    "margin_for",
    "mean_interval",
    "moments",
    "non_inferiority",
    "one_sample_t",
    "one_sample_z",
    "outliers",
    "paired",
    "passes",
    "power",
    "race",
    "runs_for_power",
    "runs_needed",
    "runs_needed_z",
    "runtime_stats",
    "sequential_t",
    "step_rule",
    "step_scan",
    "time_difference",
    "two_sided_p",
    "welch",
]
