"""The Bayesian estimates against scipy.stats.bayes_mvs."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from speedcheck.errors import UsageError
from speedcheck.stats import bayes_mean_std

SEEDS = st.integers(0, 2**32 - 1)
LEVELS = st.floats(0.01, 0.999)


def losses_of(seed, n):
    return np.random.default_rng(seed).normal(3.28, 0.0018, size=n)


def assert_equal_to_scipy(losses, level):
    mean, _, std = scipy.stats.bayes_mvs(losses, alpha=level)
    for expected, actual in zip((mean, std), bayes_mean_std(losses, level), strict=True):
        assert actual.estimate == pytest.approx(expected.statistic, rel=1e-12)
        assert (actual.low, actual.high) == pytest.approx(expected.minmax, rel=1e-12)
        assert actual.level == level


@given(seed=SEEDS, n=st.integers(3, 60), level=LEVELS)
def test_estimates_are_those_of_scipy(seed, n, level):
    assert_equal_to_scipy(losses_of(seed, n), level)


@pytest.mark.parametrize("n", [999, 1000, 1001, 1500])
def test_estimates_are_those_of_scipy_on_both_sides_of_its_normal_approximation(n):
    assert_equal_to_scipy(losses_of(n, n), 0.9)


@given(seed=SEEDS, level=LEVELS)
def test_two_losses_have_intervals_but_no_estimate(seed, level):
    losses = losses_of(seed, 2)
    expected_mean, _, expected_std = scipy.stats.bayes_mvs(losses, alpha=level)
    mean, std = bayes_mean_std(losses, level)
    assert not np.isfinite([expected_mean.statistic, expected_std.statistic]).any()
    assert (mean.estimate, std.estimate) == (None, None)
    assert (mean.low, mean.high) == pytest.approx(expected_mean.minmax, rel=1e-12)
    assert (std.low, std.high) == pytest.approx(expected_std.minmax, rel=1e-12)


@pytest.mark.parametrize("losses", [[], [3.27], [3.27] * 8, [0.1 + 0.2, 0.3], [3.2, np.nan]])
def test_nothing_is_estimated_without_a_spread(losses):
    assert bayes_mean_std(losses) is None


@pytest.mark.parametrize("level", [-0.1, 0, 1, 90, float("nan")])
def test_an_impossible_level_is_refused_by_name(level):
    with pytest.raises(UsageError, match=rf"level is {level:g}.*between 0 and 1"):
        bayes_mean_std([3.27, 3.28], level)
