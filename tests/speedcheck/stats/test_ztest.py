"""The test with a known standard deviation, against the normal distribution and the rule."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from speedcheck.errors import UsageError
from speedcheck.rules.tracks import GPT2_SMALL_STEPS
from speedcheck.stats import margin_for, one_sample_t, one_sample_z, passes, runs_needed_z

SIGMA, MARGIN = 0.0013, 0.004
LOSSES = st.lists(st.integers(32_500, 33_000).map(lambda n: n / 10_000), min_size=1, max_size=50)

# The table of a published record of the step-count track; its page forgets sqrt(n).
AURORA = (
    *(3.27786, 3.28008, 3.27844, 3.27927, 3.28024, 3.27936, 3.27928, 3.27934, 3.27777, 3.27911),
    *(3.27863, 3.27701, 3.2767, 3.27741, 3.27959, 3.27911, 3.27828, 3.27935, 3.28119, 3.27888),
)


@given(losses=LOSSES, alternative=st.sampled_from(["less", "greater"]))
def test_z_and_p_are_those_of_the_normal_distribution(losses, alternative):
    test = one_sample_z(losses, 3.28, SIGMA, alternative)
    mean = scipy.stats.norm(3.28, SIGMA / np.sqrt(len(losses)))
    tail = mean.cdf if alternative == "less" else mean.sf
    assert test.z == pytest.approx((np.mean(losses) - 3.28) / mean.std(), rel=1e-9, abs=1e-12)
    assert test.p_value == pytest.approx(tail(np.mean(losses)), rel=1e-7, abs=1e-300)


@given(losses=LOSSES)
def test_the_test_passes_exactly_where_the_published_rule_does(losses):
    p = one_sample_z(losses, 3.28, SIGMA).p_value
    # In whole ten-thousandths the rule is exact: (sum(target - loss))^2 >= 40^2 n.
    below = sum(32_800 - round(loss * 10_000) for loss in losses)
    rule = below > 0 and below**2 >= 40**2 * len(losses)
    assert passes(p, GPT2_SMALL_STEPS.alpha) == rule


@pytest.mark.parametrize(("below", "n"), [(0.004, 1), (0.002, 4), (0.001, 16), (0.0005, 64)])
def test_a_mean_that_reaches_the_margin_exactly_passes_and_one_a_hair_less_does_not(below, n):
    reached = one_sample_z([3.28 - below] * n, 3.28, SIGMA)
    assert passes(reached.p_value, GPT2_SMALL_STEPS.alpha)
    missed = one_sample_z([3.28 - below + 1e-7] * n, 3.28, SIGMA)
    assert not passes(missed.p_value, GPT2_SMALL_STEPS.alpha)


def test_a_published_mean_of_twenty_runs_has_the_z_that_its_page_missed_by_sqrt_n():
    test = one_sample_z(AURORA, 3.28, SIGMA)
    assert test.mean == pytest.approx(3.278845, abs=1e-6)
    assert test.z == pytest.approx(-3.97, abs=0.005)
    assert test.p_value == pytest.approx(3.6e-5, rel=0.02)
    assert scipy.stats.norm.sf(-test.z / np.sqrt(20)) == pytest.approx(0.188, abs=0.001)


def test_the_margin_of_a_test_is_what_its_alpha_asks_for():
    assert margin_for(SIGMA, GPT2_SMALL_STEPS.alpha) == pytest.approx(MARGIN, rel=1e-12)
    assert margin_for(SIGMA, 0.01) == pytest.approx(SIGMA * scipy.stats.norm.isf(0.01))
    with pytest.raises(UsageError, match="alpha is 1"):
        margin_for(SIGMA, 1)


@pytest.mark.parametrize(("sd", "certified"), [(SIGMA, 0.00105), (0.00185, 0.0153)])
def test_a_mean_at_the_target_certifies_as_often_as_sigma_is_right(sd, certified):
    # With another true sd the distance in units of its standard error is margin / sd.
    assert scipy.stats.norm.sf(MARGIN / sd) == pytest.approx(certified, rel=0.01)
    means = np.random.default_rng(5).normal(3.28, sd / np.sqrt(8), 20_000)
    tests = [one_sample_z([mean] * 8, 3.28, SIGMA) for mean in means]
    rate = np.mean([passes(test.p_value, GPT2_SMALL_STEPS.alpha) for test in tests])
    print(f"sd = {sd}: certified {rate:.2%}")
    assert rate == pytest.approx(certified, abs=0.003)


@given(gap=st.floats(1e-4, 0.01))
def test_the_runs_needed_are_the_fewest_that_pass_with_this_mean(gap):
    n = runs_needed_z(3.28 - gap, 3.28, MARGIN)
    gap = 3.28 - (3.28 - gap)
    assert gap * math.sqrt(n) >= MARGIN * (1 - 1e-8)
    assert n == 1 or gap * math.sqrt(n - 1) < MARGIN


@pytest.mark.parametrize("mean", [3.28, 3.3, 3.28 - 1e-9, math.nan, -math.inf])
def test_no_number_of_runs_is_named_where_none_would_do(mean):
    assert runs_needed_z(mean, 3.28, MARGIN) is None


@given(losses=st.lists(st.floats(), max_size=5), target=st.floats(), sigma=st.floats())
def test_no_input_gives_nan_or_a_warning(losses, target, sigma):
    test = dataclasses.replace(one_sample_z(losses, target, sigma), target=0.0, sigma=1.0)
    assert all(math.isfinite(x) for x in dataclasses.astuple(test) if x is not None)


@given(losses=LOSSES.filter(lambda losses: len(set(losses)) > 1))
def test_the_t_test_of_greater_means_is_scipys(losses):
    ours = one_sample_t(losses, 3.28, "greater")
    test = scipy.stats.ttest_1samp(losses, 3.28, alternative="greater")
    assert ours.t == pytest.approx(test.statistic, rel=1e-9)
    assert ours.p_value == pytest.approx(test.pvalue, rel=1e-8, abs=1e-300)
