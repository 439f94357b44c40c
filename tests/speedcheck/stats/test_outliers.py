"""Outliers: the definition recomputed, and the cases in which nothing may be said."""

from __future__ import annotations

import math
import statistics

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from speedcheck.stats import outliers

SPREAD = [3.2760, 3.2772, 3.2781, 3.2785, 3.2789, 3.2793, 3.2801]


@given(values=st.lists(st.integers(32_000, 33_000).map(lambda i: i / 1e4), min_size=8))
def test_flags_are_the_modified_z_scores_above_three_and_a_half(values):
    median = statistics.median(values)
    mad = scipy.stats.median_abs_deviation(values)
    scores = [0.6745 * abs(x - median) / mad if mad > 1e-12 else 0 for x in values]
    assert outliers(values) == tuple(i for i, score in enumerate(scores) if score > 3.5)


@pytest.mark.parametrize("far", [3.2, 3.35, 10.8])
def test_a_loss_far_from_the_others_is_flagged_on_either_side(far):
    assert outliers([*SPREAD[:3], far, *SPREAD[3:]]) == (3,)


def test_two_outliers_do_not_hide_each_other():
    assert outliers([10.8, *SPREAD, 10.9]) == (0, 8)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [*SPREAD[:6], 10.8],
        [3.27] * 7 + [10.8],
        [0.3, 0.1 + 0.2] * 4 + [0.31],
        [*SPREAD, math.nan],
        [*SPREAD, math.inf],
    ],
    ids=["none", "seven values", "half equal", "half equal up to rounding", "nan", "infinite"],
)
def test_nothing_is_flagged_where_the_spread_is_unknown(values):
    assert outliers(values) == ()
