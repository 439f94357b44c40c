"""Differences of two samples, against scipy's tests, and equivalence by its definition."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import scipy.stats
from examples import examples
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from speedcheck.errors import UsageError
from speedcheck.stats import EQUIVALENCE_MARGIN, equivalence_p, paired, welch

# Losses as logs print them, so that no spread is a rounding error.
LOSSES = st.lists(st.integers(32_000, 34_000).map(lambda n: n / 10_000), min_size=2, max_size=40)
ANY = st.lists(st.floats(), max_size=6)

# Where one side has no spread at all scipy doubts its own rounding, and is right all the same.
pytestmark = pytest.mark.filterwarnings("ignore:Precision loss:RuntimeWarning")


@given(a=LOSSES, b=LOSSES, level=st.floats(0.5, 0.999))
def test_welch_is_scipys_test_and_interval(a, b, level):
    assume(len(set(a)) > 1 or len(set(b)) > 1)
    ours = welch(a, b, level)
    for alternative, p in (("less", ours.p_below()), ("greater", ours.p_above())):
        test = scipy.stats.ttest_ind(a, b, equal_var=False, alternative=alternative)
        assert p == pytest.approx(test.pvalue, rel=1e-8, abs=1e-300)
    two_sided = scipy.stats.ttest_ind(a, b, equal_var=False)
    assert ours.df == pytest.approx(two_sided.df, rel=1e-9)
    assert ours.difference == pytest.approx(np.mean(a) - np.mean(b), abs=1e-15)
    interval = two_sided.confidence_interval(level)
    assert [ours.low, ours.high] == pytest.approx(list(interval), rel=1e-9, abs=1e-12)


@given(pairs=st.lists(st.tuples(*[st.integers(170_000, 190_000)] * 2), min_size=2, max_size=30))
def test_the_paired_test_is_scipys(pairs):
    a, b = zip(*pairs, strict=True)
    assume(len({x - y for x, y in pairs}) > 1)
    ours = paired(a, b)
    test = scipy.stats.ttest_rel(a, b, alternative="less")
    assert ours.p_below() == pytest.approx(test.pvalue, rel=1e-9, abs=1e-300)
    assert ours.df == len(pairs) - 1
    interval = scipy.stats.ttest_rel(a, b).confidence_interval(0.95)
    assert [ours.low, ours.high] == pytest.approx(list(interval), rel=1e-9)


def test_what_slows_both_runs_of_a_pair_hides_a_difference_from_welch_alone():
    drift = np.array([0.0, 5.0, 2.0, 9.0, 4.0])
    a, b = 180 + drift, 181 + drift + np.array([0.1, 0.0, -0.1, 0.1, 0.0])
    assert paired(a, b).p_below() < 1e-4
    assert welch(a, b).p_below() > 0.3


@given(a=LOSSES, b=LOSSES, margin=st.floats(1e-4, 0.1))
def test_equivalence_is_the_larger_of_two_one_sided_tests(a, b, margin):
    assume(len(set(a)) > 1 or len(set(b)) > 1)
    shifted = [
        scipy.stats.ttest_ind(
            np.subtract(a, margin), b, equal_var=False, alternative="less"
        ).pvalue,
        scipy.stats.ttest_ind(np.add(a, margin), b, equal_var=False, alternative="greater").pvalue,
    ]
    assert equivalence_p(welch(a, b), margin) == pytest.approx(max(shifted), rel=1e-6, abs=1e-290)


def test_equivalence_within_the_margin_is_shown_where_the_90_percent_interval_lies_inside():
    rng = np.random.default_rng(7)
    shown = set()
    for shift in np.linspace(0, 0.002, 41):
        a, b = rng.normal(3.28 + shift, 0.0015, 40), rng.normal(3.28, 0.0015, 40)
        interval = welch(a, b, 0.9)
        inside = max(-interval.low, interval.high) < EQUIVALENCE_MARGIN
        assert (equivalence_p(interval) < 0.05) == inside
        shown.add(inside)
    assert shown == {True, False}


@pytest.mark.parametrize(("n_a", "sd_a", "n_b", "sd_b"), [(8, 1, 8, 1), (5, 1, 9, 3)])
def test_welch_errs_as_often_as_it_says(n_a, sd_a, n_b, sd_b):
    rng = np.random.default_rng(3)
    samples = [(rng.normal(0, sd_a, n_a), rng.normal(0, sd_b, n_b)) for _ in range(10_000)]
    found = [welch(a, b) for a, b in samples]
    below = np.mean([d.p_below() < 0.01 for d in found])
    covered = np.mean([d.low <= 0 <= d.high for d in found])
    print(f"n = {n_a} and {n_b}: p < 0.01 {below:.2%}, 95 % interval {covered:.2%}")
    assert below == pytest.approx(0.01, abs=0.004)
    assert covered == pytest.approx(0.95, abs=0.008)


@pytest.mark.parametrize(("n", "shown"), [(8, 0.0), (32, 0.01), (64, 0.51)])
def test_to_show_that_losses_are_equal_takes_many_runs(n, shown):
    rng, sd = np.random.default_rng(4), 0.00185
    rates = {
        shift: np.mean(
            [
                equivalence_p(welch(rng.normal(3.28 + shift, sd, n), rng.normal(3.28, sd, n)))
                < 0.01
                for _ in range(2000)
            ]
        )
        for shift in (0.0, EQUIVALENCE_MARGIN)
    }
    print(
        f"n = {n}: equal {rates[0.0]:.2%}, differing by the margin {rates[EQUIVALENCE_MARGIN]:.2%}"
    )
    assert rates[0.0] == pytest.approx(shown, abs=0.04)
    assert rates[EQUIVALENCE_MARGIN] <= 0.017


@pytest.mark.parametrize("compare", [welch, paired])
@pytest.mark.parametrize(
    ("a", "b"),
    [([], [1.0, 2.0]), ([1.0], [1.0, 2.0]), ([1.0, 1.0], [2.0, 2.0]), ([1.0, math.nan], [1, 2])],
    ids=["none", "one", "equal", "nan"],
)
def test_without_a_test_there_is_no_p_and_no_interval(compare, a, b):
    ours = compare(a, b)
    assert (ours.n_a, ours.n_b) == (len(a), len(b))
    assert (ours.error, ours.low, ours.high, ours.p_below(), ours.p_above()) == (None,) * 5
    assert equivalence_p(ours) is None


def test_one_side_without_spread_is_compared_by_the_other_sides():
    ours = welch([3.0, 3.0, 3.0], [3.0, 3.1, 3.2])
    assert ours.df == pytest.approx(2)
    assert ours.p_below() == pytest.approx(
        scipy.stats.ttest_ind([3.0] * 3, [3.0, 3.1, 3.2], equal_var=False).pvalue / 2
    )


def test_samples_of_different_length_are_no_pairs():
    assert paired([1.0, 2.0, 4.0], [1.0, 3.0]).error is None


@settings(max_examples=examples(200))
@given(a=ANY, b=ANY, bound=st.floats(allow_nan=False, allow_infinity=False))
@example(a=[1e308, -1e308], b=[-1e308, 1e308], bound=0.0)
@example(a=[1e-300, 2e-300], b=[0.0, 0.0], bound=1e308)
@example(a=[1e308, 1e308, 1.1e308], b=[-1e308, -1e308, -1.1e308], bound=0.0)
def test_no_input_gives_nan_infinity_or_a_warning(a, b, bound):
    for ours in (welch(a, b), paired(a, b)):
        figures = [*dataclasses.astuple(ours), ours.p_below(bound), ours.p_above(bound)]
        assert all(math.isfinite(x) for x in figures if x is not None)


@pytest.mark.parametrize("level", [0, 1, -0.5, math.nan])
@pytest.mark.parametrize("compare", [welch, paired])
def test_a_level_that_is_no_probability_is_refused(compare, level):
    with pytest.raises(UsageError, match="level is"):
        compare([1.0, 2.0], [1.0, 3.0], level)
