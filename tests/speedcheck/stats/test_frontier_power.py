"""Runs that beat a frontier, against simulated Welch tests of scipy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from speedcheck.errors import UsageError
from speedcheck.stats.frontier_power import frontier_power, plan_frontier
from speedcheck.stats.moments import moments

FRONTIER = np.array([1.2251, 1.2244, 1.2262, 1.2237, 1.2249, 1.2243])


def simulated(n, mean, sd, improvement, alpha, tests=40_000):
    """Give the share of records of n normal runs that pass against this very frontier."""
    records = np.random.default_rng(7).normal(mean, sd, (tests, n))
    test = scipy.stats.ttest_ind(
        records + improvement,
        FRONTIER[:, np.newaxis].T,
        axis=1,
        equal_var=False,
        alternative="less",
    )
    return float(np.mean(test.pvalue < alpha))


@pytest.mark.parametrize(
    ("n", "mean", "sd", "improvement", "alpha"),
    [
        (2, 1.2200, 0.001, 0.0, 0.05),
        (4, 1.2230, 0.0015, 0.0, 0.05),
        (10, 1.2225, 0.0018, 0.001, 0.01),
        (40, 1.2236, 0.0018, 0.0, 0.05),
        (10, 1.2260, 0.0018, 0.0, 0.05),
    ],
)
def test_the_power_is_the_share_of_simulated_records_that_pass(n, mean, sd, improvement, alpha):
    best = moments(FRONTIER)
    room = best.mean - improvement - mean
    (power,) = frontier_power([n], sd, room, best, alpha)
    assert power == pytest.approx(simulated(n, mean, sd, improvement, alpha), abs=0.009)


def test_the_planned_runs_are_the_first_with_the_wanted_power():
    best = moments(FRONTIER)
    plan = plan_frontier(0.0012, 0.0018, best, alpha=0.05)
    powers = dict(plan.powers)
    assert plan.runs is not None
    assert powers[plan.runs] >= 0.9 > max(powers[n] for n in range(2, plan.runs))
    assert plan.sequential is None


@pytest.mark.parametrize("room", [0.0, -0.001, 0.0005])
def test_no_number_of_runs_outweighs_the_scatter_of_the_frontiers_own(room):
    """With ever more runs, the test is whether the frontier's own t passes its quantile."""
    best = moments(FRONTIER)
    limit = scipy.stats.t.isf(0.05, best.n - 1) * best.std / np.sqrt(best.n)
    assert room < limit
    assert plan_frontier(room, 0.0018, best, alpha=0.05).runs is None
    assert plan_frontier(1.1 * limit, 0.0018, best, alpha=0.05).runs is not None


def test_without_spread_there_is_no_plan_and_wrong_figures_are_refused():
    best = moments(FRONTIER)
    assert plan_frontier(0.001, 0.0, best).runs is None
    for wrong in ({"sd": -1.0}, {"sd": np.inf}, {"alpha": 1.0}, {"wanted": 0.0}, {"maximum": 1}):
        with pytest.raises(UsageError):
            plan_frontier(0.001, **{"sd": 0.0018, "frontier": best, **wrong})


def test_a_frontier_without_spread_is_beaten_by_the_records_own_t_test():
    best = moments([1.22, 1.22, 1.22])
    (power,) = frontier_power([8], 0.002, 0.002, best, 0.01)
    own = scipy.stats.nct.sf(scipy.stats.t.isf(0.01, 7), 7, np.sqrt(8))
    assert power == pytest.approx(own, abs=1e-4)
