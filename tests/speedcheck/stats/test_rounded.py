"""Whatever digits were rounded away, a statistic of the exact values is in its range."""

from __future__ import annotations

import math

import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from speedcheck.stats.rounded import deviation_ranges, mean_ranges, p_ranges


@st.composite
def samples(draw):
    """Exact values, the same rounded to four digits or to three, and half of the last one."""
    n, digits = draw(st.integers(2, 12)), draw(st.sampled_from([3, 4]))
    offsets = draw(st.lists(st.floats(-0.004, 0.004), min_size=n, max_size=n))
    exact = [3.279 + offset for offset in offsets]
    return exact, [round(x, digits) for x in exact], 0.5 * 10.0**-digits


def within(value, found):
    low, high = found
    return low <= value <= high


@settings(max_examples=examples(300))
@given(samples())
def test_means_and_deviations_of_the_exact_values_are_in_the_ranges(sample):
    exact, rounded, half = sample
    assert within(np.mean(exact), mean_ranges(rounded, half)[0])
    ranges = deviation_ranges(rounded, half)
    assert within(np.std(exact, ddof=1), ranges[0])
    assert within(np.std(exact), ranges[1])


@settings(max_examples=examples(300))
@given(samples(), st.sampled_from([3.28, 3.2785, 3.29]), st.sampled_from([None, 0.0013]))
def test_the_p_of_the_exact_values_is_in_the_ranges(sample, target, sigma):
    exact, rounded, half = sample
    if np.std(exact) < 1e-6:
        return
    ranges = p_ranges(rounded, half, target, sign=1, sigma=sigma)
    if not ranges:
        assert len(set(rounded)) == 1
        return
    if sigma:
        z = (np.mean(exact) - target) / sigma * math.sqrt(len(exact))
        one, two = stats.norm.cdf(z), 2 * stats.norm.sf(abs(z))
    else:
        one = stats.ttest_1samp(exact, target, alternative="less").pvalue
        two = stats.ttest_1samp(exact, target).pvalue
    if half < np.std(rounded, ddof=1) / 3:
        assert within(one, ranges[0])
        assert within(two, ranges[1])
        assert within(1 - one, ranges[2])


def test_without_rounding_the_ranges_are_scipys_figures():
    losses = [3.2777, 3.2795, 3.2784, 3.2782, 3.2778, 3.2779]
    mean, _, std = stats.bayes_mvs(losses)
    assert within(mean.statistic, mean_ranges(losses, 0.0)[0])
    assert within(std.statistic, deviation_ranges(losses, 0.0)[2])
    greater = stats.ttest_1samp(losses, 3.27, alternative="greater").pvalue
    assert p_ranges(losses, 0.0, 3.27, sign=-1)[0] == pytest.approx((greater, greater), rel=1e-6)


def test_what_is_not_defined_has_no_range():
    assert mean_ranges([], 0.0) == ()
    assert deviation_ranges([3.28], 0.0) == ()
    assert p_ranges([3.28, 3.28], 0.0, 3.28, sign=1) == ()
